// `api/v1/alerts`: what is pending or fires, of rules and of monitors.

import { get } from './api';
import type { Labels } from './query';

export interface Alert {
  labels: Labels;
  annotations: Labels;
  state: 'pending' | 'firing';
  activeAt: string;
  value: string;
}

export async function fetchAlerts(signal?: AbortSignal): Promise<Alert[]> {
  return (await get<{ alerts: Alert[] }>('alerts', {}, signal)).alerts;
}

/** What tells one alert from another. */
export function alertKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
