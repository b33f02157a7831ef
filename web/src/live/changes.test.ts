import { expect, test } from 'vitest';
import type { Alert } from '../api/alerts';
import { follow } from './changes';
import type { AlertMessage } from './messages';

function message(state: AlertMessage['state'], activeAt: string, alertname = 'Full'): AlertMessage {
  return { labels: { alertname, host: 'a' }, annotations: {}, state, activeAt, value: '1' };
}

const alert = (state: Alert['state'], activeAt: string, alertname?: string) => message(state, activeAt, alertname) as Alert;
const shown = (alerts: Alert[]) => alerts.map(({ labels, state, activeAt }) => `${labels.alertname} ${state} ${activeAt}`);

test('alerts begin, fire and end', () => {
  const first = follow([alert('firing', '1', 'Other')], [message('pending', '2'), message('firing', '2')]);
  expect(shown(first.alerts)).toEqual(['Other firing 1', 'Full firing 2']);
  expect(first.isSure).toBe(true);
  const second = follow(first.alerts, [message('resolved', '2'), message('inactive', '7', 'Unknown')]);
  expect(shown(second.alerts)).toEqual(['Other firing 1']);
  expect(second.isSure).toBe(true);
});

test('of two alerts with equal labels none goes by a message that may mean the other', () => {
  const twins = [alert('firing', '1'), alert('firing', '2')];
  expect(follow(twins, [message('resolved', '1')])).toEqual({ alerts: twins, isSure: false });
});

test('a message of another alert with equal labels neither ends nor replaces the one that is known', () => {
  const one = [alert('firing', '1')];
  expect(follow(one, [message('resolved', '2')])).toEqual({ alerts: one, isSure: false });
  expect(follow(one, [message('firing', '2')])).toEqual({ alerts: one, isSure: false });
});
