import { beforeEach, expect, test, vi } from 'vitest';
import type { Listener } from './messages';

/** Stands in for the browser's: what was sent, and the server's side by hand. */
class FakeSocket {
  static readonly OPEN = 1;
  static made: FakeSocket[] = [];
  readyState = 0;
  sent: { type: string; data?: Record<string, unknown> }[] = [];
  #listeners: Record<string, (event: object) => void> = {};

  constructor() {
    FakeSocket.made.push(this);
  }
  addEventListener(kind: string, listener: (event: object) => void): void {
    this.#listeners[kind] = listener;
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {}
  open(): void {
    this.readyState = 1;
    this.#listeners.open?.({});
  }
  say(frame: object): void {
    this.#listeners.message?.({ data: JSON.stringify(frame) });
  }
  drop(): void {
    this.readyState = 3;
    this.#listeners.close?.({});
  }
}

async function start() {
  vi.resetModules();
  return (await import('./socket.svelte')).socket;
}

function listener() {
  return { message: vi.fn(), refresh: vi.fn(), refused: vi.fn() } satisfies Listener<unknown>;
}

const last = () => FakeSocket.made.at(-1)!;

const assign = vi.fn();

/** What `auth/me` answers before a connection is tried again; 0 is a server that is not there. */
let status = 200;

beforeEach(() => {
  FakeSocket.made = [];
  status = 200;
  assign.mockClear();
  vi.stubGlobal('fetch', async () => {
    if (status === 0) throw new TypeError('no route to host');
    return new Response('{}', { status });
  });
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('location', { href: 'http://127.0.0.1:9595/below/alerts?x=1#y', pathname: '/below/alerts', search: '?x=1', assign });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('document', { hidden: false, addEventListener: () => {} });
  vi.spyOn(Math, 'random').mockReturnValue(1);
});

test('those who ask for the same share a subscription, and the last one ends it', async () => {
  const socket = await start();
  const [a, b] = [listener(), listener()];
  const stopA = socket.subscribe({ subscription: 'alerts' }, a);
  const stopB = socket.subscribe({ subscription: 'alerts' }, b);
  last().open();
  expect(last().sent).toEqual([{ type: 'subscribe', data: { subscription: 'alerts', id: '1' } }]);
  last().say({ type: 'alert', data: { id: '1', state: 'firing' } });
  expect(a.message).toHaveBeenCalledOnce();
  expect(b.message).toHaveBeenCalledOnce();
  stopA();
  stopA();
  expect(last().sent).toHaveLength(1);
  stopB();
  expect(last().sent[1]).toEqual({ type: 'unsubscribe', data: { id: '1' } });
});

test('what came before a subscription stands is fetched, the first time, too', async () => {
  const socket = await start();
  const [a, b] = [listener(), listener()];
  socket.subscribe({ subscription: 'alerts' }, a);
  socket.subscribe({ subscription: 'monitors' }, b);
  last().open();
  expect(a.refresh).not.toHaveBeenCalled();
  last().say({ type: 'subscribed', data: { id: '1', subscription: 'alerts' } });
  expect(a.refresh).toHaveBeenCalledOnce();
  expect(b.refresh).not.toHaveBeenCalled();
});

test('after a loss everything is subscribed anew, and fetched again when it is', async () => {
  const socket = await start();
  const one = listener();
  socket.subscribe({ subscription: 'monitors', name: 'shop' }, one);
  last().open();
  last().drop();
  expect(socket.state).toBe('lost');
  await vi.advanceTimersByTimeAsync(1000);
  expect(FakeSocket.made).toHaveLength(2);
  last().open();
  expect(last().sent).toEqual([{ type: 'subscribe', data: { subscription: 'monitors', name: 'shop', id: '1' } }]);
  expect(one.refresh).not.toHaveBeenCalled();
  last().say({ type: 'subscribed', data: { id: '1' } });
  expect(one.refresh).toHaveBeenCalledOnce();
});

test('what was thrown away by the server is fetched', async () => {
  const socket = await start();
  const one = listener();
  socket.subscribe({ subscription: 'alerts' }, one);
  last().open();
  last().say({ type: 'resynchronize', data: { dropped: 7 } });
  expect(one.refresh).toHaveBeenCalledOnce();
});

test('a connection of which nothing comes is given up', async () => {
  const socket = await start();
  socket.subscribe({ subscription: 'alerts' }, listener());
  last().open();
  vi.advanceTimersByTime(25_000);
  expect(last().sent.at(-1)).toEqual({ type: 'ping' });
  last().say({ type: 'pong' });
  vi.advanceTimersByTime(20_000);
  expect(socket.state).toBe('open');
  vi.advanceTimersByTime(20_000);
  expect(socket.state).toBe('lost');
});

test('a refusal reaches the one who asked', async () => {
  const socket = await start();
  const one = listener();
  socket.subscribe({ subscription: 'query', query: 'sum(' }, one);
  last().open();
  last().say({ type: 'error', data: { id: '1', errorType: 'bad_data', error: 'unclosed left parenthesis' } });
  expect(one.refused).toHaveBeenCalledWith('unclosed left parenthesis');
});

test('who is logged out is led to the login page, and no connection is tried again', async () => {
  const socket = await start();
  socket.subscribe({ subscription: 'alerts' }, listener());
  status = 401;
  last().drop();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(assign).toHaveBeenCalledExactlyOnceWith('./login?next=alerts%3Fx%3D1');
  expect(FakeSocket.made).toHaveLength(1);
});

test('who may have no live connection does not ask for one again and again', async () => {
  const socket = await start();
  socket.subscribe({ subscription: 'alerts' }, listener());
  status = 403;
  last().drop();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(FakeSocket.made).toHaveLength(1);
  expect(assign).not.toHaveBeenCalled();
});

test('a server that is away is tried until it is there', async () => {
  const socket = await start();
  socket.subscribe({ subscription: 'alerts' }, listener());
  last().open();
  status = 0;
  last().drop();
  await vi.advanceTimersByTimeAsync(1000);
  expect(FakeSocket.made).toHaveLength(2);
});
