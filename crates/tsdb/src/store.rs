//! The store as others see it: open, the ports, health, close.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use model::{
    Announcement, AppendError, Appended, Budget, Clock, ComponentHealth, Disk, Exemplar, Labels,
    Metadata, MetricFamily, SampleBatch, SampleSink, Scope, SelectedSeries, Selection,
    SeriesSource, SourceError, Timestamp,
};

use crate::background::Background;
use crate::config::Config;
use crate::descriptions::Described;
use crate::error::Error;
use crate::files::disk_error;
use crate::recovery::Recovery;
use crate::selected::Selected;
use crate::shared::Shared;

/// The name of the file whose lock keeps other servers out of the directory.
pub(crate) const LOCK_FILE: &str = "lock";

/// A log as short as this is read again at the next start; a longer one becomes blocks when the store is closed.
const CLOSED_LOG_MAX: u64 = 256 << 10;

/// A time-series store in a directory.
///
/// What an append accepted is durable, unless the configuration says otherwise. When the disk refuses, the store answers
/// questions and takes nothing more until the disk recovers.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    background: Mutex<Option<Background>>,
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

impl Store {
    /// Opens the store in `directory`, which is created if it does not exist.
    ///
    /// Errors: someone else has it open, the directory cannot be created, listed or locked, a file in it may not be read,
    /// or a newer version wrote it. Broken files are no error: they are set aside, and what is broken in a log is skipped.
    /// Files that the disk refuses to read are left as they are. If nothing can be written, the store answers questions
    /// and takes nothing until the disk recovers.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<(Self, Recovery), Error> {
        let threads = config.threads;
        let shared = Arc::new(Shared::new(Arc::clone(&disk), clock, config, directory));
        for path in [&shared.log_directory, &shared.block_directory] {
            create_directory(&*disk, path)?;
        }
        let lock_path = directory.join(LOCK_FILE);
        let lock = match disk.lock(&lock_path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Error::Locked { path: lock_path });
            }
            Err(error) => return Err(disk_error("lock", &lock_path)(error)),
        };
        let recovery = shared.recover()?;
        shared.remove_incomplete_snapshots();
        shared.counters.count_recovery(&recovery);
        tracing::info!(
            blocks = recovery.blocks,
            logs = recovery.logs.len(),
            samples_in_logs = recovery.samples(),
            series_in_logs = recovery.series,
            duration_ms = recovery.elapsed.as_secs_f64() * 1000.0,
            "store opened"
        );
        let background = match threads {
            true => Some(Background::start(&shared).map_err(disk_error("watch", directory))?),
            false => None,
        };
        // What the logs held becomes blocks.
        shared.signal.wake();
        let store = Self {
            shared,
            background: Mutex::new(background),
            lock: Mutex::new(Some(lock)),
        };
        Ok((store, recovery))
    }

    /// Makes durable what was appended before the call.
    ///
    /// Errors: the disk refused, now or earlier.
    pub fn sync(&self) -> Result<(), Error> {
        self.shared
            .commits
            .sync()
            .map_err(|failure| self.shared.log_failed(&failure).into())
    }

    /// Moves everything in memory into blocks.
    ///
    /// Errors: the disk refused, or the store was closed; everything is still in memory and in the log.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.require_open()?;
        self.shared.flush_all()
    }

    /// Does the most useful merge of blocks that can be done; false if there is nothing to do.
    ///
    /// Errors: the store was closed, or nothing else is to be done than what the disk refused or what is damaged;
    /// everything is as before.
    pub fn compact(&self) -> Result<bool, Error> {
        self.shared.compact_once()
    }

    /// Does what is due at `now`: looks whether the disk has room or has recovered, writes what was long in memory, and
    /// keeps the retention. The store's own threads do it now and then.
    pub fn maintain(&self, now: Timestamp) {
        if self.shared.condition.is_closed() {
            return;
        }
        self.shared.tick();
        self.shared.flush_frozen();
        self.shared.maintain(now);
    }

    /// Changes what is set, from the next append and the next round of maintenance on. What a running store cannot change
    /// stays as it was: when appends are acknowledged, the threads, the memory for pages of blocks.
    pub fn reconfigure(&self, config: Config) {
        self.shared.configure(config);
    }

    /// How well the store does its work.
    pub fn health(&self) -> ComponentHealth {
        self.shared.notice_damage();
        let now = self.shared.clock.now();
        let (state, since, reason) = self.shared.condition.health(now);
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
        self.shared.signal.stop();
        drop(lock(&self.background).take());
        let Some(held) = lock(&self.lock).take() else {
            return Ok(());
        };
        let shared = &self.shared;
        // Whoever is writing gets to the end of it first.
        let writer = shared.writer();
        let failed = shared.condition.failure();
        shared.condition.close(shared.clock.now());
        drop(writer);
        // Whoever changes files gets to the end of it too, merges soon, and nobody begins.
        drop((shared.compacting(), shared.changing()));
        let closed = match failed {
            Some(reason) => Err(Error::Log(reason)),
            None => self.settle(),
        };
        drop(held);
        closed
    }

    fn settle(&self) -> Result<(), Error> {
        let shared = &self.shared;
        if shared.log_bytes() > CLOSED_LOG_MAX
            && let Err(error) = shared.flush_all()
        {
            // The log has it all.
            tracing::warn!(error = %error, "samples in memory cannot be moved to disk");
        }
        shared.commits.close().map_err(Error::from)
    }

    /// Ends as a process does that is killed: nothing more is written. For tests.
    #[cfg(test)]
    pub(crate) fn kill(self) {
        drop(lock(&self.background).take());
        self.shared.condition.close(self.shared.clock.now());
        drop(lock(&self.lock).take());
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = %error, "the store was closed, and its last samples may be lost");
        }
    }
}

/// Creates a directory with those above it; the names of those that are new are durable.
fn create_directory(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let is_absent = |path: &&Path| {
        let listed = disk.list(path);
        listed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    // The root and the working directory are there.
    let above = path.ancestors().filter(|path| path.parent().is_some());
    let absent: Vec<_> = above.take_while(is_absent).collect();
    disk.create_directory(path)
        .map_err(disk_error("create", path))?;
    for new in absent {
        let parent = match new.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        match disk.sync_directory(parent) {
            // Who may write to a directory need not be allowed to open it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(disk_error("sync", parent))?,
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SampleSink for Store {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        self.shared.append(batch)
    }

    fn announce(&self) -> Announcement {
        self.shared.commits.announcements().announce()
    }

    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError> {
        let shared = &self.shared;
        shared.wait_for_room()?;
        let mut writer = shared.writer()?;
        shared.condition.check()?;
        let mut changed = BTreeMap::new();
        {
            let mut known = shared.descriptions_mut();
            for (name, metadata) in descriptions {
                match known.set(name, metadata) {
                    Described::Changed => _ = changed.insert(name, metadata),
                    Described::Known => {}
                    Described::Refused => shared.counters.count_refused_description(),
                }
            }
        }
        // What is known may be on its way only: also without anything new it is waited for.
        for (name, metadata) in changed {
            writer
                .encoder()
                .describe(name, metadata)
                .map_err(|error| AppendError::TooLarge(error.to_string()))?;
        }
        let ticket = shared.publish(&mut writer);
        drop(writer);
        shared
            .commits
            .wait(ticket)
            .map_err(|failure| shared.log_failed(&failure))
    }
}

impl SeriesSource for Store {
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        let selectors = std::slice::from_ref(&selection.matchers);
        let (start, end) = (selection.start.as_millis(), selection.end.as_millis());
        Ok(Box::new(self.shared.select(
            selectors,
            start,
            end,
            self.shared.budget.reservation(),
        )?))
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        let (mut labels, _memory) = self.scoped(scope)?.into_labels();
        limit(&mut labels, scope);
        Ok(labels)
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        let mut names = match scope.selectors.is_empty() {
            true => self.shared.all_label_names(scope)?,
            false => self.scoped(scope)?.into_words(|labels, names| {
                labels.iter().try_for_each(|(name, _)| names.add(name))
            })?,
        };
        limit(&mut names, scope);
        Ok(names)
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        let mut values = match scope.selectors.is_empty() {
            true => self.shared.all_label_values(name, scope)?,
            false => self.scoped(scope)?.into_words(|labels, values| {
                labels.get(name).map_or(Ok(()), |value| values.add(value))
            })?,
        };
        limit(&mut values, scope);
        Ok(values)
    }

    fn budget(&self) -> Budget {
        self.shared.budget.clone()
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        Ok(self.shared.descriptions().by_name().clone())
    }

    fn exemplars(&self, scope: &Scope) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
        let selected = self.scoped(scope)?;
        let mut all = Vec::new();
        for index in 0..selected.len() {
            let exemplars = selected.exemplars(index)?;
            if !exemplars.is_empty() {
                all.push((selected.labels(index).clone(), exemplars));
            }
        }
        limit(&mut all, scope);
        Ok(all)
    }
}

impl Store {
    fn scoped(&self, scope: &Scope) -> Result<Selected, SourceError> {
        let (start, end) = (scope.start.as_millis(), scope.end.as_millis());
        let memory = self.shared.budget.reservation();
        self.shared.select(&scope.selectors, start, end, memory)
    }
}

fn limit<T>(answers: &mut Vec<T>, scope: &Scope) {
    if scope.limit > 0 {
        answers.truncate(scope.limit);
    }
}
