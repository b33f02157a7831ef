// The one WebSocket of a page. Those who ask for the same share a subscription; when the connection is lost it is tried
// again, and everything is subscribed anew. Whoever is subscribed fetches by HTTP what came before, the first time, too.

import { ApiError, fetchJson } from '../api/api';
import { delay } from './backoff';
import type { Listener, Request } from './messages';

// Proxies close what is silent for a minute.
const PING_MS = 25_000;

// From a ping on; a connection of which nothing comes for so long is dead, though nobody said so.
const SILENCE_MS = 15_000;

// While there is no live feed, pages are fetched again so often.
const POLL_MS = 30_000;

interface Subscription {
  id: string;
  request: Request;
  listeners: Set<Listener<unknown>>;
}

interface Frame {
  type: string;
  data?: { id?: string; error?: string };
}

class Socket {
  /** `waiting` before the first connection, `lost` after a failure. */
  state = $state<'waiting' | 'open' | 'lost'>('waiting');

  #socket: WebSocket | null = null;
  #subscriptions = new Map<string, Subscription>();
  #byId = new Map<string, Subscription>();
  #ids = 0;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #started = false;

  /** Listens until the returned function is called. */
  subscribe<T>(request: Request, listener: Listener<T>): () => void {
    this.#start();
    const key = JSON.stringify(request);
    let subscription = this.#subscriptions.get(key);
    if (!subscription) {
      this.#ids += 1;
      subscription = { id: String(this.#ids), request, listeners: new Set() };
      this.#subscriptions.set(key, subscription);
      this.#byId.set(subscription.id, subscription);
      this.#ask(subscription);
    }
    const { id, listeners } = subscription;
    listeners.add(listener as Listener<unknown>);
    return () => {
      listeners.delete(listener as Listener<unknown>);
      if (listeners.size > 0 || !this.#byId.delete(id)) return;
      this.#subscriptions.delete(key);
      this.#send({ type: 'unsubscribe', data: { id } });
    };
  }

  /** Tries now instead of at the end of the pause. */
  reconnect = (): void => {
    if (this.state === 'open' || this.#socket) return;
    clearTimeout(this.#retry);
    this.#connect();
  };

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#connect();
    addEventListener('online', this.reconnect);
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.reconnect();
    });
    setInterval(() => this.#ping(), PING_MS);
    setInterval(() => {
      if (this.state === 'lost' && !document.hidden) this.#refresh();
    }, POLL_MS);
  }

  #connect(): void {
    const url = new URL('./ws/metrics', location.href);
    url.search = '';
    url.hash = '';
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      this.state = 'open';
      for (const subscription of this.#byId.values()) this.#ask(subscription);
    });
    socket.addEventListener('message', (event) => this.#receive(String(event.data)));
    socket.addEventListener('close', () => {
      if (this.#socket === socket) this.#lost();
    });
  }

  #lost(): void {
    this.#socket = null;
    clearTimeout(this.#silence);
    this.#silence = undefined;
    this.state = 'lost';
    this.#retry = setTimeout(() => void this.#again(), delay(this.#attempt, Math.random()));
    this.#attempt += 1;
  }

  /** A browser does not tell why a connection was refused; so it is asked first whether we may have one. */
  async #again(): Promise<void> {
    try {
      // Who is logged out is led to the login page, and this never ends.
      await fetchJson('auth/me');
    } catch (error) {
      const status = error instanceof ApiError && error.status;
      if (status === 401 || status === 403) return;
    }
    if (this.state === 'lost' && !this.#socket) this.#connect();
  }

  #ping(): void {
    if (this.state !== 'open') return;
    this.#send({ type: 'ping' });
    this.#silence ??= setTimeout(() => {
      const socket = this.#socket;
      this.#lost();
      socket?.close();
    }, SILENCE_MS);
  }

  #receive(text: string): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
    // Only what speaks is well; a connection that is closed at once must not be tried without a pause.
    this.#attempt = 0;
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return;
    }
    const subscription = this.#byId.get(frame.data?.id ?? '');
    switch (frame.type) {
      case 'metric_update':
      case 'alert':
      case 'monitor':
      case 'query_update':
        subscription?.listeners.forEach((listener) => listener.message(frame.data));
        break;
      case 'subscribed':
        // From here on nothing is missed, so what is fetched now is whole.
        subscription?.listeners.forEach((listener) => listener.refresh());
        break;
      case 'resynchronize':
        this.#refresh();
        break;
      case 'error':
        subscription?.listeners.forEach((listener) => listener.refused?.(frame.data?.error ?? 'refused'));
        break;
    }
  }

  #ask({ id, request }: Subscription): void {
    this.#send({ type: 'subscribe', data: { ...request, id } });
  }

  #send(frame: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #refresh(): void {
    const listeners = new Set<Listener<unknown>>();
    for (const subscription of this.#byId.values()) subscription.listeners.forEach((one) => listeners.add(one));
    listeners.forEach((listener) => listener.refresh());
  }
}

export const socket = new Socket();
