// Bytes in powers of 1024, as memory and file systems count them.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `0 B`, `512 B`, `1.5 MiB`, `252 GiB`: three digits. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return '–';
  let size = Math.abs(bytes);
  let unit = 0;
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const sign = bytes < 0 ? '−' : '';
  return `${sign}${size.toFixed(digits).replace(/\.0+$/, '')} ${UNITS[unit]}`;
}

/** Bytes each second. */
export function formatByteRate(rate: number): string {
  return Number.isFinite(rate) ? `${formatBytes(rate)}/s` : '–';
}
