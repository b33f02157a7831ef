//! The store as these tests see it. What it cannot do yet is `None`; the tests then do without it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{
    HealthState, Matcher, SampleSink, SeriesSource, StorageAdmin, StorageError, Timestamp,
};
use testkit::{SimulatedClock, SimulatedDisk};

use crate::{Config, Error, Store};

/// What the random work is done on; a toy is there beside the store, to see that the work notices what is wrong.
pub(crate) trait Subject: SampleSink + SeriesSource + Sized {
    /// Whether what was acknowledged survives the loss of power at once. If not, it does so after `sync`.
    const ACKNOWLEDGED_IS_DURABLE: bool;

    /// Whether it takes samples again by itself once the disk is in order. If not, it is opened anew.
    const RECOVERS_BY_ITSELF: bool;

    fn open(
        disk: &SimulatedDisk,
        directory: &Path,
        clock: &Arc<SimulatedClock>,
        config: &Config,
    ) -> Result<Self, Error>;
    fn sync(&self) -> Result<(), Error>;
    fn maintain(&self, now: Timestamp);
    fn close(&self) -> Result<(), Error>;
    fn is_unhealthy(&self) -> bool;
    fn flush(&self) -> Option<Result<(), Error>>;
    fn compact(&self) -> Option<Result<bool, Error>>;
    fn delete(&self, selectors: &[Vec<Matcher>], start: i64, end: i64)
    -> Option<Result<(), Error>>;
    fn clean_tombstones(&self) -> Option<Result<(), Error>>;
    fn snapshot(&self) -> Option<Result<PathBuf, Error>>;
}

impl Subject for Store {
    const ACKNOWLEDGED_IS_DURABLE: bool = true;
    const RECOVERS_BY_ITSELF: bool = true;

    fn open(
        disk: &SimulatedDisk,
        directory: &Path,
        clock: &Arc<SimulatedClock>,
        config: &Config,
    ) -> Result<Self, Error> {
        let disk = Arc::new(disk.process());
        let (store, _) = Self::open(disk, directory, clock.clone(), config.clone())?;
        // It answers with what it could read, and health says so; here that is as good as an error.
        match store.shared.condition.has_unread() {
            true => Err(Error::Block("not all files can be read".to_owned())),
            false => Ok(store),
        }
    }

    fn sync(&self) -> Result<(), Error> {
        self.sync()
    }

    fn maintain(&self, now: Timestamp) {
        self.maintain(now);
    }

    fn close(&self) -> Result<(), Error> {
        self.close()
    }

    fn is_unhealthy(&self) -> bool {
        self.health().state == HealthState::Unhealthy
    }

    fn flush(&self) -> Option<Result<(), Error>> {
        Some(self.flush())
    }

    fn compact(&self) -> Option<Result<bool, Error>> {
        Some(self.compact())
    }

    fn delete(
        &self,
        selectors: &[Vec<Matcher>],
        start: i64,
        end: i64,
    ) -> Option<Result<(), Error>> {
        let [start, end] = [start, end].map(Timestamp::from_millis);
        Some(StorageAdmin::delete(self, selectors, start, end).map_err(failed))
    }

    fn clean_tombstones(&self) -> Option<Result<(), Error>> {
        Some(StorageAdmin::clean_tombstones(self).map_err(failed))
    }

    fn snapshot(&self) -> Option<Result<PathBuf, Error>> {
        let taken = StorageAdmin::snapshot(self, false).map_err(failed);
        Some(taken.map(|name| self.shared.directory().join("snapshots").join(name)))
    }
}

fn failed(error: StorageError) -> Error {
    Error::Refused(error.to_string())
}

/// The settings under which all that happens in weeks happens within some hundred steps.
pub(crate) fn config() -> Config {
    Config {
        memtable_bytes: 60_000,
        ..super::super::config()
    }
}

/// The settings under which the oldest blocks go when all together take more than so many bytes.
pub(crate) fn kept_by_bytes(config: Config, bytes: u64) -> Option<Config> {
    Some(Config {
        retention_bytes: bytes,
        ..config
    })
}
