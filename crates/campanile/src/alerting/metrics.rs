//! The figures of alerting: rules, checks, alerts and notifications; and which integrations do not work at present.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Alert, ComponentHealth, HealthState, MetricFamily, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use uptime::State;

use super::turns::Turns;

/// Seconds from "at once" to "a long outage of the provider".
const DELAY_BUCKETS: [f64; 9] = [0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0];

/// Seconds from "cheap" to "as long as an interval".
const EVALUATION_BUCKETS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// Seconds; fine where a check counts as in time.
const LATENESS_BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Severities that are told apart; the rest is `other`.
const SEVERITIES_MAX: usize = 20;

/// The counters, and the registry in which they are shown.
pub(crate) struct AlertingMetrics {
    registry: Registry,
    /// `campanile_notifications_total`
    notifications: Family<NotificationLabels, Counter>,
    /// `campanile_notification_attempts_total`
    attempts: Family<AttemptLabels, Counter>,
    /// `campanile_notification_delay_seconds`
    delay: Histogram,
    /// `campanile_active_alerts`
    active: Family<SeverityLabels, Gauge>,
    /// `campanile_alerts_refused_total`
    refused: Counter,
    /// `campanile_rule_evaluations_total`
    evaluations: Family<ResultLabels, Counter>,
    /// `campanile_rule_group_duration_seconds`
    evaluation_time: Histogram,
    /// `campanile_rule_group_iterations_missed_total`
    missed: Counter,
    /// `campanile_monitors`
    monitors: Family<StateLabels, Gauge>,
    /// `campanile_check_lateness_seconds`
    lateness: Histogram,
    /// `campanile_checks_skipped_total`
    skipped: Counter,
    failing: Mutex<BTreeMap<(String, String), Failure>>,
    /// When each loop turned last.
    pub(crate) turns: Turns,
}

/// Why an integration does not work.
struct Failure {
    since: Timestamp,
    error: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct NotificationLabels {
    receiver: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    receiver: String,
    integration: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SeverityLabels {
    severity: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

impl AlertingMetrics {
    /// Counts an attempt to send a message or a part of it.
    pub(crate) fn attempt(&self, (receiver, integration): (&str, &str), is_good: bool) {
        let labels = AttemptLabels {
            receiver: receiver.to_owned(),
            integration: integration.to_owned(),
            result: if is_good { "success" } else { "failure" },
        };
        self.attempts.get_or_create(&labels).inc();
    }

    /// Counts a notification whose outcome is known, `delay` after it was decided.
    pub(crate) fn finished(&self, receiver: &str, delivered: bool, delay: Duration) {
        let labels = NotificationLabels {
            receiver: receiver.to_owned(),
            result: if delivered { "delivered" } else { "failed" },
        };
        self.notifications.get_or_create(&labels).inc();
        if delivered {
            self.delay.observe(delay.as_secs_f64());
        }
    }

    /// Remembers why an integration does not work, and since when.
    pub(crate) fn fails(&self, receiver: &str, integration: &str, error: &str, now: Timestamp) {
        let key = (receiver.to_owned(), integration.to_owned());
        let mut failures = self.failures();
        let failure = failures.entry(key).or_insert_with(|| Failure {
            since: now,
            error: String::new(),
        });
        error.clone_into(&mut failure.error);
    }

    /// Remembers that an integration works.
    pub(crate) fn works(&self, receiver: &str, integration: &str) {
        let key = (receiver.to_owned(), integration.to_owned());
        self.failures().remove(&key);
    }

    /// Degraded while a receiver cannot be told; healthy since `started` at least.
    pub(crate) fn health(&self, started: Timestamp) -> ComponentHealth {
        let failures = self.failures();
        let reasons: Vec<String> = failures
            .iter()
            .map(|((receiver, integration), failure)| {
                format!("{receiver} {integration}: {}", failure.error)
            })
            .collect();
        let since = failures.values().map(|failure| failure.since).min();
        ComponentHealth {
            component: "notifications",
            state: match reasons.is_empty() {
                true => HealthState::Healthy,
                false => HealthState::Degraded,
            },
            since: since.unwrap_or(started),
            reason: reasons.join("; "),
        }
    }

    /// Counts an alert for which there was no room.
    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    /// Shows how many alerts fire, by severity.
    pub(crate) fn set_active(&self, alerts: &[Alert], now: Timestamp) {
        let firing = alerts.iter().filter(|alert| !alert.is_resolved(now));
        let severities = firing.map(|alert| alert.labels.get("severity").unwrap_or_default());
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for severity in severities {
            let is_known = counts.len() < SEVERITIES_MAX || counts.contains_key(severity);
            *counts
                .entry(if is_known { severity } else { "other" })
                .or_default() += 1;
        }
        self.active.clear();
        for (severity, count) in counts {
            let severity = severity.to_owned();
            self.active
                .get_or_create(&SeverityLabels { severity })
                .set(count);
        }
    }

    /// Counts the evaluation of a group.
    pub(crate) fn evaluated(&self, took: Duration, good: usize, failed: usize) {
        self.evaluation_time.observe(took.as_secs_f64());
        for (result, count) in [("success", good), ("failure", failed)] {
            let counter = self.evaluations.get_or_create(&ResultLabels { result });
            counter.inc_by(count as u64);
        }
    }

    /// Counts evaluations for which there was no time.
    pub(crate) fn missed(&self, count: u64) {
        self.missed.inc_by(count);
    }

    /// Counts a check that began so long after it was due.
    pub(crate) fn check_began(&self, lateness: Duration) {
        self.lateness.observe(lateness.as_secs_f64());
    }

    /// Shows how many monitors are in each state, and how many slots passed without a check since the start.
    pub(crate) fn set_monitors(&self, states: impl Iterator<Item = State>, skipped: u64) {
        let mut counts = [0_i64; STATES.len()];
        for state in states {
            if let Some(index) = STATES.iter().position(|(known, _)| *known == state) {
                counts[index] += 1;
            }
        }
        for ((_, state), count) in STATES.iter().zip(counts) {
            self.monitors
                .get_or_create(&StateLabels { state })
                .set(count);
        }
        let more = skipped.saturating_sub(self.skipped.get());
        self.skipped.inc_by(more);
    }

    /// All families.
    pub(crate) fn families(&self) -> Vec<MetricFamily> {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: a string takes all text");
        wire::exposition::families_of_client(&text)
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<(String, String), Failure>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is known of integrations that the configuration has no more.
    pub(crate) fn retain(&self, known: &BTreeSet<(String, String)>) {
        self.failures().retain(|key, _| known.contains(key));
    }
}

const STATES: [(State, &str); 4] = [
    (State::Pending, "pending"),
    (State::Up, "up"),
    (State::Down, "down"),
    (State::Unknown, "unknown"),
];

impl Default for AlertingMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("campanile");
        let histogram = |registry: &mut Registry, name: &str, help: &str, buckets: &[f64]| {
            let histogram = Histogram::new(buckets.iter().copied());
            registry.register(name, help, histogram.clone());
            histogram
        };
        let metrics = Self {
            notifications: add(
                &mut registry,
                "notifications",
                "Notifications whose outcome is known",
            ),
            attempts: add(
                &mut registry,
                "notification_attempts",
                "Attempts to send a message or a part of one",
            ),
            delay: histogram(
                &mut registry,
                "notification_delay_seconds",
                "Time from a notification's decision to its delivery",
                &DELAY_BUCKETS,
            ),
            active: add(&mut registry, "active_alerts", "Alerts that fire"),
            refused: add(
                &mut registry,
                "alerts_refused",
                "Alerts for which there was no room",
            ),
            evaluations: add(&mut registry, "rule_evaluations", "Evaluations of rules"),
            evaluation_time: histogram(
                &mut registry,
                "rule_group_duration_seconds",
                "Time that evaluations of groups of rules took",
                &EVALUATION_BUCKETS,
            ),
            missed: add(
                &mut registry,
                "rule_group_iterations_missed",
                "Evaluations of groups for which there was no time",
            ),
            monitors: add(&mut registry, "monitors", "Monitors by their state"),
            lateness: histogram(
                &mut registry,
                "check_lateness_seconds",
                "Time from when a check was due to its beginning",
                &LATENESS_BUCKETS,
            ),
            skipped: add(
                &mut registry,
                "checks_skipped",
                "Slots that passed without a check",
            ),
            failing: Mutex::default(),
            turns: Turns::default(),
            registry,
        };
        metrics.evaluated_nothing_yet();
        metrics
    }
}

impl AlertingMetrics {
    /// A counter that exists from the start shows its first increase too.
    fn evaluated_nothing_yet(&self) {
        for result in ["success", "failure"] {
            self.evaluations
                .get_or_create(&ResultLabels { result })
                .inc_by(0);
        }
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}
