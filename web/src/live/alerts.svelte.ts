// All alerts that are pending or fire, fetched once and kept up by the live feed.

import { alertKey, fetchAlerts, type Alert } from '../api/alerts';
import { Loaded } from '../load.svelte';
import type { AlertMessage } from './messages';
import { socket } from './socket.svelte';

// When a rule begins to fire for everything, thousands of messages come at once; they are shown together.
const GATHER_MS = 100;

class Alerts {
  readonly loaded = new Loaded<Alert[]>(fetchAlerts);
  readonly firing = $derived((this.loaded.data ?? []).filter((alert) => alert.state === 'firing'));
  readonly pending = $derived((this.loaded.data ?? []).filter((alert) => alert.state === 'pending'));
  #waiting: AlertMessage[] = [];
  #gather: ReturnType<typeof setTimeout> | undefined;
  #users = 0;
  #stop: (() => void) | null = null;

  /** Keeps them up to date until the returned function is called. */
  use = (): (() => void) => {
    this.#users += 1;
    if (this.#users === 1) {
      this.#stop = socket.subscribe<AlertMessage>(
        { subscription: 'alerts' },
        { message: (alert) => this.#receive(alert), refresh: this.loaded.run },
      );
      void this.loaded.run();
    }
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      this.#stop?.();
      this.loaded.stop();
      clearTimeout(this.#gather);
      this.#gather = undefined;
      this.#waiting = [];
    };
  };

  #receive(message: AlertMessage): void {
    this.#waiting.push(message);
    this.#gather ??= setTimeout(() => this.#apply(), GATHER_MS);
  }

  /** They come in order and none is missing, so replaying them over an answer that is newer than some ends right. */
  #apply(): void {
    this.#gather = undefined;
    if (this.loaded.loading) {
      this.#gather = setTimeout(() => this.#apply(), GATHER_MS);
      return;
    }
    const messages = this.#waiting;
    this.#waiting = [];
    if (!this.loaded.data) return;
    const known = new Map(this.loaded.data.map((alert) => [alertKey(alert.labels), alert]));
    for (const message of messages) {
      const key = alertKey(message.labels);
      if (message.state === 'resolved' || message.state === 'inactive') known.delete(key);
      else known.set(key, { ...message, state: message.state });
    }
    this.loaded.data = [...known.values()];
  }
}

export const alerts = new Alerts();
