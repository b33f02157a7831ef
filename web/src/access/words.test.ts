import { expect, test } from 'vitest';
import { differences } from './audit';
import { remaining } from './expiry';
import { snippets } from './snippets';
import { faultOf, labelOf, nameFault, SCOPES } from './words';

test('a password is refused with its reason', () => {
  expect(faultOf('short', 'short')).toContain('at least 8 characters; this one has 5');
  expect(faultOf('long enough', 'long enouhg')).toBe('The two are not the same.');
  expect(faultOf('x'.repeat(1001), 'x'.repeat(1001))).toContain('at most 1,000');
  expect(faultOf('long enough', 'long enough')).toBeNull();
  // Four signs of two halves each are four characters, as the server counts.
  expect(faultOf('🔔🔔🔔🔔', '🔔🔔🔔🔔')).toContain('has 4');
});

test('a name is of what fits into an address, and of nobody else', () => {
  expect(nameFault('ann@example.org', ['bob'])).toBeNull();
  expect(nameFault('', [])).toContain('missing');
  expect(nameFault('an na', [])).toContain('“ ”');
  expect(nameFault('a/b', [])).toContain('“/”');
  expect(nameFault('änn', [])).toContain('“ä”');
  expect(nameFault('x'.repeat(65), [])).toContain('64');
  expect(nameFault('bob', ['bob'])).toContain('taken');
});

test('scopes have names, and one that is new is shown as it is', () => {
  expect(SCOPES.map(({ value }) => labelOf(value))).toEqual(['Ingest', 'Query', 'Viewer', 'Editor', 'Admin']);
  expect(labelOf('auditor')).toBe('auditor');
});

test('only what differs is told of a change', () => {
  expect(differences({ role: 'viewer', members: ['ann'], is_disabled: false }, { role: 'admin', members: [], is_disabled: false })).toEqual([
    { field: 'members', before: 'ann', after: 'none' },
    { field: 'role', before: 'viewer', after: 'admin' },
  ]);
  expect(differences(null, { scope: 'query' })).toEqual([{ field: 'scope', before: null, after: 'query' }]);
  expect(differences({ scope: 'query' }, null)).toEqual([{ field: 'scope', before: 'query', after: null }]);
  expect(differences(null, null)).toEqual([]);
});

test('the end of a token is told in time', () => {
  expect(remaining(null, 1000)).toEqual({ text: 'Never expires', tone: '' });
  expect(remaining(1000 + 30 * 86_400, 1000)).toEqual({ text: 'Expires in 30 d', tone: '' });
  expect(remaining(1000 + 2 * 86_400, 1000)).toEqual({ text: 'Expires in 2 d', tone: 'warn' });
  expect(remaining(1000, 1000)).toEqual({ text: 'Expired', tone: 'down' });
});

test('a machine is given what its token is good for', () => {
  const base = 'https://example.org/campanile/';
  const of = (scope: 'ingest' | 'query' | 'admin') => snippets('cmp_secret', scope, base);
  expect(of('ingest').map(({ name }) => name)).toEqual(['Prometheus', 'curl']);
  expect(of('query').map(({ name }) => name)).toEqual(['Grafana', 'curl']);
  for (const { name, text } of [...of('ingest'), ...of('query'), ...of('admin')]) {
    expect(text, name).toContain('cmp_secret');
    expect(text, name).toContain('https://example.org/campanile');
  }
  expect(of('ingest')[0]!.text).toContain('url: https://example.org/campanile/api/v1/write');
  expect(of('query')[0]!.text).toContain('url: https://example.org/campanile\n');
});
