//! What the store, its threads and its readers share, and how it fails.
//!
//! Locks are taken in this order: the writer, the descriptions, the index, one series. Only the writer's is held
//! during I/O.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};

use model::{AppendError, Clock, Disk, Timestamp};

use crate::append::Writer;
use crate::background::Signal;
use crate::config::Config;
use crate::descriptions::Descriptions;
use crate::index::Index;
use crate::metrics::Counters;
use crate::table::NEVER;
use crate::wal::sync::SyncQueue;

/// The state of a store.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    /// Where the segments of the log are.
    pub(crate) log_directory: PathBuf,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) descriptions: RwLock<Descriptions>,
    pub(crate) index: RwLock<Index>,
    pub(crate) queue: Arc<SyncQueue>,
    /// Samples older than this are gone, or go with the next round.
    pub(crate) floor: AtomicI64,
    pub(crate) counters: Counters,
    pub(crate) signal: Signal,
    shortage: Mutex<Shortage>,
    pub(crate) opened: Timestamp,
    failure: OnceLock<Failure>,
}

/// What the want of memory has led to.
pub(crate) struct Shortage {
    /// Since when samples are dropped before their retention.
    pub(crate) dropped_since: Option<Timestamp>,
    /// Since when samples are refused.
    pub(crate) refused_since: Option<Timestamp>,
    /// When one was refused last; long before all time if none ever was.
    pub(crate) refused_last: Timestamp,
}

impl Default for Shortage {
    fn default() -> Self {
        Self {
            dropped_since: None,
            refused_since: None,
            refused_last: Timestamp::MIN,
        }
    }
}

/// Why the store takes nothing any more.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) since: Timestamp,
    pub(crate) reason: String,
    /// It was closed, which is no fault.
    pub(crate) closed: bool,
}

impl Shared {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        config: Config,
        log_directory: PathBuf,
        queue: Arc<SyncQueue>,
        writer: Writer,
    ) -> Self {
        Self {
            opened: clock.now(),
            disk,
            clock,
            config,
            log_directory,
            writer: Mutex::new(writer),
            descriptions: RwLock::default(),
            index: RwLock::default(),
            queue,
            floor: AtomicI64::new(NEVER),
            counters: Counters::default(),
            signal: Signal::default(),
            shortage: Mutex::new(Shortage::default()),
            failure: OnceLock::new(),
        }
    }

    /// Makes durable what was written before the call.
    ///
    /// Errors: the disk refused, now or earlier; the store takes nothing any more.
    pub(crate) fn sync(&self) -> Result<(), AppendError> {
        let start = self.clock.monotonic();
        let synced = self.queue.sync();
        let elapsed = self.clock.monotonic().saturating_sub(start);
        match synced {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.counters.count_sync(elapsed);
                Ok(())
            }
            Err(error) => Err(self.fail("sync", &error)),
        }
    }

    /// Notes that the disk refused. What is durable is then unknown, so nothing more is taken.
    pub(crate) fn fail(&self, action: &str, error: &io::Error) -> AppendError {
        let path = self.log_directory.display();
        self.stop(format!(
            "cannot {action} {path}: {error}; restart once the disk is in order"
        ))
    }

    fn stop(&self, reason: String) -> AppendError {
        let failure = Failure {
            since: self.clock.now(),
            reason,
            closed: false,
        };
        if self.failure.set(failure.clone()).is_ok() {
            self.counters.count_failure();
            tracing::error!(reason = failure.reason, "the store takes nothing any more");
        }
        let first = self.failure.get().unwrap_or(&failure);
        AppendError::Storage(first.reason.clone())
    }

    /// Notes that the store was closed.
    pub(crate) fn close(&self) {
        let reason = "the store is closed".to_owned();
        // A failure stays what it is.
        let _ = self.failure.set(Failure {
            since: self.clock.now(),
            reason,
            closed: true,
        });
    }

    /// Whether the store takes anything.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        match self.failure.get() {
            None => Ok(()),
            Some(failure) => Err(AppendError::Storage(failure.reason.clone())),
        }
    }

    pub(crate) fn shortage(&self) -> MutexGuard<'_, Shortage> {
        let shortage = self.shortage.lock();
        shortage.expect("invariant: setting it does not panic")
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    /// The oldest timestamp that is kept.
    pub(crate) fn oldest(&self, now: Timestamp) -> i64 {
        let floor = self.floor.load(Ordering::Acquire);
        match self.config.retention {
            retention if retention.is_zero() => floor,
            retention => floor.max((now - retention).as_millis()),
        }
    }

    /// Waits for its turn to write.
    ///
    /// Errors: someone panicked while writing, and nobody knows how far they came. Decoding keys is others' code.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Writer>, AppendError> {
        let panicked = |_| self.stop("a panic interrupted a write; restart".to_owned());
        self.writer.lock().map_err(panicked)
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index
            .read()
            .expect("invariant: no one panics while changing the index")
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index
            .write()
            .expect("invariant: no one panics while holding the index")
    }

    pub(crate) fn descriptions(&self) -> RwLockReadGuard<'_, Descriptions> {
        self.descriptions
            .read()
            .expect("invariant: no one panics while describing")
    }

    pub(crate) fn descriptions_mut(&self) -> RwLockWriteGuard<'_, Descriptions> {
        self.descriptions
            .write()
            .expect("invariant: no one panics while describing")
    }
}
