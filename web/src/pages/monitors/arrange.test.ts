import { expect, test } from 'vitest';
import type { Monitor, MonitorState } from '../../api/monitors';
import { arrange, matching } from './arrange';

function monitor(name: string, state: MonitorState, latency: number, uptime: number | null): Monitor {
  const share = { '24h': uptime, '7d': uptime, '30d': uptime };
  const last_check = { at: '', duration_seconds: latency, outcome: 'success' as const, cause: '' };
  const labels = { team: name === 'shop' ? 'web' : 'ops' };
  const url = `https://${name}.example.org/`;
  const bar = { start: '', step_seconds: 1800, uptime: [] };
  return { name, type: 'http', url, labels, interval_seconds: 30, state, since: '', cause: '', last_check, uptime: share, bar };
}

const all = [monitor('mail', 'up', 0.2, 1), monitor('shop', 'down', 0.1, 0.5), monitor('blog', 'up', 0.3, null)];
const names = (monitors: Monitor[]) => monitors.map((one) => one.name).join(' ');
const wanted = { state: null, reverse: false } as const;

test('the worst come first', () => {
  expect(names(arrange(all, { ...wanted, sort: 'state' }))).toBe('shop blog mail');
  expect(names(arrange(all, { ...wanted, sort: 'latency' }))).toBe('blog mail shop');
  expect(names(arrange(all, { ...wanted, sort: '24h' }))).toBe('shop mail blog');
  expect(names(arrange(all, { ...wanted, sort: 'name', reverse: true }))).toBe('shop mail blog');
});

test('a state is chosen', () => {
  expect(names(arrange(all, { state: 'up', sort: 'name', reverse: false }))).toBe('blog mail');
});

test('every word is looked for in name, address and labels', () => {
  expect(names(matching(all, 'EXAMPLE ops'))).toBe('mail blog');
  expect(names(matching(all, 'team=web'))).toBe('shop');
  expect(names(matching(all, ' '))).toBe('mail shop blog');
  expect(names(matching(all, 'nothing'))).toBe('');
});
