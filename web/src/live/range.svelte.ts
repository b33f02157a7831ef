// What an expression gave over the last while, fetched once and carried on by the live feed.

import { askNow } from '../api/now';
import { queryRange } from '../api/query';
import { append, fromSeries, NO_COLUMNS, type Columns } from '../chart/columns';
import { stepFor } from '../chart/ranges';
import { Loaded } from '../load.svelte';
import type { QueryMessage } from './messages';
import { socket } from './socket.svelte';

// How often a live point comes.
const LIVE_STEP = 5;

// How often all is fetched while no live points come, as when a client has too many subscriptions.
const POLL_MS = 30_000;

export class LiveRange {
  readonly loaded: Loaded<Columns>;
  readonly step: number;

  constructor(
    readonly query: string,
    readonly seconds: number,
  ) {
    this.step = stepFor(seconds);
    this.loaded = new Loaded((signal) => this.#fetch(signal));
  }

  get columns(): Columns {
    return this.loaded.data ?? NO_COLUMNS;
  }

  /** Goes on until the returned function is called. */
  run = (): (() => void) => {
    let timer: ReturnType<typeof setInterval> | undefined;
    const stop = socket.subscribe<QueryMessage>(
      { subscription: 'query', query: this.query, step: `${LIVE_STEP}s` },
      {
        message: (message) => {
          // One evaluation had failed, and they go on.
          clearInterval(timer);
          timer = undefined;
          this.#append(message);
        },
        refresh: this.loaded.refresh,
        refused: () => (timer ??= setInterval(this.loaded.run, POLL_MS)),
      },
    );
    void this.loaded.run();
    return () => {
      stop();
      clearInterval(timer);
      this.loaded.stop();
    };
  };

  #fetch(signal: AbortSignal): Promise<Columns> {
    return askNow(async (now) => {
      // On multiples of the step, as the live feed is, so that the same moments are asked for each time.
      const end = Math.floor(now / this.step) * this.step;
      const span = { start: end - this.seconds, end, step: this.step };
      return fromSeries(await queryRange(this.query, span, signal), span);
    });
  }

  #append({ time, result }: QueryMessage): void {
    if (!this.loaded.data || !Array.isArray(result)) return;
    this.loaded.data = append(this.loaded.data, time, result, this.step, time - this.seconds);
  }
}
