import { expect, test } from 'vitest';
import { describeSeries, findMistake } from './describe';

test('a series is written as one would ask for it', () => {
  expect(describeSeries({ __name__: 'up', job: 'a"b' })).toBe('up{job="a\\"b"}');
  expect(describeSeries({ __name__: 'up' })).toBe('up');
  expect(describeSeries({ mode: 'idle' })).toBe('{mode="idle"}');
  expect(describeSeries({})).toBe('{}');
});

test('the place of a mistake is found in the message', () => {
  const message = 'invalid parameter "query": 2:6: parse error: unclosed left parenthesis';
  expect(findMistake(message, 'sum(\n  a + (')).toEqual({
    message: 'unclosed left parenthesis',
    place: { line: '  a + (', before: 5, row: 2, column: 6 },
  });
});

test('a message without a place, or with one beyond the expression, stays as it is', () => {
  for (const message of ['the query ran out of time', 'invalid parameter "query": 9:1: parse error: x']) {
    expect(findMistake(message, 'up')).toEqual({ message, place: null });
  }
});
