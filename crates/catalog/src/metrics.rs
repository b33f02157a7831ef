//! The catalog's own metrics, and how well it does its work.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{ComponentHealth, HealthState, MetricFamily, MetricKind, Timestamp};

use crate::error::Error;
use crate::file::beside;

/// The part's name in `/health`.
const COMPONENT: &str = "catalog";

/// What is counted, and how the last commit went.
pub(crate) struct Counters {
    commits: AtomicU64,
    commit_nanos: AtomicU64,
    errors: AtomicU64,
    pruned: AtomicU64,
    condition: Mutex<ComponentHealth>,
}

impl Counters {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            commits: AtomicU64::new(0),
            commit_nanos: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            pruned: AtomicU64::new(0),
            condition: Mutex::new(ComponentHealth {
                component: COMPONENT,
                state: HealthState::Healthy,
                since: now,
                reason: String::new(),
            }),
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
    pub(crate) fn observe<T>(&self, result: &Result<T, Error>, now: Timestamp) {
        let (state, reason) = match result {
            Ok(_) => (HealthState::Healthy, String::new()),
            Err(Error::Refused(_)) => return,
            Err(error @ Error::Unavailable { .. }) => (HealthState::Degraded, error.to_string()),
            Err(error) => (HealthState::Unhealthy, error.to_string()),
        };
        let mut condition = self.lock();
        if condition.state != state {
            condition.since = now;
        }
        condition.state = state;
        condition.reason = reason;
    }

    pub(crate) fn health(&self) -> ComponentHealth {
        self.lock().clone()
    }

    /// All metrics of the catalog whose file is `path`.
    pub(crate) fn metrics(&self, path: &Path) -> Vec<MetricFamily> {
        let count = |counter: &AtomicU64| counter.load(Relaxed) as f64;
        let wal = beside(path, "-wal");
        let sizes = [path, &wal].map(|path| std::fs::metadata(path).map_or(0, |file| file.len()));
        let families = [
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
            (
                "campanile_catalog_size_bytes",
                "Size of the catalog's file and of its log.",
                sizes.iter().sum::<u64>() as f64,
            ),
        ];
        families.map(family).into()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ComponentHealth> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
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
