// Alerts under their names, and for each the way to what raised it.

import { alertKey, type Alert } from '../../api/alerts';
import type { RuleGroup } from '../../api/rules';
import { href } from '../../router.svelte';

export interface AlertGroup {
  name: string;
  /** Those that fire first, then the oldest. */
  alerts: KeyedAlert[];
  firing: number;
}

/** Two rules may raise alerts with equal labels, so the key tells their places, too. */
export interface KeyedAlert extends Alert {
  key: string;
}

/** Groups with something that fires first, then by name. */
export function groupAlerts(alerts: Alert[]): AlertGroup[] {
  const byName = new Map<string, Alert[]>();
  for (const alert of alerts) {
    const name = alert.labels.alertname ?? '';
    const group = byName.get(name);
    if (group) group.push(alert);
    else byName.set(name, [alert]);
  }
  const groups = [...byName].map(([name, members]) => ({
    name,
    alerts: withKeys(members.sort(compare)),
    firing: members.filter((alert) => alert.state === 'firing').length,
  }));
  return groups.sort((a, b) => Number(b.firing > 0) - Number(a.firing > 0) || (a.name < b.name ? -1 : 1));
}

function withKeys(alerts: Alert[]): KeyedAlert[] {
  const seen = new Map<string, number>();
  return alerts.map((alert) => {
    const labels = alertKey(alert.labels);
    const place = seen.get(labels) ?? 0;
    seen.set(labels, place + 1);
    return { ...alert, key: `${place}${labels}` };
  });
}

function compare(a: Alert, b: Alert): number {
  if (a.state !== b.state) return a.state === 'firing' ? -1 : 1;
  return a.activeAt.localeCompare(b.activeAt) || (alertKey(a.labels) < alertKey(b.labels) ? -1 : 1);
}

/** The expression of each alerting rule by its name; of rules of one name the first. */
export function expressions(groups: RuleGroup[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { rules } of groups) {
    for (const rule of rules) {
      if (rule.type === 'alerting' && !found.has(rule.name)) found.set(rule.name, rule.query);
    }
  }
  return found;
}

/** Where an alert leads: its monitor, or its rule's expression; null if that is not known. */
export function sourceOf(alert: Alert, rules: Map<string, string>): { label: string; href: string } | null {
  const { alertname = '', monitor } = alert.labels;
  if (alertname === 'MonitorDown' && monitor) return { label: 'Monitor', href: href('monitor', { name: monitor }) };
  const query = rules.get(alertname);
  return query ? { label: 'Explore', href: href('explore', { query }) } : null;
}
