import { beforeEach, expect, test, vi } from 'vitest';

const SERVER = Date.parse('2026-11-21T17:00:00Z');

beforeEach(() => {
  vi.resetModules();
  vi.useFakeTimers({ now: SERVER });
});

const date = (ms: number) => new Date(ms).toUTCString();

test('a clock that is right within a second and the journey stays as it is', async () => {
  const { learn, now } = await import('./now');
  learn(date(SERVER), SERVER + 200, SERVER + 250);
  learn(date(SERVER), SERVER - 300, SERVER + 900);
  learn(null, SERVER, SERVER);
  learn('yesterday', SERVER, SERVER);
  expect(now()).toBe(SERVER / 1000);
});

test('a clock that is behind or ahead is corrected, the more answers the better', async () => {
  const { learn, now } = await import('./now');
  const behind = SERVER - 600_000;
  vi.setSystemTime(behind);
  // The server said so 0.4 s into its second, after a slow and after a quick journey.
  learn(date(SERVER), behind - 2000, behind + 3000);
  expect(Math.abs(now() - SERVER / 1000)).toBeLessThanOrEqual(3);
  learn(date(SERVER), behind + 400, behind + 420);
  expect(Math.abs(now() - SERVER / 1000)).toBeLessThanOrEqual(0.6);
  const ahead = SERVER + 600_000;
  vi.setSystemTime(ahead);
  learn(date(SERVER), ahead + 400, ahead + 420);
  expect(Math.abs(now() - SERVER / 1000)).toBeLessThanOrEqual(0.6);
});

test('what was asked for a wrong time is asked for once more', async () => {
  const { askNow, learn } = await import('./now');
  const asked: number[] = [];
  const ask = async (at: number) => {
    asked.push(Math.round(at - SERVER / 1000));
    learn(date(SERVER + 600_000), Date.now(), Date.now());
    return asked.length;
  };
  expect(await askNow(ask)).toBe(2);
  expect(asked).toEqual([0, 600]);
  expect(await askNow(ask)).toBe(3);
});
