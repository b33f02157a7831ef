// `health/detailed`: how well the parts of Campanile itself work.

import { ApiError, fetchJson } from './api';

export interface Part {
  component: string;
  /** `degraded` if it works, but not well or not all of it. */
  status: 'healthy' | 'degraded' | 'unhealthy';
  /** Why it is not healthy. */
  reason: string;
}

export async function fetchHealth(signal?: AbortSignal): Promise<Part[]> {
  try {
    return parts(await fetchJson('health/detailed', {}, signal)) ?? [];
  } catch (error) {
    // An unhealthy server answers 503, and says what is wrong.
    const found = error instanceof ApiError && parts(error.body);
    if (found) return found;
    throw error;
  }
}

function parts(body: unknown): Part[] | undefined {
  return (body as { components?: Part[] } | null | undefined)?.components;
}
