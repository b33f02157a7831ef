// `api/v1/monitors`: what is checked, how it is and was.

import { get } from './api';
import type { Labels } from './query';

export type MonitorState = 'up' | 'down' | 'pending' | 'unknown';

export interface Check {
  at: string;
  duration_seconds: number;
  outcome: 'success' | 'failure' | 'own_trouble';
  cause: string;
}

/** Shares of the time of which something is known, from 0 to 1. */
export interface Uptime {
  '24h': number | null;
  '7d': number | null;
  '30d': number | null;
}

export interface Bar {
  start: string;
  step_seconds: number;
  /** Oldest first; null where nothing is known. */
  uptime: (number | null)[];
}

/** What the live feed sends after each check. */
export interface MonitorNow {
  name: string;
  type: string;
  url: string;
  labels: Labels;
  interval_seconds: number;
  state: MonitorState;
  since: string;
  cause: string;
  last_check: Check | null;
}

export interface Monitor extends MonitorNow {
  uptime: Uptime;
  bar: Bar;
}

export interface Transition {
  number: number;
  from: MonitorState;
  to: MonitorState;
  at: string;
  since: string;
  cause: string;
}

export interface MonitorDetail {
  monitor: Monitor;
  transitions: Transition[];
}

export async function fetchMonitors(signal?: AbortSignal): Promise<Monitor[]> {
  return (await get<{ monitors: Monitor[] }>('monitors', {}, signal)).monitors;
}

export function fetchMonitor(name: string, signal?: AbortSignal): Promise<MonitorDetail> {
  return get<MonitorDetail>(`monitors/${encodeURIComponent(name)}`, {}, signal);
}
