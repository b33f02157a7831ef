// What the live feed `ws/metrics` sends, and what it is asked for.

import type { Alert } from '../api/alerts';
import type { MonitorNow } from '../api/monitors';
import type { Instant } from '../api/query';

export type Request =
  | { subscription: 'alerts' }
  | { subscription: 'monitors'; name?: string }
  | { subscription: 'query'; query: string; step?: string };

export type AlertMessage = Omit<Alert, 'state'> & { state: Alert['state'] | 'resolved' | 'inactive' };
export type MonitorMessage = { monitor: MonitorNow; removed?: undefined } | { removed: string };
export interface QueryMessage {
  time: number;
  resultType: string;
  result: Instant[];
}

export interface Listener<T> {
  /** A message of this subscription. */
  message(data: T): void;
  /** The subscription stands, or messages may be missing: fetch by HTTP what is shown. */
  refresh(): void;
  /** The server refused the subscription, or could not evaluate it this time. */
  refused?(reason: string): void;
}
