// How long to wait before the next attempt.

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/**
 * Milliseconds before attempt number `attempt` + 1. They double, and up to half of them is left to chance (0 to 1), so
 * that after a restart of the server not all browsers come at once.
 */
export function delay(attempt: number, chance: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return full / 2 + (full / 2) * chance;
}
