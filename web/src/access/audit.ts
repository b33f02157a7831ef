// What an entry of the audit log says has changed.

export interface Difference {
  field: string;
  /** Null if it was not there. */
  before: string | null;
  /** Null if it is gone. */
  after: string | null;
}

type Fields = Record<string, unknown> | null;

/** The fields that differ, in the order of their names. */
export function differences(before: Fields, after: Fields): Difference[] {
  const [old, now] = [before ?? {}, after ?? {}];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const all = names.map((field) => ({ field, before: write(old[field]), after: write(now[field]) }));
  return all.filter((one) => one.before !== one.after);
}

function write(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((one) => write(one) ?? '–').join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
