// `api/v1/rules`: the groups of rules and how their last evaluation went.

import { get } from './api';
import type { Labels } from './query';

export interface Rule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  health: 'ok' | 'err' | 'unknown';
  lastError?: string;
  lastEvaluation: string;
  evaluationTime: number;
  labels?: Labels;
  state?: string;
  duration?: number;
}

export interface RuleGroup {
  name: string;
  file: string;
  interval: number;
  lastEvaluation: string;
  evaluationTime: number;
  rules: Rule[];
}

export async function fetchRules(signal?: AbortSignal): Promise<RuleGroup[]> {
  return (await get<{ groups: RuleGroup[] }>('rules', { exclude_alerts: 'true' }, signal)).groups;
}
