// `api/v1/notifications`: who was told what, and whether it arrived.

import { get } from './api';
import type { Labels } from './query';

export type DeliveryState = 'pending' | 'delivered' | 'failed';

export interface Notification {
  id: number;
  receiver: string;
  integration: string;
  target: string;
  groupLabels: Labels;
  reason: string;
  status: 'firing' | 'resolved';
  alerts: { labels: Labels; annotations: Labels; startsAt: string; endsAt: string | null }[];
  decidedAt: string;
  state: DeliveryState;
  attempts: number;
  error: string | null;
  finishedAt: string | null;
}

export interface NotificationPage {
  notifications: Notification[];
  /** `before` of the next page; null if this is the last one. */
  next: number | null;
}

export interface NotificationFilter {
  limit?: number;
  before?: number;
  receiver?: string;
  state?: DeliveryState;
}

export function fetchNotifications(filter: NotificationFilter, signal?: AbortSignal): Promise<NotificationPage> {
  return get<NotificationPage>('notifications', { ...filter }, signal);
}
