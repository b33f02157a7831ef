//! The catalog as others see it: open, write, read, health, close.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{
    Clock, ComponentHealth, MetricFamily, NotificationQuery, NotificationRecord, Timestamp,
};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqlitePool, SqlitePoolOptions};

use crate::changes::Changes;
use crate::error::{Error, Fault};
use crate::metrics::Counters;
use crate::transitions::MonitorTransition;
use crate::writer::{Durability, Writer};
use crate::{file, journal, prune, schema, states, transitions};

/// How long a transaction waits for another process, and a question for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Connections for reading: more do not help on the disks that catalogs lie on.
const READERS: u32 = 4;

/// The catalog in a data directory; clones are the same one.
///
/// If the future of a call is dropped before it is ready, what it was to write is written or not.
#[derive(Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    /// None if it was opened for reading.
    writer: Option<Writer>,
    readers: SqlitePool,
    counters: Counters,
}

impl Catalog {
    /// Opens the catalog in `directory`, which is made if it does not exist, and brings it to the present version.
    ///
    /// Errors: it is damaged, of a newer version, or may not be written; then nothing is changed.
    pub async fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::open_waiting(directory, clock, WAIT_MAX).await
    }

    /// Opens the catalog for reading, beside a server that may be writing.
    ///
    /// Errors: there is none, it is damaged, or its version is not this program's.
    pub async fn open_read_only(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let path = directory.join(file::FILE_NAME);
        file::find(&path)?;
        match file::inspect(&path, WAIT_MAX).await? {
            // The server has made the file and comes to fill it.
            0 => return Err(Error::Missing { path }),
            schema::VERSION => {}
            version => {
                let reason = format!(
                    "it has version {version}, this program reads version {}: start `campanile serve` once, which brings it up to date",
                    schema::VERSION
                );
                return Err(Error::Unusable { path, reason });
            }
        }
        Ok(Self::new(path, clock, None, WAIT_MAX))
    }

    /// Opens it with another patience for other writers.
    pub(crate) async fn open_waiting(
        directory: &Path,
        clock: Arc<dyn Clock>,
        busy_timeout: Duration,
    ) -> Result<Self, Error> {
        let path = directory.join(file::FILE_NAME);
        file::create(&path)?;
        file::inspect(&path, busy_timeout).await?;
        let writer = Writer::new(path.clone(), busy_timeout);
        let catalog = Self::new(path, clock, Some(writer), busy_timeout);
        catalog.migrate().await?;
        Ok(catalog)
    }

    fn new(
        path: PathBuf,
        clock: Arc<dyn Clock>,
        writer: Option<Writer>,
        busy_timeout: Duration,
    ) -> Self {
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(WAIT_MAX)
            .connect_lazy_with(file::reading(&path, busy_timeout));
        let counters = Counters::new(clock.now());
        Self {
            shared: Arc::new(Shared {
                path,
                clock,
                writer,
                readers,
                counters,
            }),
        }
    }

    async fn migrate(&self) -> Result<(), Error> {
        let migrated = async {
            let mut transaction = self.writer()?.begin(Durability::Synced).await?;
            let result = schema::migrate(&mut transaction.connection).await;
            transaction.end(result).await
        };
        self.written(migrated.await)
    }

    /// Writes all changes in one transaction. After `Ok` they survive the death of the process and the loss of power;
    /// after an error none of them happened.
    ///
    /// Errors: what [`Changes`] says, a full disk, another process that writes for longer than 5 s, damage.
    pub async fn commit(&self, changes: Changes) -> Result<(), Error> {
        self.commit_as(changes, Durability::Synced).await
    }

    /// As [`Catalog::commit`], but does not wait for the disk: after `Ok` the changes survive the death of the process, and the
    /// loss of power as soon as another commit does. For what must be known at once and can be found out again.
    ///
    /// Errors: as for [`Catalog::commit`].
    pub async fn commit_unsynced(&self, changes: Changes) -> Result<(), Error> {
        self.commit_as(changes, Durability::Written).await
    }

    async fn commit_as(&self, changes: Changes, durability: Durability) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let start = self.shared.clock.monotonic();
        let committed = async {
            changes.check()?;
            let mut transaction = self.writer()?.begin(durability).await?;
            let result = changes.apply(&mut transaction.connection).await;
            transaction.end(result).await
        };
        self.written(committed.await)?;
        let took = self.shared.clock.monotonic().saturating_sub(start);
        self.shared.counters.count_commit(took);
        Ok(())
    }

    /// Removes finished notifications and transitions that are older than `before`, or more than `keep_at_most` of their
    /// kind. Pending notifications, the newest one, and the last transition of each monitor stay.
    ///
    /// At most 1000 rows of each go in one call, the oldest first; the answer is how many went, so 0 means that all is done.
    /// Errors: as for [`Catalog::commit`].
    pub async fn prune(&self, before: Timestamp, keep_at_most: u64) -> Result<u64, Error> {
        let pruned = async {
            let mut transaction = self.writer()?.begin(Durability::Synced).await?;
            let result = prune::prune(&mut transaction.connection, before, keep_at_most).await;
            transaction.end(result).await
        };
        let rows = self.written(pruned.await)?;
        self.shared.counters.count_pruned(rows);
        Ok(rows)
    }

    /// All states of a kind with their keys, sorted by key.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn states(&self, kind: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let states = async { states::of_kind(&mut *self.reader().await?, kind).await };
        self.read(states.await)
    }

    /// A state; none if there is none.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn state(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let state = async { states::get(&mut *self.reader().await?, kind, key).await };
        self.read(state.await)
    }

    /// Entries of the journal, the newest first, at most 1000 in one answer; the next page is `before` the last one's number.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn notifications(
        &self,
        wanted: &NotificationQuery,
    ) -> Result<Vec<NotificationRecord>, Error> {
        let entries = async { journal::list(&mut *self.reader().await?, wanted).await };
        self.read(entries.await)
    }

    /// An entry of the journal; none if it was never made or is pruned.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn notification(&self, id: u64) -> Result<Option<NotificationRecord>, Error> {
        let entry = async { journal::get(&mut *self.reader().await?, id).await };
        self.read(entry.await)
    }

    /// The greatest number of a notification that was ever entered; 0 before the first.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn last_notification_id(&self) -> Result<u64, Error> {
        let last = async { journal::last_id(&mut *self.reader().await?).await };
        self.read(last.await)
    }

    /// A monitor's transitions that were found at `from` or later and before `until`, the newest first, at most `limit`.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn transitions(
        &self,
        monitor: &str,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<MonitorTransition>, Error> {
        let listed = async {
            transitions::list(&mut *self.reader().await?, monitor, from, until, limit).await
        };
        self.read(listed.await)
    }

    /// The transitions of all monitors, by name and number, that come after `number` of `monitor`, at most `limit`: page by
    /// page all that there are, beginning with `""` and 0.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn all_transitions(
        &self,
        monitor: &str,
        number: u64,
        limit: u32,
    ) -> Result<Vec<MonitorTransition>, Error> {
        let listed = async {
            transitions::list_all(&mut *self.reader().await?, monitor, number, limit).await
        };
        self.read(listed.await)
    }

    /// How well it does its work: degraded while writing fails but may work again, unhealthy when it will not.
    pub fn health(&self) -> ComponentHealth {
        self.shared.counters.health()
    }

    /// Its own metrics, `campanile_catalog_…`.
    pub fn metrics(&self) -> Vec<MetricFamily> {
        self.shared.counters.metrics(&self.shared.path)
    }

    /// Waits for what is under way and closes; afterwards nothing is written or read any more, by no clone.
    ///
    /// Errors: the disk refuses. What was committed is safe all the same.
    pub async fn close(&self) -> Result<(), Error> {
        // The writer last: whoever closes last moves SQLite's log into the file, which a reader cannot.
        self.shared.readers.close().await;
        let closed = match &self.shared.writer {
            Some(writer) => writer.close().await,
            None => Ok(()),
        };
        closed.map_err(|fault| fault.at(&self.shared.path))
    }

    fn writer(&self) -> Result<&Writer, Fault> {
        let writer = self.shared.writer.as_ref();
        writer.ok_or_else(|| Fault::Refused("it was opened for reading only".to_owned()))
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, Fault> {
        Ok(self.shared.readers.acquire().await?)
    }

    fn written<T>(&self, result: Result<T, Fault>) -> Result<T, Error> {
        let result = self.read(result);
        let shared = &self.shared;
        shared.counters.observe(&result, shared.clock.now());
        result
    }

    fn read<T>(&self, result: Result<T, Fault>) -> Result<T, Error> {
        result.map_err(|fault| {
            self.shared.counters.count_error();
            fault.at(&self.shared.path)
        })
    }

    /// A transaction in which a test does what changes cannot.
    #[cfg(test)]
    pub(crate) async fn begin_raw(&self) -> crate::writer::Transaction<'_> {
        self.writer()
            .unwrap()
            .begin(Durability::Synced)
            .await
            .unwrap()
    }
}
