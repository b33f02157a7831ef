// Numbers without a known unit: as many digits as one reads, not as many as there are.

/** Reads a number as Prometheus writes it: `1.5`, `NaN`, `+Inf`. */
export function parseValue(text: string | number): number {
  if (typeof text === 'number') return text;
  if (text === '+Inf' || text === 'Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}

/** `1,234`, `0.0123`, `1.2e+21`; five significant digits. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '−Inf';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e15 || size < 1e-6) return value.toExponential(3).replace('-', '−');
  if (Number.isInteger(value)) return group(value);
  if (size >= 10_000) return group(Math.round(value));
  return trimZeros(value.toPrecision(5)).replace('-', '−');
}

/** For an axis, where there is little room: `1.5 k`, `20 M`. */
export function formatShort(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(0);
  for (const [unit, scale] of SCALES) {
    if (size >= scale) return `${trimZeros((value / scale).toPrecision(3))} ${unit}`;
  }
  if (size !== 0 && size < 1e-3) return value.toExponential(0);
  return String(Number(value.toPrecision(3)));
}

/** A count with its word: `1 monitor`, `1,000 monitors`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${group(number)} ${number === 1 ? one : many}`;
}

const SCALES: [string, number][] = [
  ['T', 1e12],
  ['G', 1e9],
  ['M', 1e6],
  ['k', 1e3],
];

function group(value: number): string {
  return value.toLocaleString('en-GB').replace('-', '−');
}

function trimZeros(text: string): string {
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text;
}
