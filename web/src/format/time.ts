// Moments, in the reader's own time zone and the order that sorts: 2026-11-21 14:05:09.

import { spellDuration } from './duration';

/** Seconds since 1970 of an RFC 3339 text; null for none, and for Prometheus' year 1. */
export function parseMoment(text: string | null | undefined): number | null {
  if (!text || text.startsWith('0001-')) return null;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? null : milliseconds / 1000;
}

/** `2026-11-21 14:05:09` */
export function formatMoment(seconds: number): string {
  return `${formatDay(seconds)} ${formatClock(seconds)}`;
}

/** `14:05:09` */
export function formatClock(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `2026-11-21` */
export function formatDay(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `2026-11-21T14:05:09`, what an input of kind datetime-local takes. */
export function formatInput(seconds: number): string {
  return `${formatDay(seconds)}T${formatClock(seconds)}`;
}

/** `3 min ago`; `now` within two seconds, and for clocks that are a little ahead. */
export function formatAgo(seconds: number, now: number): string {
  const age = now - seconds;
  return age < 2 ? 'now' : `${spellDuration(age)} ago`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
