// How messages of the live feed change the alerts that were fetched.

import { alertKey, type Alert } from '../api/alerts';
import type { AlertMessage } from './messages';

/**
 * The alerts after some changes, which come in order. Two rules may raise alerts with equal labels, and a message does
 * not tell of which it speaks: where that is in doubt all stays as it is, and `isSure` is false.
 */
export function follow(alerts: Alert[], messages: AlertMessage[]): { alerts: Alert[]; isSure: boolean } {
  let isSure = true;
  const known = new Map<string, Alert[]>();
  for (const alert of alerts) {
    const key = alertKey(alert.labels);
    known.set(key, [...(known.get(key) ?? []), alert]);
  }
  for (const message of messages) {
    const key = alertKey(message.labels);
    // An alert keeps the moment at which it became active, whatever becomes of it.
    if (known.get(key)?.some((alert, index) => index > 0 || alert.activeAt !== message.activeAt)) {
      isSure = false;
    } else {
      const { state } = message;
      known.set(key, state === 'resolved' || state === 'inactive' ? [] : [{ ...message, state }]);
    }
  }
  return { alerts: [...known.values()].flat(), isSure };
}
