import { beforeEach, expect, test, vi } from 'vitest';
import type { Span } from '../api/query';
import type { Listener, QueryMessage } from './messages';

const feed: { listener: Listener<QueryMessage> | null } = { listener: null };
const queryRange = vi.fn((_query: string, _span: Span) => Promise.resolve([]));

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

test('what is fetched ends now as the server counts it, not the browser', async () => {
  const { learn } = await import('../api/now');
  const { LiveRange } = await import('./range.svelte');
  const server = Date.parse('2026-11-21T17:00:00Z');
  vi.setSystemTime(server - 600_000);
  learn(new Date(server).toUTCString(), Date.now(), Date.now());
  new LiveRange('up', 300).run();
  expect(Math.abs(queryRange.mock.lastCall![1].end - server / 1000)).toBeLessThan(6);
});
