import { beforeEach, expect, test, vi } from 'vitest';
import type { Listener, QueryMessage } from './messages';

const feed: { listener: Listener<QueryMessage> | null } = { listener: null };
const queryRange = vi.fn(() => Promise.resolve([]));

vi.mock('./socket.svelte', () => ({
  socket: {
    subscribe: (_: unknown, listener: Listener<QueryMessage>) => {
      feed.listener = listener;
      return () => {};
    },
  },
}));
vi.mock('../api/query', () => ({ queryRange }));

beforeEach(() => {
  vi.useFakeTimers();
  queryRange.mockClear();
});

test('a query that failed once is not polled any more when its points come again', async () => {
  const { LiveRange } = await import('./range.svelte');
  new LiveRange('up', 300).run();
  await vi.advanceTimersByTimeAsync(0);
  feed.listener!.refused!('too many queries at once');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(queryRange).toHaveBeenCalledTimes(3);
  feed.listener!.message({ time: 1, resultType: 'vector', result: [] });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(queryRange).toHaveBeenCalledTimes(3);
});
