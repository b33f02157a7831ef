import { expect, test, vi } from 'vitest';

vi.stubGlobal('location', { pathname: '/login', search: '' });
vi.stubGlobal('addEventListener', () => {});
vi.stubGlobal('document', { addEventListener: () => {} });
const { destination } = await import('./next');

test('a login leads to the page that was asked for', () => {
  for (const [next, page] of [
    ['monitors?search=a+b&state=down', './monitors?search=a+b&state=down'],
    ['/alerts#HighLoad', './alerts#HighLoad'],
    ['/below/a/proxy/tokens', './tokens'],
    ['/graph?g0.expr=up', './graph?g0.expr=up'],
    ['/docs', './docs'],
    ['', './'],
    ['/', './'],
    ['/login?next=/login', './'],
    ['/nowhere', './'],
  ]) {
    expect(destination(next!), next).toBe(page);
  }
});

test('it leads nowhere else, whatever the address says', () => {
  for (const next of [
    'https://evil.example/monitors',
    '//evil.example/monitors',
    '\\\\evil.example\\monitors',
    '/\\evil.example/monitors',
    '\t//evil.example/monitors',
    'javascript:alert(1)//monitors',
    'javascript:monitors',
    'data:text/html,monitors',
    'http://user@evil.example/monitors',
    'http://[',
    '/%2f%2fevil.example',
    '../../monitors',
  ]) {
    expect(destination(next), next).toMatch(/^\.\/(monitors)?$/);
    const target = new URL(destination(next), 'http://127.0.0.1:9595/login');
    expect(target.origin).toBe('http://127.0.0.1:9595');
  }
});
