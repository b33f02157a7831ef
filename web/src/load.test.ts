import { expect, test, vi } from 'vitest';
import { Loaded } from './load.svelte';

/** Answers only when it is told to. */
function answers() {
  const waiting: ((data: string) => void)[] = [];
  const fetch = vi.fn(() => new Promise<string>((done) => waiting.push(done)));
  return { fetch, waiting };
}

const settle = () => new Promise((done) => setTimeout(done));

test('a first answer on its way is shown, and fetched anew after it', async () => {
  const { fetch, waiting } = answers();
  const loaded = new Loaded(fetch);
  void loaded.run();
  loaded.refresh();
  expect(fetch).toHaveBeenCalledOnce();
  waiting[0]!('first');
  await settle();
  expect(loaded.data).toBe('first');
  expect(loaded.loading).toBe(true);
  waiting[1]!('second');
  await settle();
  expect(loaded.data).toBe('second');
  expect(loaded.loading).toBe(false);
  expect(fetch).toHaveBeenCalledTimes(2);
});

test('a first answer that does not come is not waited for twice, and a later one not at all', async () => {
  const { fetch, waiting } = answers();
  const loaded = new Loaded(fetch);
  void loaded.run();
  loaded.refresh();
  loaded.refresh();
  expect(fetch).toHaveBeenCalledTimes(2);
  waiting[1]!('second');
  await settle();
  loaded.refresh();
  loaded.refresh();
  expect(fetch).toHaveBeenCalledTimes(4);
  waiting[2]!('given up');
  waiting[3]!('fourth');
  await settle();
  expect(loaded.data).toBe('fourth');
});
