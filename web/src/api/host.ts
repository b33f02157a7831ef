// `metrics/live`: the latest figures of the machine on which Campanile runs.

import { ApiError, fetchJson } from './api';

export interface Host {
  host: string;
  disks: { mountpoint: string; used_percent: number | null; free_bytes: number | null }[];
}

/** The machine; null if it was not measured yet. */
export async function fetchHost(signal?: AbortSignal): Promise<Host | null> {
  try {
    return (await fetchJson('metrics/live', {}, signal)) as Host;
  } catch (error) {
    if (error instanceof ApiError && error.status === 503) return null;
    throw error;
  }
}
