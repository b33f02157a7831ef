// All alerts that are pending or fire, fetched once and kept up by the live feed.

import { alertKey, fetchAlerts, type Alert } from '../api/alerts';
import { Loaded } from '../load.svelte';
import type { AlertMessage } from './messages';
import { socket } from './socket.svelte';

class Alerts {
  readonly loaded = new Loaded<Alert[]>(fetchAlerts);
  readonly firing = $derived((this.loaded.data ?? []).filter((alert) => alert.state === 'firing'));
  readonly pending = $derived((this.loaded.data ?? []).filter((alert) => alert.state === 'pending'));
  #users = 0;
  #stop: (() => void) | null = null;

  /** Keeps them up to date until the returned function is called. */
  use = (): (() => void) => {
    this.#users += 1;
    if (this.#users === 1) {
      this.#stop = socket.subscribe<AlertMessage>(
        { subscription: 'alerts' },
        { message: (alert) => this.#apply(alert), refresh: this.loaded.run },
      );
      void this.loaded.run();
    }
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      this.#stop?.();
      this.loaded.stop();
    };
  };

  #apply(message: AlertMessage): void {
    // What is being fetched may be older than this message: ask again rather than merge.
    if (this.loaded.loading) return void this.loaded.run();
    if (!this.loaded.data) return;
    const key = alertKey(message.labels);
    const index = this.loaded.data.findIndex((alert) => alertKey(alert.labels) === key);
    const next = this.loaded.data.slice();
    if (message.state === 'resolved' || message.state === 'inactive') {
      if (index >= 0) next.splice(index, 1);
    } else {
      const alert: Alert = { ...message, state: message.state };
      if (index >= 0) next[index] = alert;
      else next.push(alert);
    }
    this.loaded.data = next;
  }
}

export const alerts = new Alerts();
