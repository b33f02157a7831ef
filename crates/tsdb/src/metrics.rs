//! The store's own metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use model::{Appended, MetricFamily, MetricKind, RejectReason};

use crate::append::Writer;
use crate::recovery::Recovery;
use crate::shared::Shared;

/// What is counted, and how things stood after the last batch. So nobody waits for the writer to see the metrics.
#[derive(Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    rejected: [AtomicU64; RejectReason::LABELS.len()],
    descriptions_refused: AtomicU64,
    syncs: AtomicU64,
    sync_nanos: AtomicU64,
    failures: AtomicU64,
    trims: AtomicU64,
    trimmed_bytes: AtomicU64,
    broken_records: AtomicU64,
    torn_bytes: AtomicU64,
    recovery_nanos: AtomicU64,
    series: AtomicU64,
    memory: AtomicU64,
    segments: AtomicU64,
    log_bytes: AtomicU64,
    /// Milliseconds; meaningless without series.
    oldest: AtomicI64,
    newest: AtomicI64,
}

impl Counters {
    pub(crate) fn count(&self, appended: &Appended) {
        self.accepted.fetch_add(appended.accepted as u64, Relaxed);
        for rejected in &appended.rejected {
            self.rejected[rejected.reason.index()].fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn count_refused_description(&self) {
        self.descriptions_refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_sync(&self, elapsed: Duration) {
        self.syncs.fetch_add(1, Relaxed);
        self.sync_nanos.fetch_add(nanos(elapsed), Relaxed);
    }

    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_trim(&self, bytes: usize) {
        self.trims.fetch_add(1, Relaxed);
        self.trimmed_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn count_recovery(&self, recovery: &Recovery) {
        self.broken_records.store(recovery.broken_records, Relaxed);
        self.torn_bytes.store(recovery.torn_bytes, Relaxed);
        self.recovery_nanos.store(nanos(recovery.elapsed), Relaxed);
    }

    /// Notes how things stand.
    pub(crate) fn observe(&self, writer: &Writer) {
        let (segments, log_bytes) = writer.log.size();
        let (oldest, newest) = writer.range.unwrap_or_default();
        self.series.store(writer.table.len() as u64, Relaxed);
        self.memory.store(writer.memory() as u64, Relaxed);
        self.segments.store(segments as u64, Relaxed);
        self.log_bytes.store(log_bytes, Relaxed);
        self.oldest.store(oldest, Relaxed);
        self.newest.store(newest, Relaxed);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Shared {
    /// All metrics of the store.
    pub(crate) fn metrics(&self) -> Vec<MetricFamily> {
        let counters = &self.counters;
        let count = |counter: &AtomicU64| counter.load(Relaxed) as f64;
        let seconds = |counter: &AtomicU64| counter.load(Relaxed) as f64 / 1e9;
        let time = |millis: &AtomicI64| millis.load(Relaxed) as f64 / 1e3;
        let mut rejected = MetricFamily::new(
            "campanile_tsdb_samples_rejected_total",
            MetricKind::Counter,
            "Samples refused, by reason.",
        );
        for (reason, counter) in RejectReason::LABELS.iter().zip(&counters.rejected) {
            push(&mut rejected, &[("reason", reason)], count(counter));
        }
        let mut families = vec![rejected];
        let mut add = |name: &str, help: &str, value: f64| {
            let name = format!("campanile_tsdb_{name}");
            let kind = match name.ends_with("_total") {
                true => MetricKind::Counter,
                false => MetricKind::Gauge,
            };
            let mut family = MetricFamily::new(name, kind, help);
            push(&mut family, &[], value);
            families.push(family);
        };
        add(
            "samples_appended_total",
            "Samples accepted.",
            count(&counters.accepted),
        );
        add(
            "descriptions_refused_total",
            "Descriptions of metrics for which there was no room.",
            count(&counters.descriptions_refused),
        );
        add(
            "head_series",
            "Series with samples.",
            count(&counters.series),
        );
        add(
            "memory_bytes",
            "Memory that series and samples take, as the store reckons it.",
            count(&counters.memory),
        );
        add(
            "memory_limit_bytes",
            "Memory that series and samples may take; 0 is no limit.",
            self.config.memory_max as f64,
        );
        add(
            "memory_trims_total",
            "How often samples were dropped before their retention for want of memory.",
            count(&counters.trims),
        );
        add(
            "memory_trimmed_bytes_total",
            "Memory of samples that were dropped before their retention.",
            count(&counters.trimmed_bytes),
        );
        add("wal_bytes", "Size of the log.", count(&counters.log_bytes));
        add(
            "wal_segments",
            "Segments of the log.",
            count(&counters.segments),
        );
        add(
            "wal_syncs_total",
            "Syncs of the log.",
            count(&counters.syncs),
        );
        add(
            "wal_sync_seconds_total",
            "Time that syncs of the log took.",
            seconds(&counters.sync_nanos),
        );
        add(
            "wal_failures_total",
            "Writes or syncs of the log that failed; after one nothing more is taken.",
            count(&counters.failures),
        );
        add(
            "wal_broken_records",
            "Broken records that the last start skipped.",
            count(&counters.broken_records),
        );
        add(
            "wal_torn_bytes",
            "Bytes that the last start cut off the end of the log: an interrupted write, or damage.",
            count(&counters.torn_bytes),
        );
        add(
            "recovery_seconds",
            "Time that the last start took to read the log.",
            seconds(&counters.recovery_nanos),
        );
        if counters.series.load(Relaxed) > 0 {
            add(
                "oldest_timestamp_seconds",
                "Time of the oldest sample.",
                time(&counters.oldest),
            );
            add(
                "newest_timestamp_seconds",
                "Time of the newest sample.",
                time(&counters.newest),
            );
        }
        families
    }
}

fn push(family: &mut MetricFamily, labels: &[(&str, &str)], value: f64) {
    let pushed = family.push(labels, value);
    pushed.expect("invariant: the labels of own metrics are short and distinct");
}
