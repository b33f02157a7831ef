// Series and mistakes as text.

import type { Labels } from '../../api/query';

/** A series as one writes it: `node_load1{instance="vm"}`; `{}` if it has neither name nor labels. */
export function describeSeries(metric: Labels): string {
  const { __name__: name = '', ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.length > 0 || name === '' ? `${name}{${pairs.join(', ')}}` : name;
}

export interface Mistake {
  message: string;
  /** The line of the expression with the mistake, and how many characters stand before it; null if no place is told. */
  place: { line: string; before: number; row: number; column: number } | null;
}

// As the server writes it: `invalid parameter "query": 1:5: parse error: …`.
const PLACE = /^invalid parameter "query": (\d+):(\d+): (?:parse error: )?(.*)$/s;

/** Takes the position out of the server's message. */
export function findMistake(message: string, query: string): Mistake {
  const parts = PLACE.exec(message);
  if (!parts) return { message, place: null };
  const [row, column] = [Number(parts[1]), Number(parts[2])];
  const line = query.split('\n')[row - 1];
  if (line === undefined) return { message, place: null };
  return { message: parts[3]!, place: { line, before: Math.min(column - 1, line.length), row, column } };
}
