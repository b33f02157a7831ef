import { expect, test, vi } from 'vitest';
import type { Monitor } from '../api/monitors';
import type { Listener, MonitorMessage } from './messages';

const feed: { listener: Listener<MonitorMessage> | null } = { listener: null };
const up = { name: 'shop', state: 'up', last_check: null } as Monitor;

vi.mock('./socket.svelte', () => ({
  socket: {
    subscribe: (_: unknown, listener: Listener<MonitorMessage>) => {
      feed.listener = listener;
      return () => {};
    },
  },
}));
vi.mock('../api/monitors', () => ({ fetchMonitors: () => Promise.resolve([up]) }));

test('what waited when all is fetched anew is older than the answer', async () => {
  vi.useFakeTimers();
  const { monitors } = await import('./monitors.svelte');
  monitors.use();
  await vi.advanceTimersByTimeAsync(0);
  feed.listener!.message({ removed: 'shop' });
  feed.listener!.refresh();
  await vi.advanceTimersByTimeAsync(1000);
  expect(monitors.loaded.data).toEqual([up]);
  feed.listener!.message({ removed: 'shop' });
  await vi.advanceTimersByTimeAsync(1000);
  expect(monitors.loaded.data).toEqual([]);
});
