// Answers of range queries as a chart wants them: one list of times, and for each series a value or a gap at each time.

import type { Instant, Labels, Series, Span } from '../api/query';
import { parseValue } from '../format/number';

export interface Column {
  metric: Labels;
  /** Null is a gap. */
  values: (number | null)[];
}

export interface Columns {
  /** Seconds since 1970, rising. */
  times: number[];
  series: Column[];
}

export const NO_COLUMNS: Columns = { times: [], series: [] };

/** Puts the points of each series on the steps of the span. */
export function fromSeries(series: Series[], span: Span): Columns {
  const steps = Math.floor((span.end - span.start) / span.step + 1e-6) + 1;
  const times = Array.from({ length: steps }, (_, index) => span.start + index * span.step);
  return {
    times,
    series: series.map(({ metric, values }) => {
      const column: (number | null)[] = new Array<number | null>(steps).fill(null);
      for (const [time, text] of values) {
        const index = Math.round((time - span.start) / span.step);
        if (index >= 0 && index < steps) column[index] = drawable(text);
      }
      return { metric, values: column };
    }),
  };
}

/**
 * Adds what a live query found at a moment, and drops what is older than `from`. A last point that does not lie on a
 * multiple of `step` was only there until the next one, so that a long range stays as coarse as it was fetched.
 */
export function append(columns: Columns, time: number, found: Instant[], step: number, from: number): Columns {
  const last = columns.times.at(-1);
  if (last !== undefined && time <= last) return columns;
  const end = last !== undefined && last % step !== 0 ? columns.times.length - 1 : columns.times.length;
  let start = 0;
  while (start < end && columns.times[start]! < from) start += 1;
  const waiting = new Map(found.map((one) => [seriesKey(one.metric), one]));
  const gap = new Array<number | null>(end - start).fill(null);
  const series: Column[] = [];
  for (const column of columns.series) {
    const key = seriesKey(column.metric);
    const one = waiting.get(key);
    waiting.delete(key);
    const values = column.values.slice(start, end);
    values.push(one ? drawable(one.value[1]) : null);
    series.push({ metric: column.metric, values });
  }
  for (const one of waiting.values()) {
    series.push({ metric: one.metric, values: [...gap, drawable(one.value[1])] });
  }
  return { times: [...columns.times.slice(start, end), time], series };
}

export function seriesKey(metric: Labels): string {
  const names = Object.keys(metric).sort();
  return names.map((name) => `${name}\u0001${metric[name]}`).join('\u0002');
}

/** The last value that is there. */
export function latest(values: (number | null)[]): number | null {
  for (let index = values.length - 1; index >= 0; index -= 1) {
    const value = values[index];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

/** Neither NaN nor infinity has a place on an axis. */
function drawable(text: string): number | null {
  const value = parseValue(text);
  return Number.isFinite(value) ? value : null;
}
