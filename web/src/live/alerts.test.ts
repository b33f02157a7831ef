import { beforeEach, expect, test, vi } from 'vitest';
import type { Alert } from '../api/alerts';
import type { AlertMessage, Listener } from './messages';

const feed: { listener: Listener<AlertMessage> | null } = { listener: null };
const fetchAlerts = vi.fn<() => Promise<Alert[]>>();

vi.mock('./socket.svelte', () => ({
  socket: {
    subscribe: (_: unknown, listener: Listener<AlertMessage>) => {
      feed.listener = listener;
      return () => {};
    },
  },
}));
vi.mock('../api/alerts', async (original) => ({ ...(await original<object>()), fetchAlerts }));

function message(state: AlertMessage['state'], activeAt = '1'): AlertMessage {
  return { labels: { alertname: 'Full' }, annotations: {}, state, activeAt, value: '1' };
}

const firing = message('firing') as Alert;

async function start() {
  vi.resetModules();
  const { alerts } = await import('./alerts.svelte');
  alerts.use();
  await vi.advanceTimersByTimeAsync(0);
  return alerts;
}

beforeEach(() => {
  vi.useFakeTimers();
  fetchAlerts.mockReset().mockResolvedValue([firing]);
});

test('what waited when all is fetched anew is older than the answer', async () => {
  const alerts = await start();
  feed.listener!.message(message('resolved'));
  feed.listener!.refresh();
  await vi.advanceTimersByTimeAsync(1000);
  expect(alerts.loaded.data).toEqual([firing]);
});

test('what comes while all is fetched is applied to the answer', async () => {
  const alerts = await start();
  fetchAlerts.mockImplementation(() => new Promise((done) => setTimeout(() => done([firing]), 300)));
  feed.listener!.refresh();
  feed.listener!.message(message('resolved'));
  await vi.advanceTimersByTimeAsync(1000);
  expect(alerts.loaded.data).toEqual([]);
});

test('a change of one of two alerts with equal labels is fetched', async () => {
  const twin = { ...firing, activeAt: '2' };
  fetchAlerts.mockResolvedValueOnce([firing, twin]).mockResolvedValueOnce([twin]);
  const alerts = await start();
  feed.listener!.message(message('resolved'));
  await vi.advanceTimersByTimeAsync(1000);
  expect(alerts.loaded.data).toEqual([twin]);
  expect(fetchAlerts).toHaveBeenCalledTimes(2);
});
