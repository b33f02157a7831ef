// Who is here: asked once for each load of a page, and again when a page that was left alone is looked at.

import { fetchMe, type Me } from '../api/access';
import { Loaded } from '../load.svelte';

// Kept for this tab only: who put off choosing a password is asked again the next time.
const LATER = 'campanile.password-later';

class Session {
  readonly loaded = new Loaded<Me>(fetchMe);

  get me(): Me | null {
    return this.loaded.data;
  }

  get mayAdminister(): boolean {
    return this.me?.role === 'admin';
  }

  /** Asks who is here. If nobody is any more, that leads to the login page. */
  watch = (): (() => void) => {
    if (!this.me) void this.loaded.run();
    const look = () => {
      if (!document.hidden) void this.loaded.run();
    };
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  };

  get isPutOff(): boolean {
    try {
      return sessionStorage.getItem(LATER) !== null;
    } catch {
      return false;
    }
  }

  putOff(): void {
    try {
      sessionStorage.setItem(LATER, '1');
    } catch {
      // Without storage it is asked again at the next load.
    }
  }
}

export const session = new Session();
