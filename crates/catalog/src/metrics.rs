//! The catalog's own metrics, and how well it does its work.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{ComponentHealth, HealthState, MetricFamily, MetricKind, Timestamp};

use crate::error::Error;
use crate::file::beside;
use crate::place::Place;

/// The part's name in `/health`.
const COMPONENT: &str = "catalog";

/// What is counted, and how the last commit and the last question went.
pub(crate) struct Counters {
    commits: AtomicU64,
    commit_nanos: AtomicU64,
    errors: AtomicU64,
    pruned: AtomicU64,
    writing: Mutex<ComponentHealth>,
    reading: Mutex<ComponentHealth>,
}

impl Counters {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            commits: AtomicU64::new(0),
            commit_nanos: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            pruned: AtomicU64::new(0),
            writing: Mutex::new(healthy(now)),
            reading: Mutex::new(healthy(now)),
        }
    }

    pub(crate) fn count_commit(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.commit_nanos.fetch_add(nanos, Relaxed);
    }

    pub(crate) fn count_pruned(&self, rows: u64) {
        self.pruned.fetch_add(rows, Relaxed);
    }

    pub(crate) fn count_error(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// Notes how writing went; what was asked wrongly says nothing of the catalog.
    pub(crate) fn observe_writing<T>(&self, result: &Result<T, Error>, now: Timestamp) {
        let (state, reason) = match result {
            Ok(_) => (HealthState::Healthy, String::new()),
            Err(Error::Refused(_)) => return,
            Err(error @ Error::Unavailable { .. }) => (HealthState::Degraded, error.to_string()),
            Err(error) => (HealthState::Unhealthy, error.to_string()),
        };
        note(&self.writing, state, reason, now);
    }

    /// Notes how reading went. A row that is damaged says nothing of the others.
    pub(crate) fn observe_reading<T>(&self, result: &Result<T, Error>, now: Timestamp) {
        let (state, reason) = match result {
            Ok(_) => (HealthState::Healthy, String::new()),
            Err(error @ Error::Unavailable { .. }) => (HealthState::Degraded, error.to_string()),
            Err(_) => return,
        };
        note(&self.reading, state, reason, now);
    }

    pub(crate) fn health(&self) -> ComponentHealth {
        let writing = lock(&self.writing).clone();
        let reading = lock(&self.reading).clone();
        match writing.state == HealthState::Healthy && reading.state != HealthState::Healthy {
            true => reading,
            false => writing,
        }
    }

    /// All metrics of the catalog at a place.
    pub(crate) fn metrics(&self, place: &Place) -> Vec<MetricFamily> {
        let count = |counter: &AtomicU64| counter.load(Relaxed) as f64;
        let mut families = vec![
            (
                "campanile_catalog_commits_total",
                "Transactions of the catalog that were written.",
                count(&self.commits),
            ),
            (
                "campanile_catalog_commit_seconds_total",
                "Time that written transactions of the catalog took, waiting included.",
                count(&self.commit_nanos) / 1e9,
            ),
            (
                "campanile_catalog_errors_total",
                "Questions and transactions at which the catalog failed.",
                count(&self.errors),
            ),
            (
                "campanile_catalog_pruned_rows_total",
                "Rows of the catalog that were removed for their age or number.",
                count(&self.pruned),
            ),
        ];
        // How much a server keeps is the server's to tell.
        if let Place::File { path, .. } = place {
            let wal = beside(path, "-wal");
            let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
            families.push((
                "campanile_catalog_size_bytes",
                "Size of the catalog's file and of its log.",
                (size(path) + size(&wal)) as f64,
            ));
        }
        families.into_iter().map(family).collect()
    }
}

fn healthy(now: Timestamp) -> ComponentHealth {
    ComponentHealth {
        component: COMPONENT,
        state: HealthState::Healthy,
        since: now,
        reason: String::new(),
    }
}

fn note(condition: &Mutex<ComponentHealth>, state: HealthState, reason: String, now: Timestamp) {
    let mut condition = lock(condition);
    if condition.state != state {
        condition.since = now;
    }
    condition.state = state;
    condition.reason = reason;
}

fn lock(condition: &Mutex<ComponentHealth>) -> MutexGuard<'_, ComponentHealth> {
    condition.lock().unwrap_or_else(PoisonError::into_inner)
}

fn family((name, help, value): (&str, &str, f64)) -> MetricFamily {
    let kind = match name.ends_with("_total") {
        true => MetricKind::Counter,
        false => MetricKind::Gauge,
    };
    let mut family = MetricFamily::new(name, kind, help);
    let pushed = family.push(&[], value);
    pushed.expect("invariant: a point without labels is always taken");
    family
}
