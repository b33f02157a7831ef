//! What the collections have come to: the last two, who fails since when, and the counts that `/metrics` shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{ComponentHealth, HealthState, MetricFamily, MetricKind, Timestamp};
use tracing::{info, warn};

use super::{Collection, Failure};

const COMPONENT: &str = "host";

/// Counts and conditions; pure but for the log lines.
pub(crate) struct State {
    previous: Option<Arc<Collection>>,
    latest: Option<Arc<Collection>>,
    /// Failures that are faults, as of the last collection.
    failing: BTreeMap<&'static str, Failure>,
    last_success: BTreeMap<String, Timestamp>,
    health_since: Timestamp,
    complete: u64,
    partial: u64,
    duration: Duration,
    pub(crate) ticks_missed: u64,
    pub(crate) samples_accepted: u64,
    pub(crate) samples_rejected: u64,
    pub(crate) appends_failed: u64,
}

impl State {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            previous: None,
            latest: None,
            failing: BTreeMap::new(),
            last_success: BTreeMap::new(),
            health_since: now,
            complete: 0,
            partial: 0,
            duration: Duration::ZERO,
            ticks_missed: 0,
            samples_accepted: 0,
            samples_rejected: 0,
            appends_failed: 0,
        }
    }

    pub(crate) fn latest(&self) -> Option<Arc<Collection>> {
        self.latest.clone()
    }

    /// The collection before the last, and the last.
    pub(crate) fn last_two(&self) -> Option<(Arc<Collection>, Arc<Collection>)> {
        self.previous.clone().zip(self.latest.clone())
    }

    /// Makes a collection the latest. What begins or ceases to fail is logged.
    pub(crate) fn accept(&mut self, collection: Arc<Collection>, took: Duration) {
        let faults = collection
            .failures
            .iter()
            .filter(|(_, failure)| !failure.no_data);
        let failing: BTreeMap<_, _> = faults.map(|(name, why)| (*name, why.clone())).collect();
        for (name, failure) in &failing {
            if !self.failing.contains_key(name) {
                warn!(collector = name, reason = %failure.reason, "collector failed");
            }
        }
        for name in self.failing.keys() {
            if !failing.contains_key(name) {
                info!(collector = name, "collector works again");
            }
        }
        if failing.is_empty() != self.failing.is_empty() {
            self.health_since = collection.timestamp;
        }
        if failing.is_empty() {
            self.complete += 1;
        } else {
            self.partial += 1;
        }
        self.failing = failing;
        for name in succeeded(&collection) {
            self.last_success
                .insert(name.to_owned(), collection.timestamp);
        }
        self.duration = took;
        self.previous = self.latest.replace(collection);
    }

    pub(crate) fn health(&self, now: Timestamp) -> ComponentHealth {
        let reasons: Vec<String> = self
            .failing
            .iter()
            .map(|(name, failure)| {
                let last = match self.last_success.get(*name) {
                    Some(last) => format!("last good {} s ago", now.since(*last).as_secs()),
                    None => "never good".to_owned(),
                };
                format!("{name}: {}, {last}", failure.reason)
            })
            .collect();
        let state = if reasons.is_empty() {
            HealthState::Healthy
        } else {
            HealthState::Degraded
        };
        ComponentHealth {
            component: COMPONENT,
            state,
            since: self.health_since,
            reason: reasons.join("; "),
        }
    }

    pub(crate) fn metrics(&self) -> Vec<MetricFamily> {
        use MetricKind::{Counter, Gauge};
        let mut families = Vec::new();
        let mut add = |name, kind, help, points: &[(&[(&str, &str)], f64)]| {
            let mut family = MetricFamily::new(name, kind, help);
            for (labels, value) in points {
                family
                    .push(labels, *value)
                    .expect("invariant: own labels are short and distinct");
            }
            families.push(family);
        };
        add(
            "campanile_collection_append_failures_total",
            Counter,
            "Collections that the store refused as a whole.",
            &[(&[], self.appends_failed as f64)],
        );
        add(
            "campanile_collection_duration_seconds",
            Gauge,
            "How long the last collection of host metrics took.",
            &[(&[], self.duration.as_secs_f64())],
        );
        add(
            "campanile_collection_samples_total",
            Counter,
            "Samples of host metrics by what the store did with them.",
            &[
                (&[("result", "accepted")], self.samples_accepted as f64),
                (&[("result", "rejected")], self.samples_rejected as f64),
            ],
        );
        add(
            "campanile_collection_ticks_missed_total",
            Counter,
            "Moments at which a collection was due while another was under way.",
            &[(&[], self.ticks_missed as f64)],
        );
        add(
            "campanile_collections_total",
            Counter,
            "Collections of host metrics; partial are those in which a collector failed.",
            &[
                (&[("result", "partial")], self.partial as f64),
                (&[("result", "success")], self.complete as f64),
            ],
        );
        let last_success: Vec<([(&str, &str); 1], f64)> = self
            .last_success
            .iter()
            .map(|(name, at)| ([("collector", name.as_str())], at.as_seconds()))
            .collect();
        let points: Vec<(&[(&str, &str)], f64)> = last_success
            .iter()
            .map(|(labels, at)| (labels.as_slice(), *at))
            .collect();
        add(
            "campanile_collector_last_success_timestamp_seconds",
            Gauge,
            "When each collector last yielded all it should.",
            &points,
        );
        families.retain(|family| !family.points.is_empty());
        families
    }
}

/// The collectors that yielded all they should.
fn succeeded(collection: &Collection) -> impl Iterator<Item = &str> {
    let success = collection
        .families
        .iter()
        .find(|family| family.name == "node_scrape_collector_success");
    let points = success.into_iter().flat_map(|family| &family.points);
    points
        .filter(|point| point.value == 1.0)
        .filter_map(|point| point.labels.get("collector"))
}
