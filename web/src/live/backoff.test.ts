import { expect, test } from 'vitest';
import { delay } from './backoff';

test('pauses double up to half a minute and are spread', () => {
  expect(delay(0, 1)).toBe(1000);
  expect(delay(0, 0)).toBe(500);
  expect(delay(3, 1)).toBe(8000);
  expect(delay(5, 1)).toBe(30_000);
  expect(delay(5000, 0)).toBe(15_000);
});
