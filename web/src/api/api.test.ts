import { beforeEach, expect, test, vi } from 'vitest';
import { Loaded } from '../load.svelte';
import { ApiError, fetchJson, get, send } from './api';

const assign = vi.fn();
const fetch = vi.fn();

function at(pathname: string, search = ''): void {
  vi.stubGlobal('location', { pathname, search, assign });
}

function answers(status: number, body: unknown = null, headers: Record<string, string> = {}): void {
  fetch.mockResolvedValueOnce(new Response(body === null ? null : JSON.stringify(body), { status, headers }));
}

/** Whether a promise is settled once everything that can go on has gone on. */
async function settles(promise: Promise<unknown>): Promise<boolean> {
  const later = new Promise<boolean>((done) => setTimeout(() => done(false)));
  return Promise.race([promise.then(() => true, () => true), later]);
}

beforeEach(() => {
  assign.mockClear();
  fetch.mockReset();
  vi.stubGlobal('fetch', fetch);
  at('/below/monitors', '?search=a b');
});

test('each request says that it comes from a page of ours', async () => {
  answers(200, { data: [] });
  await get('users');
  answers(200, {});
  await fetchJson('api/v1/query', { query: 'x'.repeat(3000) });
  answers(204);
  expect(await send('DELETE', 'api/v1/users/ann')).toBeNull();
  answers(201, { data: 1 });
  await send('POST', 'api/v1/users', { name: 'ann' });
  expect(fetch.mock.calls.map(([url, init]) => [url, init.method, init.headers['x-requested-with']])).toEqual([
    ['./api/v1/users', undefined, 'campanile'],
    ['./api/v1/query', 'POST', 'campanile'],
    ['./api/v1/users/ann', 'DELETE', 'campanile'],
    ['./api/v1/users', 'POST', 'campanile'],
  ]);
  expect(fetch.mock.calls[3]![1]).toMatchObject({ body: '{"name":"ann"}', headers: { 'content-type': 'application/json' } });
});

test('who is not logged in is led to the login page and back, and hears nothing else', async () => {
  answers(401, { error: 'log in' });
  expect(await settles(get('monitors'))).toBe(false);
  expect(assign).toHaveBeenCalledExactlyOnceWith('./login?next=monitors%3Fsearch%3Da%20b');
});

test('on the login page a wrong password is the business of its form', async () => {
  at('/below/login');
  answers(401, { error: 'wrong' });
  await expect(send('POST', 'auth/session', {})).rejects.toMatchObject({ status: 401 });
  expect(assign).not.toHaveBeenCalled();
});

test('a refusal says what is missing, and when to come again', async () => {
  answers(403, { error: 'this needs administer, and you have the role viewer' });
  const users = new Loaded((signal) => get('users', {}, signal));
  await users.run();
  expect(users.error).toBe('You may not see this: this needs administer, and you have the role viewer');
  answers(429, { error: 'too many' }, { 'retry-after': '17' });
  const slowed = await send('POST', 'auth/session', {}).catch((error: unknown) => error);
  expect(slowed).toBeInstanceOf(ApiError);
  expect(slowed).toMatchObject({ status: 429, retryAfter: 17, message: 'too many' });
});
