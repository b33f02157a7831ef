import { describe, expect, test } from 'vitest';
import { formatByteRate, formatBytes } from './bytes';
import { formatLatency, parseDuration, spellDuration, writeDuration } from './duration';
import { count, formatNumber, formatShort, parseValue } from './number';
import { formatPercent, formatUptime } from './percent';
import { formatAgo, formatMoment, parseMoment } from './time';

describe('durations', () => {
  test('what is written is read again', () => {
    for (const seconds of [0.5, 1, 15, 60, 90, 3600, 5400, 86_400, 8 * 86_400, 7 * 86_400, 365 * 86_400]) {
      expect(parseDuration(writeDuration(seconds))).toBe(seconds);
    }
  });
  test('a bare number is seconds', () => expect(parseDuration('90')).toBe(90));
  test('what is no duration is null', () => {
    for (const text of ['', 'x', '1x', 'h', '0', '0s', '-5m', '5m1h']) expect(parseDuration(text)).toBeNull();
  });
  test('weeks are days unless they are whole', () => {
    expect(writeDuration(14 * 86_400)).toBe('2w');
    expect(writeDuration(8 * 86_400)).toBe('8d');
  });
  test('people read the two largest units', () => {
    expect(spellDuration(-3)).toBe('0 s');
    expect(spellDuration(59.9)).toBe('59 s');
    expect(spellDuration(61)).toBe('1 min');
    expect(spellDuration(3600)).toBe('1 h');
    expect(spellDuration(3 * 86_400 + 4 * 3600)).toBe('3 d 4 h');
    expect(spellDuration(40 * 86_400 + 4 * 3600)).toBe('40 d');
  });
  test('latencies have three digits at most', () => {
    expect(formatLatency(null)).toBe('–');
    expect(formatLatency(0.00042)).toBe('0.42 ms');
    expect(formatLatency(0.0123)).toBe('12 ms');
    expect(formatLatency(1.239)).toBe('1.24 s');
  });
});

describe('numbers', () => {
  test("Prometheus' names for what is no number are read", () => {
    expect(parseValue('+Inf')).toBe(Infinity);
    expect(parseValue('-Inf')).toBe(-Infinity);
    expect(parseValue('NaN')).toBeNaN();
    expect(parseValue('7.8e-01')).toBe(0.78);
  });
  test('digits that nobody reads are left out', () => {
    expect(formatNumber(0.1 + 0.2)).toBe('0.3');
    expect(formatNumber(1234567)).toBe('1,234,567');
    expect(formatNumber(12345.678)).toBe('12,346');
    expect(formatNumber(-1.5)).toBe('−1.5');
    expect(formatNumber(100.0001)).toBe('100');
    expect(formatNumber(-Infinity)).toBe('−Inf');
  });
  test('an axis has short numbers', () => {
    expect(formatShort(1500)).toBe('1.5 k');
    expect(formatShort(2e7)).toBe('20 M');
    expect(formatShort(0.25)).toBe('0.25');
    expect(formatShort(100)).toBe('100');
  });
  test('one is singular', () => {
    expect(count(1, 'monitor')).toBe('1 monitor');
    expect(count(1000, 'monitor')).toBe('1,000 monitors');
    expect(count(2, 'series', 'series')).toBe('2 series');
  });
});

test('bytes count in powers of 1024', () => {
  expect(formatBytes(0)).toBe('0 B');
  expect(formatBytes(1023)).toBe('1 KiB');
  expect(formatBytes(1536)).toBe('1.50 KiB');
  expect(formatBytes(270553174016)).toBe('252 GiB');
  expect(formatBytes(-2048)).toBe('−2 KiB');
  expect(formatByteRate(1048576)).toBe('1 MiB/s');
});

test('uptime is never rounded up to 100 %', () => {
  expect(formatUptime(null)).toBe('–');
  expect(formatUptime(1)).toBe('100 %');
  expect(formatUptime(0.999999)).toBe('99.99 %');
  expect(formatUptime(0.9993)).toBe('99.93 %');
  expect(formatPercent(12.34)).toBe('12.3 %');
});

test('moments are read, shown and compared', () => {
  expect(parseMoment('0001-01-01T00:00:00Z')).toBeNull();
  expect(parseMoment(null)).toBeNull();
  const moment = new Date(2026, 10, 21, 14, 5, 9).getTime() / 1000;
  expect(formatMoment(moment)).toBe('2026-11-21 14:05:09');
  expect(formatAgo(moment, moment + 1)).toBe('now');
  expect(formatAgo(moment, moment + 200)).toBe('3 min ago');
});
