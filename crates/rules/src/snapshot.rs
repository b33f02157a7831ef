//! The state of a group as plain data that can be written down, and its way back.
//!
//! A restart is no evidence: an alert that fired fires on and is given out at once, one that was pending gets older
//! only by the time in which somebody looked.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ActiveAlert, AlertState, Environment, Group};

/// A group's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    /// The group's file.
    pub file: String,
    /// The group's name.
    pub name: String,
    /// When it was evaluated last, in milliseconds since 1970.
    pub evaluated_at: Option<i64>,
    /// Its rules in their order; after them one without a name, if rules that are no more left something that has not
    /// ended yet.
    pub rules: Vec<RuleSnapshot>,
}

/// A rule's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleSnapshot {
    /// The rule's name.
    pub name: String,
    /// Whether it records; an alerting rule may have the same name.
    pub records: bool,
    /// The rule's labels, not expanded; with the name they say which rule it is.
    pub labels: BTreeMap<String, String>,
    /// Its alerts.
    pub alerts: Vec<AlertSnapshot>,
    /// The labels of each series that it gave out last.
    pub series: Vec<BTreeMap<String, String>>,
}

/// An alert's state; moments are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertSnapshot {
    /// See [`ActiveAlert::labels`].
    pub labels: BTreeMap<String, String>,
    /// See [`ActiveAlert::annotations`].
    pub annotations: BTreeMap<String, String>,
    /// See [`ActiveAlert::state`].
    pub state: AlertState,
    /// The bits of [`ActiveAlert::value`], since JSON knows neither NaN nor infinity.
    pub value_bits: u64,
    /// See [`ActiveAlert::active_at`].
    pub active_at: i64,
    /// See [`ActiveAlert::fired_at`].
    pub fired_at: Option<i64>,
    /// See [`ActiveAlert::resolved_at`].
    pub resolved_at: Option<i64>,
    /// See [`ActiveAlert::keep_firing_since`].
    pub keep_firing_since: Option<i64>,
}

impl Group {
    /// The state as it is now.
    pub fn snapshot(&self) -> GroupSnapshot {
        let rules = self.rules.iter().map(|rule| RuleSnapshot {
            name: rule.definition().name.clone(),
            records: rule.records(),
            labels: texts(rule),
            alerts: rule.alerts.values().map(AlertSnapshot::of).collect(),
            series: rule.series.iter().map(owned).collect(),
        });
        let orphans = &self.orphans;
        let left = RuleSnapshot {
            alerts: orphans.alerts.iter().map(AlertSnapshot::of).collect(),
            series: orphans.series.iter().map(owned).collect(),
            ..RuleSnapshot::default()
        };
        let left = Some(left).filter(|left| *left != RuleSnapshot::default());
        GroupSnapshot {
            file: self.file.clone(),
            name: self.name.clone(),
            evaluated_at: self.seen_until.map(Timestamp::as_millis),
            rules: rules.chain(left).collect(),
        }
    }

    /// Takes over a state that was written down, before the first evaluation at `now`; what fits no rule ends.
    pub fn restore(&mut self, snapshot: GroupSnapshot, now: Timestamp, environment: &Environment) {
        let evaluated_at = snapshot.evaluated_at.map(Timestamp::from_millis);
        let interval = self.interval(environment);
        // Between two evaluations nobody looks anyway.
        let unseen = evaluated_at.map_or(Duration::ZERO, |evaluated_at| {
            now.since(evaluated_at).saturating_sub(interval)
        });
        self.evaluated_at = evaluated_at;
        // It is counted below; another restart before the next evaluation must not count it once more.
        self.seen_until = evaluated_at.map(|evaluated_at| evaluated_at + unseen);
        let mut taken = vec![false; self.rules.len()];
        for kept in snapshot.rules {
            let series = kept.series.into_iter().filter_map(packed);
            let alerts = kept.alerts.into_iter().filter_map(AlertSnapshot::restored);
            let position = self.rules.iter().enumerate().position(|(index, rule)| {
                !taken[index]
                    && rule.definition().name == kept.name
                    && rule.records() == kept.records
                    && texts(rule) == kept.labels
            });
            let Some(position) = position else {
                self.orphans.series.extend(series);
                self.orphans.alerts.extend(alerts);
                continue;
            };
            taken[position] = true;
            let rule = &mut self.rules[position];
            rule.series = series.collect();
            let alerts = alerts.map(|mut alert| {
                if alert.state == AlertState::Pending {
                    alert.active_at = alert.active_at + unseen;
                }
                (alert.labels.clone(), alert)
            });
            rule.alerts = alerts.collect();
        }
    }
}

impl AlertSnapshot {
    fn of(alert: &ActiveAlert) -> Self {
        Self {
            labels: owned(&alert.labels),
            annotations: alert.annotations.clone(),
            state: alert.state,
            value_bits: alert.value.to_bits(),
            active_at: alert.active_at.as_millis(),
            fired_at: alert.fired_at.map(Timestamp::as_millis),
            resolved_at: alert.resolved_at.map(Timestamp::as_millis),
            keep_firing_since: alert.keep_firing_since.map(Timestamp::as_millis),
        }
    }

    /// None if the labels are none.
    fn restored(self) -> Option<ActiveAlert> {
        Some(ActiveAlert {
            labels: packed(self.labels)?,
            annotations: self.annotations,
            state: self.state,
            value: f64::from_bits(self.value_bits),
            active_at: Timestamp::from_millis(self.active_at),
            fired_at: self.fired_at.map(Timestamp::from_millis),
            resolved_at: self.resolved_at.map(Timestamp::from_millis),
            keep_firing_since: self.keep_firing_since.map(Timestamp::from_millis),
            // Nobody knows whether it arrived.
            sent_at: None,
        })
    }
}

fn texts(rule: &crate::Rule) -> BTreeMap<String, String> {
    let labels = rule.definition().labels.iter();
    labels
        .map(|(name, value)| (name.clone(), value.text().to_owned()))
        .collect()
}

fn owned(labels: &Labels) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn packed(labels: BTreeMap<String, String>) -> Option<Labels> {
    Labels::from_pairs(labels).ok()
}
