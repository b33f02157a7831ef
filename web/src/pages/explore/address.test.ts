import { expect, test } from 'vitest';
import { readAddress, stepOf, zoomOut } from './address';

const read = (text: string) => {
  const parameters = new URLSearchParams(text);
  return readAddress((name) => parameters.get(name) ?? '');
};

test('an address says what is asked', () => {
  expect(read('query=up&range=6h&end=1795250235&step=30s&tab=table&live=1')).toEqual({
    query: 'up',
    range: 21_600,
    end: 1795250235,
    step: 30,
    tab: 'table',
    live: true,
  });
  expect(read('end=2026-11-21T08:37:15Z').end).toBe(1795250235);
});

test('what an address does not say, or says wrongly, has a default', () => {
  expect(read('range=x&end=y&step=z&tab=q')).toEqual({ query: '', range: 3600, end: null, step: null, tab: 'graph', live: false });
});

test('no step asks for more points than the server gives', () => {
  expect(stepOf(read('range=1h'))).toBe(10);
  expect(stepOf(read('range=24h&step=1s'))).toBe(8.64);
});

test('zooming out doubles the range around its middle, up to now', () => {
  expect(zoomOut(100, 1000, 5000)).toEqual({ range: 200, end: 1050 });
  expect(zoomOut(100, 990, 1000)).toEqual({ range: 200, end: null });
  expect(zoomOut(100, null, 1000)).toEqual({ range: 200, end: null });
});
