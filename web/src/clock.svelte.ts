// The time of day for texts such as `3 min ago`, for all of them one timer.

// Texts show seconds only below a minute, where five of them do not matter.
const TICK_MS = 5000;

class Clock {
  /** Seconds since 1970. */
  now = $state(Date.now() / 1000);

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.now = Date.now() / 1000;
    }, TICK_MS);
    document.addEventListener('visibilitychange', () => (this.now = Date.now() / 1000));
  }
}

export const clock = new Clock();
