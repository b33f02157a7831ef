// Lengths of time: Prometheus' notation (`1h30m`) and what people read.

const UNITS: [string, number][] = [
  ['y', 365 * 86_400],
  ['w', 7 * 86_400],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** Seconds of `90`, `15s`, `1h30m` or `500ms`; null for what is no duration above 0. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) || null;
  const parts = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(trimmed);
  if (!parts || trimmed === '') return null;
  let seconds = Number(parts[7] ?? 0) / 1000;
  UNITS.forEach(([, size], index) => (seconds += Number(parts[index + 1] ?? 0) * size));
  return seconds || null;
}

/** Seconds in Prometheus' notation: `1h30m`. Parts of a second are kept to the millisecond. */
export function writeDuration(seconds: number): string {
  let rest = Math.round(seconds * 1000);
  let text = '';
  for (const [unit, size] of UNITS) {
    // A year and a week are rarely meant: 8d is plainer than 1w1d.
    if ((unit === 'y' || unit === 'w') && rest % (size * 1000) !== 0) continue;
    const count = Math.floor(rest / (size * 1000));
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size * 1000;
  }
  if (rest > 0) text += `${rest}ms`;
  return text || '0s';
}

/** Seconds as people say them, the two largest units: `3 d 4 h`, `12 s`. */
export function spellDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return join(hours, 'h', minutes % 60, 'min');
  const days = Math.floor(hours / 24);
  return days < 10 ? join(days, 'd', hours % 24, 'h') : `${days} d`;
}

/** How long something took: `0.42 ms`, `12 ms`, `1.24 s`. */
export function formatLatency(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '–';
  const milliseconds = seconds * 1000;
  if (milliseconds === 0) return '0 ms';
  if (milliseconds < 1) return `${milliseconds.toFixed(2)} ms`;
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  return seconds < 60 ? `${seconds.toFixed(2)} s` : spellDuration(seconds);
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
