// PromQL by HTTP: `query` and `query_range`.

import { get } from './api';

export type Labels = Record<string, string>;

/** A moment in seconds since 1970 and a value as Prometheus writes it. */
export type Sample = [number, string];

export interface Series {
  metric: Labels;
  values: Sample[];
}

export interface Instant {
  metric: Labels;
  value: Sample;
}

export type InstantAnswer =
  | { resultType: 'vector'; result: Instant[] }
  | { resultType: 'matrix'; result: Series[] }
  | { resultType: 'scalar' | 'string'; result: Sample };

export interface Span {
  /** Seconds since 1970. */
  start: number;
  end: number;
  /** Seconds. */
  step: number;
}

export async function queryRange(query: string, span: Span, signal?: AbortSignal): Promise<Series[]> {
  const answer = await get<{ result: Series[] }>('query_range', { query, ...span }, signal);
  return answer.result;
}

export function queryInstant(query: string, time?: number, signal?: AbortSignal): Promise<InstantAnswer> {
  return get<InstantAnswer>('query', { query, time }, signal);
}
