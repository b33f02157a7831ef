// One monitor, fetched and kept up by the live feed.

import { fetchMonitor, type MonitorDetail } from '../../api/monitors';
import type { MonitorMessage } from '../../live/messages';
import { socket } from '../../live/socket.svelte';
import { Loaded } from '../../load.svelte';

// The feed has neither uptime nor bar, of which a slot lasts half an hour.
const FETCH_MS = 300_000;

export class WatchedMonitor {
  readonly loaded: Loaded<MonitorDetail>;

  constructor(readonly name: string) {
    this.loaded = new Loaded((signal) => fetchMonitor(name, signal));
  }

  /** Goes on until the returned function is called. */
  run = (): (() => void) => {
    const stop = socket.subscribe<MonitorMessage>(
      { subscription: 'monitors', name: this.name },
      { message: (message) => this.#receive(message), refresh: this.loaded.refresh },
    );
    void this.loaded.run();
    const timer = setInterval(this.loaded.run, FETCH_MS);
    return () => {
      stop();
      clearInterval(timer);
      this.loaded.stop();
    };
  };

  #receive(message: MonitorMessage): void {
    const { data, loading } = this.loaded;
    // What came since is fetched after the first answer: to begin anew now would only put it off.
    if (!data && loading) return;
    if (!data || message.removed !== undefined || message.monitor.state !== data.monitor.state) {
      // A change has a number and a cause of its own, which only the list of changes tells.
      void this.loaded.run();
    } else {
      this.loaded.data = { ...data, monitor: { ...data.monitor, ...message.monitor } };
    }
  }
}
