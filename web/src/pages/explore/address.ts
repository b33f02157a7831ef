// What Explore asks, as its address says; everything is in it, so that a link shows the same to someone else.

import { stepFor } from '../../chart/ranges';
import { parseDuration } from '../../format/duration';

export interface Wanted {
  query: string;
  /** Seconds. */
  range: number;
  /** Seconds since 1970; null is now, whenever that is. */
  end: number | null;
  /** Seconds; null chooses one that fits the range. */
  step: number | null;
  tab: 'graph' | 'table';
  live: boolean;
}

export const DEFAULT_RANGE = 3600;

// Below this a chart has fewer points than it has room; a year is the most anyone keeps.
const RANGE_MIN = 10;
const RANGE_MAX = 366 * 86_400;

// The server's limit is 11,000.
const POINTS_MAX = 10_000;

export function readAddress(get: (name: string) => string): Wanted {
  const end = get('end');
  const seconds = /^\d+(\.\d+)?$/.test(end) ? Number(end) : Date.parse(end) / 1000;
  return {
    query: get('query'),
    range: clampRange(parseDuration(get('range')) ?? DEFAULT_RANGE),
    end: Number.isFinite(seconds) ? seconds : null,
    step: parseDuration(get('step')),
    tab: get('tab') === 'table' ? 'table' : 'graph',
    live: get('live') === '1',
  };
}

export function clampRange(seconds: number): number {
  return Math.min(RANGE_MAX, Math.max(RANGE_MIN, Math.round(seconds)));
}

/** The step that is asked for; one that would give too many points is made longer. */
export function stepOf({ range, step }: Wanted): number {
  return Math.max(step ?? stepFor(range, 1), range / POINTS_MAX);
}

/** Twice the range around the same middle; an end in the future is now. */
export function zoomOut(range: number, end: number | null, now: number): { range: number; end: number | null } {
  const wider = clampRange(range * 2);
  const later = (end ?? now) + (wider - range) / 2;
  return { range: wider, end: end === null || later >= now ? null : Math.round(later) };
}
