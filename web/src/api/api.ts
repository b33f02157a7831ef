// The one way to ask the server by HTTP. Answers in Prometheus' envelope are unwrapped; whatever goes wrong is an ApiError.
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
export async function fetchJson(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<unknown> {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) pairs.set(name, String(value));
  }
  const text = pairs.toString();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const init: RequestInit = {
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    headers: { accept: 'application/json' },
  };
  let url = `./${path}`;
  if (text.length > ADDRESS_MAX) {
    init.method = 'POST';
    init.body = pairs;
  } else if (text) {
    url += `?${text}`;
  }
  const asked = Date.now();
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    if (timeout.aborted) throw new ApiError(`the server gave no answer within ${TIMEOUT_MS / 1000} s`, 0);
    throw new ApiError('the server cannot be reached', 0);
  }
  learn(response.headers.get('date'), asked, Date.now());
  let body: unknown;
  try {
    body = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(`the server answered ${response.status} without JSON`, response.status);
  }
  if (!response.ok) throw new ApiError(reason(body) ?? `the server answered ${response.status}`, response.status, body);
  return body;
}

function reason(body: unknown): string | null {
  const error = (body as { error?: unknown } | null)?.error;
  return typeof error === 'string' ? error : null;
}
