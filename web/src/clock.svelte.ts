// The time of day for texts such as `3 min ago`, for all of them one timer.

import { now } from './api/now';

// Texts show seconds only below a minute, where five of them do not matter.
const TICK_MS = 5000;

class Clock {
  /** Seconds since 1970, as the server counts them. */
  now = $state(now());

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.now = now();
    }, TICK_MS);
    document.addEventListener('visibilitychange', () => (this.now = now()));
  }
}

export const clock = new Clock();
