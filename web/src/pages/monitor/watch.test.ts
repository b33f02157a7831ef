import { beforeEach, expect, test, vi } from 'vitest';
import type { MonitorDetail, MonitorNow } from '../../api/monitors';
import type { Listener, MonitorMessage } from '../../live/messages';

const feed: { listener: Listener<MonitorMessage> | null } = { listener: null };
const fetchMonitor = vi.fn<(name: string, signal: AbortSignal) => Promise<MonitorDetail>>();

vi.mock('../../live/socket.svelte', () => ({
  socket: {
    subscribe: (_: unknown, listener: Listener<MonitorMessage>) => {
      feed.listener = listener;
      return () => {};
    },
  },
}));
vi.mock('../../api/monitors', () => ({ fetchMonitor }));
const { WatchedMonitor } = await import('./watch.svelte');

const detail = { monitor: { name: 'shop', state: 'up', cause: 'a', uptime: { '24h': 1 } }, transitions: [] } as unknown as MonitorDetail;
const check = (state: string) => ({ monitor: { name: 'shop', state, cause: 'b' } as MonitorNow });

beforeEach(() => {
  vi.useFakeTimers();
  fetchMonitor.mockReset().mockImplementation(() => new Promise((done) => setTimeout(() => done(detail), 100)));
});

test('a check during the first fetch does not begin it anew', async () => {
  new WatchedMonitor('shop').run();
  feed.listener!.message(check('up'));
  expect(fetchMonitor).toHaveBeenCalledOnce();
  expect(fetchMonitor.mock.lastCall![1].aborted).toBe(false);
});

test('a check is shown at once, a change of state is fetched', async () => {
  const watched = new WatchedMonitor('shop');
  watched.run();
  await vi.advanceTimersByTimeAsync(100);
  feed.listener!.message(check('up'));
  expect(watched.loaded.data!.monitor).toMatchObject({ cause: 'b', uptime: { '24h': 1 } });
  expect(fetchMonitor).toHaveBeenCalledOnce();
  feed.listener!.message(check('down'));
  expect(fetchMonitor).toHaveBeenCalledTimes(2);
});

test('uptime and bar move, though nothing changes', async () => {
  const stop = new WatchedMonitor('shop').run();
  await vi.advanceTimersByTimeAsync(300_000);
  expect(fetchMonitor).toHaveBeenCalledTimes(2);
  stop();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(fetchMonitor).toHaveBeenCalledTimes(2);
});
