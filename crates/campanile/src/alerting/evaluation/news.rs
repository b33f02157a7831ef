//! What has become of a group's alerts: those before against those after an evaluation, or a change of the rules.

use std::collections::BTreeMap;

use model::{Labels, Timestamp};
use rules::{ActiveAlert, AlertState, Group, Rule};
use server::{AlertChange, AlertPhase};

/// The alerts that began, went on to another state, or ended by `at`; no group has none.
pub(super) fn changes(
    before: Option<&Group>,
    after: Option<&Group>,
    at: Timestamp,
) -> Vec<AlertChange> {
    let (before, after) = (active(before), active(after));
    let mut changes = Vec::new();
    for (labels, (rule, alert)) in &before {
        if !after.contains_key(labels) {
            let phase = match alert.state {
                AlertState::Firing => AlertPhase::Resolved,
                AlertState::Pending | AlertState::Inactive => AlertPhase::Inactive,
            };
            changes.push(change(rule, alert, phase, Some(at)));
        }
    }
    for (labels, (rule, alert)) in &after {
        let is_known = before.get(labels).is_some_and(|(_, known)| {
            known.state == alert.state && known.active_at == alert.active_at
        });
        if !is_known {
            let phase = match alert.state {
                AlertState::Firing => AlertPhase::Firing,
                AlertState::Pending | AlertState::Inactive => AlertPhase::Pending,
            };
            changes.push(change(rule, alert, phase, None));
        }
    }
    changes
}

fn active(group: Option<&Group>) -> BTreeMap<&Labels, (&Rule, &ActiveAlert)> {
    let rules = group.into_iter().flat_map(Group::rules);
    rules
        .flat_map(|rule| {
            let alerts = rule.active_alerts();
            alerts.map(move |alert| (&alert.labels, (rule, alert)))
        })
        .collect()
}

fn change(
    rule: &Rule,
    alert: &ActiveAlert,
    phase: AlertPhase,
    resolved_at: Option<Timestamp>,
) -> AlertChange {
    AlertChange {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        phase,
        active_at: alert.active_at,
        value: alert.value,
        rule: Some(rule.definition().name.to_string()),
        resolved_at,
    }
}
