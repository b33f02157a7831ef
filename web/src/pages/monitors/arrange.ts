// Which monitors the table shows, in which order, as the address says.

import type { Monitor, MonitorState } from '../../api/monitors';

export const STATES: MonitorState[] = ['down', 'pending', 'unknown', 'up'];

export type Sort = 'state' | 'name' | 'latency' | '24h' | '7d' | '30d';
export const SORTS: Sort[] = ['state', 'name', 'latency', '24h', '7d', '30d'];

export interface Wanted {
  search: string;
  state: MonitorState | null;
  sort: Sort;
  /** The other way round. */
  reverse: boolean;
}

/** Every word must be in the name, the address or a label. */
export function matching(monitors: Monitor[], search: string): Monitor[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return monitors;
  return monitors.filter((monitor) => {
    const labels = Object.entries(monitor.labels).map(([name, value]) => `${name}=${value}`);
    const text = [monitor.name, monitor.url, ...labels].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The worst first, unless reversed; names decide between equals. */
export function arrange(monitors: Monitor[], { state, sort, reverse }: Omit<Wanted, 'search'>): Monitor[] {
  const chosen = state === null ? monitors.slice() : monitors.filter((monitor) => monitor.state === state);
  const sign = reverse ? -1 : 1;
  return chosen.sort((a, b) => sign * compare(a, b, sort) || (a.name < b.name ? -1 : 1));
}

function compare(a: Monitor, b: Monitor, sort: Sort): number {
  switch (sort) {
    case 'state':
      return STATES.indexOf(a.state) - STATES.indexOf(b.state);
    case 'name':
      return a.name === b.name ? 0 : a.name < b.name ? -1 : 1;
    case 'latency':
      return (b.last_check?.duration_seconds ?? -1) - (a.last_check?.duration_seconds ?? -1);
    default:
      // What is not known is neither good nor bad: it comes last.
      return (a.uptime[sort] ?? 2) - (b.uptime[sort] ?? 2);
  }
}
