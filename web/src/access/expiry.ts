// How long something is still good, in words.

import { spellDuration } from '../format/duration';

// Enough to put another in its place without haste.
const SOON_S = 7 * 86_400;

/** Of the end of a token, seconds since 1970; null is one that has none. */
export function remaining(expires: number | null, now: number): { text: string; tone: '' | 'warn' | 'down' } {
  if (expires === null) return { text: 'Never expires', tone: '' };
  const left = expires - now;
  if (left <= 0) return { text: 'Expired', tone: 'down' };
  return { text: `Expires in ${spellDuration(left)}`, tone: left < SOON_S ? 'warn' : '' };
}
