// All alerts that are pending or fire, fetched once and kept up by the live feed.

import { fetchAlerts, type Alert } from '../api/alerts';
import { Loaded } from '../load.svelte';
import { follow } from './changes';
import type { AlertMessage } from './messages';
import { socket } from './socket.svelte';
import { whileUsed } from './used';

// When a rule begins to fire for everything, thousands of messages come at once; they are shown together.
const GATHER_MS = 100;

// Changes of alerts with equal labels share a fetch.
const DOUBT_MS = 500;

class Alerts {
  readonly loaded = new Loaded<Alert[]>(fetchAlerts);
  readonly firing = $derived((this.loaded.data ?? []).filter((alert) => alert.state === 'firing'));
  readonly pending = $derived((this.loaded.data ?? []).filter((alert) => alert.state === 'pending'));
  #waiting: AlertMessage[] = [];
  #gather: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  /** Keeps them up to date until the returned function is called. */
  use = whileUsed(() => {
    const stop = socket.subscribe<AlertMessage>(
      { subscription: 'alerts' },
      { message: (alert) => this.#receive(alert), refresh: () => this.#refresh() },
    );
    void this.loaded.run();
    return () => {
      stop();
      this.loaded.stop();
      clearTimeout(this.#gather);
      clearTimeout(this.#again);
      this.#gather = this.#again = undefined;
      this.#waiting = [];
    };
  });

  /** What waits is older than what is fetched now. */
  #refresh(): void {
    this.#waiting = [];
    this.loaded.refresh();
  }

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
    const { alerts: next, isSure } = follow(this.loaded.data, messages);
    this.loaded.data = next;
    if (!isSure) {
      this.#again ??= setTimeout(() => {
        this.#again = undefined;
        void this.loaded.run();
      }, DOUBT_MS);
    }
  }
}

export const alerts = new Alerts();
