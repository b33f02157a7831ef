import { expect, test, vi } from 'vitest';
import type { Alert } from '../../api/alerts';

// The router reads the browser's address, which a test has not.
vi.mock('../../router.svelte', () => ({ href: (page: string, query: Record<string, string>) => `./${page}?${new URLSearchParams(query)}` }));
const { expressions, groupAlerts, sourceOf } = await import('./grouping');

function alert(alertname: string, state: Alert['state'], activeAt = '', more = {}): Alert {
  return { labels: { alertname, ...more }, annotations: {}, state, activeAt, value: '1' };
}

test('groups that fire come first, and in them what fires longest', () => {
  const groups = groupAlerts([
    alert('A', 'pending', '1'),
    alert('B', 'pending', '1'),
    alert('B', 'firing', '3', { x: '3' }),
    alert('B', 'firing', '2', { x: '2' }),
  ]);
  expect(groups.map(({ name, firing }) => [name, firing])).toEqual([['B', 2], ['A', 0]]);
  expect(groups[0]!.alerts.map(({ activeAt }) => activeAt)).toEqual(['2', '3', '1']);
});

test('alerts with equal labels, as of two rules of one name, have different keys', () => {
  const [group] = groupAlerts([alert('A', 'firing', '1'), alert('A', 'firing', '2'), alert('A', 'firing', '2', { x: '1' })]);
  expect(new Set(group!.alerts.map(({ key }) => key)).size).toBe(3);
});

test('an alert leads to its monitor or to the expression of its rule', () => {
  const rule = { type: 'alerting' as const, name: 'Full', query: 'a > 1', health: 'ok' as const, lastEvaluation: '', evaluationTime: 0 };
  const group = { name: 'g', file: '', interval: 60, lastEvaluation: '', evaluationTime: 0 };
  const rules = expressions([{ ...group, rules: [{ ...rule, type: 'recording', query: 'no' }, rule, { ...rule, query: 'second' }] }]);
  expect(sourceOf(alert('Full', 'firing'), rules)?.href).toBe('./explore?query=a+%3E+1');
  expect(sourceOf(alert('MonitorDown', 'firing', '', { monitor: 'a b' }), rules)?.href).toBe('./monitor?name=a+b');
  expect(sourceOf(alert('Gone', 'firing'), rules)).toBeNull();
});
