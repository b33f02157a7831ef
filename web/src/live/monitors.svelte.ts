// All monitors, fetched once and kept up by the live feed.
//
// A thousand monitors send a hundred messages a second, so they are gathered and shown together. The feed has neither
// uptime nor bar; those are fetched anew now and then, and soon after a change of state.

import { fetchMonitors, type Monitor } from '../api/monitors';
import { Loaded } from '../load.svelte';
import type { MonitorMessage } from './messages';
import { socket } from './socket.svelte';
import { whileUsed } from './used';

// As often as an eye follows; more only costs battery.
const GATHER_MS = 500;

// A change of state is what the page is looked at for; those that come together are still shown together.
const SOON_MS = 30;

// A slot of the bar lasts half an hour.
const FETCH_MS = 300_000;

// A change of state is seen in the uptime; several changes share a fetch.
const CHANGE_MS = 5_000;

class Monitors {
  readonly loaded = new Loaded<Monitor[]>(fetchMonitors);
  #waiting = new Map<string, MonitorMessage>();
  #gather: ReturnType<typeof setTimeout> | undefined;
  #gatherAt = 0;
  #next: ReturnType<typeof setTimeout> | undefined;
  #nextAt = 0;

  /** Keeps them up to date until the returned function is called. */
  use = whileUsed(() => {
    const stop = socket.subscribe<MonitorMessage>(
      { subscription: 'monitors' },
      { message: (message) => this.#receive(message), refresh: () => this.#refresh() },
    );
    this.#fetch();
    return () => {
      stop();
      this.loaded.stop();
      clearTimeout(this.#gather);
      clearTimeout(this.#next);
      this.#gather = undefined;
      this.#waiting.clear();
    };
  });

  #fetch = (): void => {
    this.#fetchNext();
    void this.loaded.run();
  };

  /** What waits is older than what is fetched now. */
  #refresh = (): void => {
    this.#waiting.clear();
    this.#fetchNext();
    this.loaded.refresh();
  };

  #fetchNext(): void {
    this.#nextAt = 0;
    this.#fetchIn(FETCH_MS);
  }

  #fetchIn(pause: number): void {
    const at = Date.now() + pause;
    if (this.#nextAt !== 0 && this.#nextAt <= at) return;
    clearTimeout(this.#next);
    this.#nextAt = at;
    this.#next = setTimeout(this.#fetch, pause);
  }

  #receive(message: MonitorMessage): void {
    const name = message.removed ?? message.monitor.name;
    this.#waiting.set(name, message);
    const known = this.loaded.data?.find((monitor) => monitor.name === name);
    const isSame = message.removed === undefined && message.monitor.state === known?.state;
    this.#applyIn(isSame ? GATHER_MS : SOON_MS);
  }

  #applyIn(pause: number): void {
    const at = Date.now() + pause;
    if (this.#gather && this.#gatherAt <= at) return;
    clearTimeout(this.#gather);
    this.#gatherAt = at;
    this.#gather = setTimeout(this.#apply, pause);
  }

  #apply = (): void => {
    this.#gather = undefined;
    const known = this.loaded.data;
    // Messages that came during the fetch are applied after it; they may be newer than its answer.
    if (!known || this.loaded.loading) {
      if (known || this.loaded.loading) this.#applyIn(SOON_MS);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = new Map();
    let changed = false;
    const next: Monitor[] = [];
    for (const monitor of known) {
      const message = waiting.get(monitor.name);
      waiting.delete(monitor.name);
      if (!message) {
        next.push(monitor);
      } else if (message.removed === undefined) {
        if (isOlder(message.monitor.last_check?.at, monitor.last_check?.at)) {
          next.push(monitor);
          continue;
        }
        changed ||= message.monitor.state !== monitor.state;
        next.push({ ...message.monitor, uptime: monitor.uptime, bar: monitor.bar });
      }
    }
    const strangers = [...waiting.values()].some((message) => message.removed === undefined);
    this.loaded.data = next;
    if (strangers) this.#fetchIn(1000);
    else if (changed) this.#fetchIn(CHANGE_MS);
  };
}

export const monitors = new Monitors();

function isOlder(at: string | undefined, than: string | undefined): boolean {
  return at !== undefined && than !== undefined && Date.parse(at) < Date.parse(than);
}
