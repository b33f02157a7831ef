//! The store's own metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use model::{Appended, MetricFamily, MetricKind, RejectReason};

use crate::recovery::Recovery;
use crate::shared::Shared;

/// What is counted as it happens.
#[derive(Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    histograms: AtomicU64,
    exemplars: AtomicU64,
    rejected: [AtomicU64; RejectReason::LABELS.len()],
    descriptions_refused: AtomicU64,
    failures: AtomicU64,
    set_aside: AtomicU64,
    flushes: AtomicU64,
    flushed_bytes: AtomicU64,
    flush_nanos: AtomicU64,
    compactions: AtomicU64,
    compacted_blocks: AtomicU64,
    compacted_bytes: AtomicU64,
    compaction_nanos: AtomicU64,
    dropped_blocks: AtomicU64,
    dropped_bytes: AtomicU64,
    broken_stretches: AtomicU64,
    torn_bytes: AtomicU64,
    recovery_nanos: AtomicU64,
}

impl Counters {
    pub(crate) fn count(&self, appended: &Appended) {
        self.accepted.fetch_add(appended.accepted as u64, Relaxed);
        self.histograms
            .fetch_add(appended.histograms as u64, Relaxed);
        self.exemplars.fetch_add(appended.exemplars as u64, Relaxed);
        for rejected in &appended.rejected {
            self.rejected[rejected.reason.index()].fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn count_refused_description(&self) {
        self.descriptions_refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_set_aside(&self) {
        self.set_aside.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_flush(&self, bytes: u64, elapsed: Duration) {
        self.flushes.fetch_add(1, Relaxed);
        self.flushed_bytes.fetch_add(bytes, Relaxed);
        self.flush_nanos.fetch_add(nanos(elapsed), Relaxed);
    }

    pub(crate) fn count_compaction(&self, blocks: usize, bytes: u64, elapsed: Duration) {
        self.compactions.fetch_add(1, Relaxed);
        self.compacted_blocks.fetch_add(blocks as u64, Relaxed);
        self.compacted_bytes.fetch_add(bytes, Relaxed);
        self.compaction_nanos.fetch_add(nanos(elapsed), Relaxed);
    }

    pub(crate) fn count_dropped(&self, bytes: u64) {
        self.dropped_blocks.fetch_add(1, Relaxed);
        self.dropped_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn count_recovery(&self, recovery: &Recovery) {
        let stretches = recovery.broken_stretches();
        self.broken_stretches.store(stretches, Relaxed);
        self.torn_bytes.store(recovery.torn_bytes(), Relaxed);
        self.recovery_nanos.store(nanos(recovery.elapsed), Relaxed);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Shared {
    /// All metrics of the store.
    pub(crate) fn metrics(&self) -> Vec<MetricFamily> {
        let mut families = vec![self.rejected(), self.questions_refused()];
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
        for (name, help, value) in self.counted() {
            add(name, help, value);
        }
        for (name, help, value) in self.standing() {
            add(name, help, value);
        }
        if let Some((oldest, newest)) = self.view().range() {
            let seconds = |millis: i64| millis as f64 / 1e3;
            add(
                "oldest_timestamp_seconds",
                "Time of the oldest sample.",
                seconds(oldest),
            );
            add(
                "newest_timestamp_seconds",
                "Time of the newest sample.",
                seconds(newest),
            );
        }
        families
    }

    fn rejected(&self) -> MetricFamily {
        let mut rejected = MetricFamily::new(
            "campanile_tsdb_samples_rejected_total",
            MetricKind::Counter,
            "Samples refused, by reason.",
        );
        let reasons = RejectReason::LABELS.iter();
        for (reason, counter) in reasons.zip(&self.counters.rejected) {
            push(
                &mut rejected,
                &[("reason", reason)],
                counter.load(Relaxed) as f64,
            );
        }
        rejected
    }

    fn questions_refused(&self) -> MetricFamily {
        let mut refused = MetricFamily::new(
            "campanile_tsdb_questions_refused_total",
            MetricKind::Counter,
            "Questions for which there was no memory: too large by themselves, or because of others at the same time.",
        );
        let budget = &self.budget;
        push(
            &mut refused,
            &[("reason", "too_large")],
            budget.refused_large() as f64,
        );
        push(
            &mut refused,
            &[("reason", "busy")],
            budget.refused_busy() as f64,
        );
        refused
    }

    /// What was counted since the start.
    fn counted(&self) -> [(&'static str, &'static str, f64); 25] {
        let counters = &self.counters;
        let count = |counter: &AtomicU64| counter.load(Relaxed) as f64;
        let seconds = |counter: &AtomicU64| counter.load(Relaxed) as f64 / 1e9;
        let log = self.commits.statistics();
        let pages = self.pages.statistics();
        [
            (
                "samples_appended_total",
                "Samples accepted.",
                count(&counters.accepted),
            ),
            (
                "histograms_appended_total",
                "Native histograms accepted.",
                count(&counters.histograms),
            ),
            (
                "exemplars_appended_total",
                "Exemplars accepted.",
                count(&counters.exemplars),
            ),
            (
                "descriptions_refused_total",
                "Descriptions of metrics for which there was no room.",
                count(&counters.descriptions_refused),
            ),
            (
                "read_only_total",
                "How often the disk refused, so that nothing was taken until it recovered.",
                count(&counters.failures),
            ),
            (
                "files_damaged_total",
                "Files found damaged since the start.",
                count(&counters.set_aside),
            ),
            (
                "flushes_total",
                "Memtables written into blocks.",
                count(&counters.flushes),
            ),
            (
                "flushed_bytes_total",
                "Bytes of blocks written from memory.",
                count(&counters.flushed_bytes),
            ),
            (
                "flush_seconds_total",
                "Time that writing memtables took.",
                seconds(&counters.flush_nanos),
            ),
            (
                "compactions_total",
                "Merges of blocks.",
                count(&counters.compactions),
            ),
            (
                "compacted_blocks_total",
                "Blocks merged into others.",
                count(&counters.compacted_blocks),
            ),
            (
                "compacted_bytes_total",
                "Bytes of blocks written by merges.",
                count(&counters.compacted_bytes),
            ),
            (
                "compaction_seconds_total",
                "Time that merges took.",
                seconds(&counters.compaction_nanos),
            ),
            (
                "blocks_dropped_total",
                "Blocks removed by retention.",
                count(&counters.dropped_blocks),
            ),
            (
                "blocks_dropped_bytes_total",
                "Bytes of blocks removed by retention.",
                count(&counters.dropped_bytes),
            ),
            (
                "wal_written_bytes_total",
                "Bytes written to the log.",
                log.bytes as f64,
            ),
            (
                "wal_commits_total",
                "Writes of the log, each for all batches that waited.",
                log.commits as f64,
            ),
            ("wal_syncs_total", "Syncs of the log.", log.syncs as f64),
            (
                "wal_sync_seconds_total",
                "Time that syncs of the log took.",
                log.sync_time.as_secs_f64(),
            ),
            (
                "wal_failures_total",
                "Writes or syncs of the log that failed.",
                log.failures as f64,
            ),
            (
                "page_hits_total",
                "Pages of blocks found in memory.",
                pages.hits as f64,
            ),
            (
                "page_misses_total",
                "Pages of blocks read from disk.",
                pages.misses as f64,
            ),
            (
                "wal_broken_records",
                "Broken stretches of the log that the last start skipped.",
                count(&counters.broken_stretches),
            ),
            (
                "wal_torn_bytes",
                "Bytes at the end of the log that were no whole record at the last start: an interrupted write, or damage.",
                count(&counters.torn_bytes),
            ),
            (
                "recovery_seconds",
                "Time that the last start took to read blocks and log.",
                seconds(&counters.recovery_nanos),
            ),
        ]
    }

    /// How things stand.
    fn standing(&self) -> [(&'static str, &'static str, f64); 14] {
        let view = self.view();
        let samples: u64 = view
            .memtables
            .iter()
            .map(|memtable| memtable.samples())
            .sum();
        let memtables = view.memtables_memory();
        let log = self.commits.statistics();
        let read_only = self.condition.is_read_only().is_some();
        [
            ("head_series", "Series in memory.", self.series.len() as f64),
            ("head_samples", "Samples in memory.", samples as f64),
            (
                "memory_bytes",
                "Memory of series, samples and pages, as the store reckons it.",
                self.memory() as f64,
            ),
            (
                "memtable_bytes",
                "Memory of samples that are not in a block yet.",
                memtables as f64,
            ),
            (
                "index_bytes",
                "Memory of series and their labels.",
                self.series_memory() as f64,
            ),
            (
                "page_bytes",
                "Memory of pages of blocks that were read.",
                self.pages.memory() as f64,
            ),
            (
                "memory_limit_bytes",
                "Memory that the store may take; 0 is no limit.",
                self.config().memory_max as f64,
            ),
            ("wal_bytes", "Size of the log.", self.log_bytes() as f64),
            (
                "wal_waiting",
                "Appends that wait for the log.",
                log.waiting as f64,
            ),
            ("blocks", "Blocks.", view.blocks.len() as f64),
            ("blocks_bytes", "Size of all blocks.", view.bytes() as f64),
            (
                "question_bytes",
                "Memory reserved to answer questions.",
                self.budget.reserved() as f64,
            ),
            (
                "question_limit_bytes",
                "Memory that all questions together may take; 0 is no limit.",
                self.budget.bytes_max() as f64,
            ),
            (
                "read_only",
                "Whether the disk refused and nothing is taken.",
                f64::from(u8::from(read_only)),
            ),
        ]
    }
}

fn push(family: &mut MetricFamily, labels: &[(&str, &str)], value: f64) {
    let pushed = family.push(labels, value);
    pushed.expect("invariant: the labels of own metrics are short and distinct");
}
