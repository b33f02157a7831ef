// Ranges of time that pages offer, and how fine a chart is drawn.

export interface Range {
  label: string;
  seconds: number;
}

export const RANGES: Range[] = [
  { label: '5m', seconds: 300 },
  { label: '15m', seconds: 900 },
  { label: '1h', seconds: 3600 },
  { label: '6h', seconds: 21_600 },
  { label: '24h', seconds: 86_400 },
];

// Finer than this a line is a band; and each point is work for the server.
const POINTS = 360;

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 240, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/** Seconds from one point to the next, at least `least`. */
export function stepFor(seconds: number, least = 5): number {
  const wanted = Math.max(least, seconds / POINTS);
  return STEPS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}

/** The window of a rate: at least a minute, so that it holds two samples of all but the slowest sources. */
export function rateWindow(step: number): string {
  return `${Math.max(60, 2 * step)}s`;
}
