// The one way to ask the server by HTTP. Answers in Prometheus' envelope are unwrapped; whatever goes wrong is an ApiError.
// Who is not logged in (any more) is led to the login page, and gets no answer.
//
// Paths are relative: every page lies one level below the program's root, wherever a proxy has put that.

import { learn } from './now';

/** Why there is no answer, in words for people. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** The HTTP status; 0 if no answer came. */
    readonly status: number,
    /** The answer itself, if it was JSON. */
    readonly body?: unknown,
    /** The server's `Retry-After`, in seconds. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

export type Parameters = Record<string, string | number | undefined>;

// A little more than the server gives a query by default, so that its own reason arrives first.
const TIMEOUT_MS = 130_000;

// Proxies refuse longer addresses; what is longer goes as a form.
const ADDRESS_MAX = 2000;


/** `data` of an answer of `api/v1/…`. */
export async function get<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  const body = (await fetchJson(`api/v1/${path}`, parameters, signal)) as { data: T };
  return body.data;
}

/** An answer as it is, of whatever path. */
export function fetchJson(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<unknown> {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) pairs.set(name, String(value));
  }
  const text = pairs.toString();
  if (text.length > ADDRESS_MAX) return exchange(path, { method: 'POST', body: pairs }, signal);
  return exchange(text ? `${path}?${text}` : path, {}, signal);
}

/** Asks for a change, with a JSON body; the answer is null if it has none. */
export function send(method: string, path: string, body?: object): Promise<unknown> {
  return exchange(path, { method, body: body && JSON.stringify(body) }, undefined, body && 'application/json');
}

async function exchange(path: string, init: RequestInit, signal?: AbortSignal, type?: string): Promise<unknown> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  init.signal = signal ? AbortSignal.any([signal, timeout]) : timeout;
  // A page of another site cannot send the second without being asked first.
  init.headers = { accept: 'application/json', 'x-requested-with': 'campanile', ...(type && { 'content-type': type }) };
  const asked = Date.now();
  let response: Response;
  try {
    response = await fetch(`./${path}`, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    if (timeout.aborted) throw new ApiError(`the server gave no answer within ${TIMEOUT_MS / 1000} s`, 0);
    throw new ApiError('the server cannot be reached', 0);
  }
  const { headers, status } = response;
  learn(headers.get('date'), asked, Date.now());
  if (status === 401 && leave()) return new Promise(() => {});
  if (status === 204) return null;
  let body: unknown;
  try {
    body = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(`the server answered ${status} without JSON`, status);
  }
  if (!response.ok) {
    const retryAfter = Number(headers.get('retry-after')) || undefined;
    throw new ApiError(reason(body) ?? `the server answered ${status}`, status, body, retryAfter);
  }
  return body;
}

/** Leads to the login page, and from there back to here; false if this is the login page, where a 401 is about what was typed. */
function leave(): boolean {
  const page = location.pathname.replace(/.*\//, '');
  if (page === 'login') return false;
  location.assign(`./login?next=${encodeURIComponent(page + location.search)}`);
  return true;
}

function reason(body: unknown): string | null {
  const error = (body as { error?: unknown } | null)?.error;
  return typeof error === 'string' ? error : null;
}
