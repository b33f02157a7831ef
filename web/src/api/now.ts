// The time of the server, whose moments all figures bear: a browser's clock may be minutes away from it.

// Such a difference only moves a chart by a live point.
const WRONG_S = 5;

let offset = 0;

/** Seconds since 1970, as the server counts them. */
export function now(): number {
  return Date.now() / 1000 + offset;
}

/** Learns from an answer's `Date`, and when it was asked for and came by the browser's clock, in milliseconds. */
export function learn(date: string | null, asked: number, came: number): void {
  const said = Date.parse(date ?? '');
  // It was said at some moment of that second, and between the two.
  if (said) offset = Math.min(Math.max(offset, (said - came) / 1000), (said + 1000 - asked) / 1000);
}

/** What is asked for a time; once more if the answer told that the time was wrong. */
export async function askNow<T>(ask: (now: number) => Promise<T>): Promise<T> {
  const before = offset;
  const answer = await ask(now());
  return Math.abs(offset - before) > WRONG_S ? ask(now()) : answer;
}
