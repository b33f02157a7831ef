// Shares of a hundred.

/** A share from 0 to 1 of uptime. It is cut off, not rounded: only what never failed is 100 %. */
export function formatUptime(share: number | null): string {
  if (share === null) return '–';
  if (share >= 1) return '100 %';
  return `${(Math.floor(share * 10_000 + 1e-9) / 100).toFixed(2)} %`;
}

/** A number of percent: `12.3 %`. */
export function formatPercent(percent: number): string {
  return Number.isFinite(percent) ? `${percent.toFixed(1)} %` : '–';
}
