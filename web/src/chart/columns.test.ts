import { expect, test } from 'vitest';
import { append, fromSeries, latest, type Columns } from './columns';

const found = (value: string, job = 'a') => ({ metric: { job }, value: [0, value] as [number, string] });

test('points lie on steps and what is missing is a gap', () => {
  const columns = fromSeries([{ metric: { job: 'a' }, values: [[100, '1'], [120.001, '3'], [130, 'NaN']] }], {
    start: 100,
    end: 130,
    step: 10,
  });
  expect(columns.times).toEqual([100, 110, 120, 130]);
  expect(columns.series[0]!.values).toEqual([1, null, 3, null]);
});

test('a live point between two steps gives way to the next one', () => {
  let columns: Columns = { times: [60, 120], series: [{ metric: { job: 'a' }, values: [1, 2] }] };
  columns = append(columns, 125, [found('3')], 60, 0);
  expect(columns.times).toEqual([60, 120, 125]);
  columns = append(columns, 180, [found('4')], 60, 100);
  expect(columns.times).toEqual([120, 180]);
  expect(columns.series[0]!.values).toEqual([2, 4]);
  columns = append(columns, 185, [found('5')], 60, 100);
  expect(columns.times).toEqual([120, 180, 185]);
});

test('a series that comes later begins after a gap, one that ends goes on as one', () => {
  const columns = append({ times: [5], series: [{ metric: { job: 'a' }, values: [1] }] }, 10, [found('7', 'b')], 5, 0);
  expect(columns.series.map((one) => one.values)).toEqual([[1, null], [null, 7]]);
});

test('a message that is late changes nothing', () => {
  const columns: Columns = { times: [10], series: [] };
  expect(append(columns, 10, [found('1')], 5, 0)).toBe(columns);
});

test('the last value skips gaps', () => expect(latest([1, 2, null])).toBe(2));
