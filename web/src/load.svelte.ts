// Something that is fetched: what came last, why nothing came, whether it is on its way.

import { ApiError } from './api/api';

export class Loaded<T> {
  data = $state.raw<T | null>(null);
  error = $state<string | null>(null);
  loading = $state(true);
  /** Whether anything was ever answered; what was answered may be null. */
  arrived = $state(false);
  #abort: AbortController | null = null;
  #again = false;

  constructor(private readonly fetch: (signal: AbortSignal) => Promise<T>) {}

  /** Fetches anew. What is there stays until the new arrives; a request that is under way is given up. */
  run = async (): Promise<void> => {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#again = false;
    this.loading = true;
    try {
      const data = await this.fetch(abort.signal);
      if (abort.signal.aborted) return;
      this.data = data;
      this.arrived = true;
      this.error = null;
    } catch (error) {
      if (abort.signal.aborted) return;
      const refused = error instanceof ApiError && error.status === 403;
      this.error = (refused ? 'You may not see this: ' : '') + describe(error);
    }
    this.loading = false;
    if (this.#again) await this.run();
  };

  /**
   * Fetches anew what may be out of date. A first answer that is on its way is waited for, so that something is shown
   * soon; who asks twice does not wait for it.
   */
  refresh = (): void => {
    if (this.#abort && this.loading && !this.arrived && !this.#again) this.#again = true;
    else void this.run();
  };

  /** Forgets everything, as another thing is asked for. */
  clear(): void {
    this.stop();
    this.data = null;
    this.error = null;
    this.loading = true;
    this.arrived = false;
  }

  stop = (): void => {
    this.#abort?.abort();
    this.#abort = null;
  };
}

/** What went wrong, for people. A mistake of ours is told too, so that it is not taken for an empty answer. */
export function describe(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return `this page failed: ${error instanceof Error ? error.message : String(error)}`;
}
