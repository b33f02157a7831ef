import { expect, test } from 'vitest';
import { whileUsed } from './used';

test('it begins with the first user, ends with the last, and can begin again', () => {
  const seen: string[] = [];
  const use = whileUsed(() => {
    seen.push('begin');
    return () => seen.push('end');
  });
  const [first, second] = [use(), use()];
  expect(seen).toEqual(['begin']);
  first();
  expect(seen).toEqual(['begin']);
  second();
  expect(seen).toEqual(['begin', 'end']);
  use()();
  expect(seen).toEqual(['begin', 'end', 'begin', 'end']);
});
