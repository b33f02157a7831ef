//! The store as others see it: open, both ports, health, close.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use model::{
    AppendError, Appended, Clock, ComponentHealth, Disk, HealthState, Labels, Metadata,
    MetricFamily, SampleBatch, SampleColumns, SampleSink, Scope, SelectedSeries, Selection,
    SeriesSource, SourceError, Timestamp,
};

use crate::append::Writer;
use crate::background::Background;
use crate::config::Config;
use crate::descriptions::Described;
use crate::error::Error;
use crate::recovery::{Recovery, disk_error};
use crate::series::Series;
use crate::shared::Shared;
use crate::wal::sync::SyncQueue;
use crate::wal::writer::LogWriter;

/// The name of the file whose lock keeps other servers out of the directory.
const LOCK_FILE: &str = "lock";

/// The directory of the log's segments.
const LOG_DIRECTORY: &str = "wal";

/// A time-series store in a directory.
///
/// What an append accepted survives the death of the process at once, and the loss of power a tenth of a second later.
/// Once the disk has refused a write or a sync, the store answers questions and takes nothing more.
pub struct Store {
    shared: Arc<Shared>,
    background: Mutex<Option<Background>>,
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

impl Store {
    /// Opens the store in `directory`, which is created if it does not exist, and reads its log.
    ///
    /// Errors: someone else has it open, the disk refuses, or a newer version wrote it. Broken records are no error.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<(Self, Recovery), Error> {
        let log_directory = directory.join(LOG_DIRECTORY);
        disk.create_directory(&log_directory)
            .map_err(disk_error("create", &log_directory))?;
        let lock_path = directory.join(LOCK_FILE);
        let lock = match disk.lock(&lock_path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Error::Locked { path: lock_path });
            }
            Err(error) => return Err(disk_error("lock", &lock_path)(error)),
        };
        disk.sync_directory(directory)
            .map_err(disk_error("sync", directory))?;
        let queue = Arc::new(SyncQueue::new(Arc::clone(&disk), log_directory.clone()));
        let log = LogWriter::new(
            Arc::clone(&disk),
            log_directory.clone(),
            config.segment_bytes,
            config.retention,
            Arc::clone(&queue),
        );
        let writer = Writer::new(log);
        let threads = config.threads;
        let shared = Arc::new(Shared::new(
            disk,
            clock,
            config,
            log_directory,
            queue,
            writer,
        ));
        let recovery = recover(&shared)?;
        let background = match threads {
            true => Some(Background::start(&shared).map_err(disk_error("watch", directory))?),
            false => None,
        };
        let store = Self {
            shared,
            background: Mutex::new(background),
            lock: Mutex::new(Some(lock)),
        };
        Ok((store, recovery))
    }

    /// Makes durable what was appended before the call. The store's own thread does it soon after each append.
    ///
    /// Errors: the disk refused, now or earlier.
    pub fn sync(&self) -> Result<(), Error> {
        self.shared.sync().map_err(log_error)
    }

    /// Drops what is older than the retention. The store's own thread does it now and then.
    pub fn maintain(&self, now: Timestamp) {
        self.shared.maintain(now);
    }

    /// How well the store does its work.
    pub fn health(&self) -> ComponentHealth {
        let (state, since, reason) = self.condition();
        ComponentHealth {
            component: "store",
            state,
            since,
            reason,
        }
    }

    /// The store's own metrics, `campanile_tsdb_…`.
    pub fn metrics(&self) -> Vec<MetricFamily> {
        self.shared.metrics()
    }

    /// Ends the threads, makes everything durable and lets others open the directory. Nothing is taken any more, but
    /// questions are still answered.
    ///
    /// Errors: the disk refused, now or earlier.
    pub fn close(&self) -> Result<(), Error> {
        drop(
            self.background
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        // Whoever is writing gets to the end of it before the last sync.
        let writer = self.shared.writer();
        self.shared.close();
        drop(writer);
        let failed = self.shared.failure().filter(|failure| !failure.closed);
        let synced = match failed {
            Some(failure) => Err(Error::Log(failure.reason.clone())),
            None => self.sync(),
        };
        drop(
            self.lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        synced
    }

    fn condition(&self) -> (HealthState, Timestamp, String) {
        if let Some(failure) = self.shared.failure() {
            return (
                HealthState::Unhealthy,
                failure.since,
                failure.reason.clone(),
            );
        }
        let shortage = self.shared.shortage();
        if let Some(since) = shortage.refused_since {
            let reason = format!(
                "samples are refused, because there is no room for them in {} bytes of memory: raise limits.memory",
                self.shared.config.memory_max
            );
            return (HealthState::Degraded, since, reason);
        }
        if let Some(since) = shortage.dropped_since {
            let reason = format!(
                "samples are dropped before their retention, because they take more than {} bytes of memory: \
                 raise limits.memory, or lower storage.retention",
                self.shared.config.memory_max
            );
            return (HealthState::Degraded, since, reason);
        }
        (HealthState::Healthy, self.shared.opened, String::new())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = %error, "the store was closed, and its last samples may be lost");
        }
    }
}

fn log_error(error: AppendError) -> Error {
    match error {
        AppendError::Storage(reason) | AppendError::TooLarge(reason) => Error::Log(reason),
    }
}

fn recover(shared: &Shared) -> Result<Recovery, Error> {
    let mut writer = shared.writer().map_err(log_error)?;
    let recovery = shared.recover(&mut writer)?;
    shared.counters.count_recovery(&recovery);
    shared.counters.observe(&writer);
    tracing::info!(
        segments = recovery.segments,
        bytes = recovery.bytes,
        samples = recovery.samples,
        series = recovery.series,
        duration_ms = recovery.elapsed.as_secs_f64() * 1000.0,
        "log read"
    );
    if recovery.torn_bytes > 0 {
        tracing::warn!(
            segment = recovery.torn_segment,
            offset = recovery.torn_offset,
            length = recovery.torn_bytes,
            "bytes were cut off the end of the log: an interrupted write, or damage"
        );
    }
    for broken in &recovery.broken {
        tracing::error!(
            segment = broken.segment,
            offset = broken.offset,
            length = broken.length,
            reason = broken.reason,
            "a broken part of the log was skipped"
        );
    }
    if recovery.samples_undefined > 0 || recovery.broken_records > recovery.broken.len() as u64 {
        tracing::error!(
            broken_records = recovery.broken_records,
            samples_undefined = recovery.samples_undefined,
            "broken parts of the log were skipped, in all"
        );
    }
    if recovery.records_unknown > 0 {
        let count = recovery.records_unknown;
        tracing::warn!(
            count,
            "records of the log are of a type that a newer version wrote"
        );
    }
    Ok(recovery)
}

impl SampleSink for Store {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        self.shared.append(batch)
    }

    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError> {
        let mut writer = self.shared.writer()?;
        self.shared.check()?;
        let mut changed = BTreeMap::new();
        {
            let mut known = self.shared.descriptions_mut();
            for (name, metadata) in descriptions {
                match known.set(name, metadata) {
                    Described::Changed => _ = changed.insert(name, metadata),
                    Described::Known => {}
                    Described::Refused => self.shared.counters.count_refused_description(),
                }
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        self.shared.begin(&mut writer)?;
        writer.log.metadata(changed);
        self.shared.commit(&mut writer)?;
        self.shared.counters.observe(&writer);
        Ok(())
    }
}

impl SeriesSource for Store {
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        let start = self.visible_from(selection.start);
        let end = selection.end.as_millis();
        let mut series = self.shared.index().select(&selection.matchers);
        series.retain(|series| series.overlaps(start, end));
        series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Ok(Box::new(Selected { series, start, end }))
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        let mut labels: Vec<_> = self
            .scoped(scope)
            .map(|series| series.labels.clone())
            .collect();
        labels.sort_unstable();
        limit(&mut labels, scope);
        Ok(labels)
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        let mut names = BTreeSet::new();
        for series in self.scoped(scope) {
            for (name, _) in series.labels.iter() {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
        }
        Ok(limited(names, scope))
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        if scope.selectors.is_empty() {
            let start = self.visible_from(scope.start);
            let end = scope.end.as_millis();
            let limit = match scope.limit {
                0 => usize::MAX,
                limit => limit,
            };
            let index = self.shared.index();
            return Ok(index.values(name, limit, |series| series.overlaps(start, end)));
        }
        let mut values = BTreeSet::new();
        for series in self.scoped(scope) {
            if let Some(value) = series.labels.get(name)
                && !values.contains(value)
            {
                values.insert(value.to_owned());
            }
        }
        Ok(limited(values, scope))
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        Ok(self.shared.descriptions().by_name().clone())
    }
}

impl Store {
    /// The series in scope, in no particular order.
    fn scoped(&self, scope: &Scope) -> impl Iterator<Item = Arc<Series>> {
        let start = self.visible_from(scope.start);
        let end = scope.end.as_millis();
        let series = self.shared.index().select_any(&scope.selectors);
        series
            .into_iter()
            .filter(move |series| series.overlaps(start, end))
    }

    /// Chunks may still hold samples below the floor, which nobody shall see.
    fn visible_from(&self, start: Timestamp) -> i64 {
        start
            .as_millis()
            .max(self.shared.floor.load(Ordering::Acquire))
    }
}

fn limited(names: BTreeSet<String>, scope: &Scope) -> Vec<String> {
    let mut names = names.into_iter().collect();
    limit(&mut names, scope);
    names
}

fn limit<T>(answers: &mut Vec<T>, scope: &Scope) {
    if scope.limit > 0 {
        answers.truncate(scope.limit);
    }
}

struct Selected {
    series: Vec<Arc<Series>>,
    start: i64,
    end: i64,
}

impl SelectedSeries for Selected {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.series[index].labels
    }

    fn read(&self, index: usize, columns: &mut SampleColumns) -> Result<(), SourceError> {
        self.series[index].read(self.start, self.end, columns);
        Ok(())
    }
}
