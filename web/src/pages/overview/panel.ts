// What the overview shows of a host: for each panel the expressions, and how their answers become lines.

import { latest, type Column, type Columns } from '../../chart/columns';
import { rateWindow } from '../../chart/ranges';
import { pen } from '../../chart/palette';
import { formatByteRate, formatBytes } from '../../format/bytes';
import { formatNumber } from '../../format/number';
import { formatPercent } from '../../format/percent';
import type { Line } from '../../parts/TimeChart.svelte';

export interface Panel {
  title: string;
  /** Given the labels that choose this host, such as `job="node",instance="vm"`, and the seconds of a step. */
  queries: (host: string, step: number) => string[];
  show: (answers: Columns[]) => Shown;
  stacked?: boolean;
  bytes?: boolean;
  min?: number;
  format: (value: number) => string;
  formatAxis?: (value: number) => string;
}

export interface Shown {
  lines: Line[];
  /** The number that is read first, and what it is of. */
  headline: string;
  of?: string;
  max?: number;
}

// What no one fills: memory, images, and what is mounted on demand.
export const REAL_DISKS = 'fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660|erofs|autofs|devtmpfs"';

// From the bottom of the stack up: what programs do, what the kernel does, what is waited for, what other machines took.
const KINDS: [string, string[]][] = [
  ['User', ['user', 'nice']],
  ['System', ['system', 'irq', 'softirq']],
  ['Waiting for disks', ['iowait']],
  ['Stolen', ['steal']],
];

// Less than this was stolen, in percent, from most machines; it is no line worth its colour.
const STOLEN_SEEN = 0.5;

export const cpu: Panel = {
  title: 'Processor',
  stacked: true,
  min: 0,
  queries: (host, step) => [
    `100 * avg by (mode) (rate(node_cpu_seconds_total{mode!="idle",${host}}[${rateWindow(step)}]))`,
  ],
  show: ([modes]) => {
    const lines = KINDS.flatMap(([label, names], index): Line[] => {
      const columns = (modes?.series ?? []).filter(({ metric }) => names.includes(metric.mode ?? ''));
      if (!modes || columns.length === 0) return [];
      const values = modes.times.map((_, at) => sum(columns.map((column) => column.values[at] ?? null)));
      return [{ label, values, ...pen(index) }];
    }).filter(({ label, values }) => label !== 'Stolen' || values.some((value) => value !== null && value >= STOLEN_SEEN));
    const whole = (modes?.times ?? []).map((_, at) => sum(lines.map((line) => line.values[at] ?? null)));
    const highest = Math.max(0, ...whole.map((value) => value ?? 0));
    const now = latest(whole);
    return {
      lines,
      headline: now === null ? '–' : formatPercent(now),
      // A quiet machine is seen too, and a busy one is measured against all it has.
      max: highest > 40 ? 100 : highest > 8 ? 50 : 10,
    };
  },
  format: formatPercent,
  formatAxis: (value) => `${value} %`,
};

export const memory: Panel = {
  title: 'Memory',
  stacked: true,
  bytes: true,
  min: 0,
  queries: (host) => [`{__name__=~"node_memory_(MemTotal|MemAvailable|MemFree)_bytes",${host}}`],
  show: ([answer]) => {
    const of = (name: string) => columnOf(answer, '__name__', `node_memory_${name}_bytes`)?.values;
    const [total, available, free] = [of('MemTotal'), of('MemAvailable'), of('MemFree')];
    if (!total || !available) return { lines: [], headline: '–' };
    const used = minus(total, available);
    const [usedNow, totalNow] = [latest(used), latest(total)];
    const lines: Line[] = [{ label: 'Used', values: used, ...pen(0) }];
    if (free) lines.push({ label: 'Cache, given back when needed', values: minus(available, free), ...pen(7) });
    if (usedNow === null || totalNow === null) return { lines, headline: '–' };
    return {
      lines,
      headline: formatPercent((100 * usedNow) / totalNow),
      of: `${formatBytes(usedNow)} of ${formatBytes(totalNow)}`,
      max: totalNow,
    };
  },
  format: formatBytes,
  formatAxis: formatBytes,
};

export const load: Panel = {
  title: 'Load',
  min: 0,
  queries: (host) => [
    `{__name__=~"node_load(1|5|15)",${host}}`,
    `count by (instance) (node_cpu_seconds_total{mode="idle",${host}})`,
  ],
  show: ([loads, processors]) => {
    const lines = ['1', '5', '15'].flatMap((minutes, index): Line[] => {
      const values = columnOf(loads, '__name__', `node_load${minutes}`)?.values;
      const dash = [[], [6, 3], [2, 3]][index]!;
      return values ? [{ label: `${minutes} min`, values, colour: `--series-${[1, 3, 8][index]}`, dash }] : [];
    });
    const count = processors?.series[0] ? latest(processors.series[0].values) : null;
    const now = lines[0] ? latest(lines[0].values) : null;
    return {
      lines,
      headline: now === null ? '–' : now.toFixed(2),
      of: count === null ? undefined : `on ${count} ${count === 1 ? 'processor' : 'processors'}`,
    };
  },
  format: (value) => value.toFixed(2),
  formatAxis: formatNumber,
};

export const network: Panel = {
  title: 'Network',
  bytes: true,
  queries: (host, step) => [
    `rate(node_network_receive_bytes_total{device!="lo",${host}}[${rateWindow(step)}])`,
    `-rate(node_network_transmit_bytes_total{device!="lo",${host}}[${rateWindow(step)}])`,
  ],
  show: ([received, sent]) => {
    const devices = [...new Set((received?.series ?? []).map(({ metric }) => metric.device ?? ''))].sort();
    const moves = (device: string) =>
      [received, sent].some((one) => columnOf(one, 'device', device)?.values.some((value) => value !== null && value !== 0));
    const moving = devices.filter(moves);
    const shown = moving.length > 0 ? moving : devices.slice(0, 1);
    const lines = shown.flatMap((device, index): Line[] => {
      const [down, up] = [columnOf(received, 'device', device), columnOf(sent, 'device', device)];
      const { colour, dash } = pen(2 * index);
      return [
        ...(down ? [{ label: `${device} in`, values: down.values, colour, dash, filled: true }] : []),
        ...(up ? [{ label: `${device} out`, values: up.values, ...pen(2 * index + 1), filled: true }] : []),
      ];
    });
    const total = (columns: Columns | undefined) =>
      (columns?.series ?? []).reduce((sum, { values }) => sum + Math.abs(latest(values) ?? 0), 0);
    return {
      lines,
      headline: lines.length > 0 ? formatByteRate(total(received)) : '–',
      of: lines.length > 0 ? `in, ${formatByteRate(total(sent))} out` : undefined,
    };
  },
  // What is sent is drawn below the line.
  format: (value) => formatByteRate(Math.abs(value)),
  formatAxis: (value) => formatBytes(Math.abs(value)),
};

export interface Disk {
  mountpoint: string;
  device: string;
  size: number;
  available: number;
  percent: number;
}

export const disks: Panel = {
  title: 'Disks',
  min: 0,
  queries: (host) => [`{__name__=~"node_filesystem_(size|free|avail)_bytes",${REAL_DISKS},${host}}`],
  show: ([answer]) => {
    const lines = fileSystems(answer).map(({ size, free, available }, index): Line => {
      const values = size.values.map((bytes, at) => percentUsed(bytes, free.values[at], available.values[at]));
      return { label: size.metric.mountpoint ?? '', values, ...pen(index) };
    });
    const fullest = Math.max(...lines.map((line) => latest(line.values) ?? 0));
    return { lines, headline: lines.length > 0 ? formatPercent(fullest) : '–', of: lines.length > 1 ? 'the fullest' : undefined, max: 100 };
  },
  format: formatPercent,
  formatAxis: (value) => `${value} %`,
};

/** Each file system as it is now, the fullest first. */
export function disksNow(answer: Columns | undefined): Disk[] {
  return fileSystems(answer)
    .flatMap(({ size, free, available }): Disk[] => {
      const [all, left] = [latest(size.values), latest(available.values)];
      const percent = percentUsed(all, latest(free.values), left);
      if (all === null || left === null || percent === null) return [];
      const { mountpoint = '', device = '' } = size.metric;
      return [{ mountpoint, device, size: all, available: left, percent }];
    })
    .sort((a, b) => b.percent - a.percent);
}

/** As `df` shows it: what is kept for root is neither used nor free. */
function percentUsed(size: number | null, free: number | null | undefined, available: number | null | undefined): number | null {
  if (size === null || free === null || free === undefined || available === null || available === undefined) return null;
  const used = size - free;
  return used + available > 0 ? (100 * used) / (used + available) : null;
}

interface FileSystem {
  size: Column;
  free: Column;
  available: Column;
}

function fileSystems(answer: Columns | undefined): FileSystem[] {
  const named = (name: string) => (answer?.series ?? []).filter(({ metric }) => metric.__name__ === `node_filesystem_${name}_bytes`);
  const [frees, availables] = [named('free'), named('avail')];
  return named('size').flatMap((size) => {
    const { mountpoint, device } = size.metric;
    const isSame = ({ metric }: Column) => metric.mountpoint === mountpoint && metric.device === device;
    const [free, available] = [frees.find(isSame), availables.find(isSame)];
    return free && available ? [{ size, free, available }] : [];
  });
}

function columnOf(columns: Columns | undefined, label: string, value: string): Column | undefined {
  return columns?.series.find(({ metric }) => metric[label] === value);
}

/** The sum of what is there; a gap if nothing is. */
function sum(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}

function minus(from: (number | null)[], take: (number | null)[]): (number | null)[] {
  return from.map((value, index) => {
    const taken = take[index];
    return value === null || taken === null || taken === undefined ? null : Math.max(0, value - taken);
  });
}
