//! The catalog as others see it: open, write, read, health, close.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Clock, ComponentHealth, MetricFamily, NotificationQuery, NotificationRecord, Timestamp,
};
use sqlx::any::Any;
use sqlx::pool::PoolConnection;
use sqlx::{AnyConnection, AnyPool, Connection, Transaction as Reading};
use tokio::time::Instant;

use crate::changes::Changes;
use crate::error::{Error, Fault};
use crate::metrics::Counters;
use crate::place::Place;
use crate::transitions::MonitorTransition;
use crate::writer::{Durability, Transaction, Writer};
use crate::{file, journal, prune, schema, states, transitions};

/// How long a transaction waits for another process.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a server may take for an answer, the way there and back included. A state of the greatest size takes a few
/// seconds.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// As [`ANSWER_MAX`], for what brings a catalog to the present version: whoever upgrades much takes long. It is more than the
/// server's own limits of `schema.rs`, whose words tell more.
const MIGRATION_MAX: Duration = Duration::from_secs(900);

/// Whoever took longer for a question may be gone; another connection costs little beside that.
const TRUSTED: Duration = Duration::from_secs(5);

/// The catalog in a data directory or on a server; clones are the same one.
///
/// If the future of a call is dropped before it is ready, what it was to write is written or not.
#[derive(Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

/// A connection for one question.
pub(crate) struct Reader {
    connection: PoolConnection<Any>,
    since: Instant,
}

struct Shared {
    place: Place,
    clock: Arc<dyn Clock>,
    /// None if it was opened for reading.
    writer: Option<Writer>,
    readers: AnyPool,
    counters: Counters,
}

impl Catalog {
    /// Opens the catalog in `directory`, which is made if it does not exist, and brings it to the present version.
    ///
    /// Errors: it is damaged, of a newer version, or may not be written; then nothing is changed.
    pub async fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::open_waiting(directory, clock, WAIT_MAX).await
    }

    /// Opens the catalog in the PostgreSQL database of a URL, `postgres://user:password@host:5432/database`, and brings it to
    /// the present version. The database must exist; it may be empty.
    ///
    /// Errors: the server cannot be reached or does not let us in, the database is another program's or of a newer version;
    /// no error shows the password.
    pub async fn connect(url: &str, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let place = Place::server(url)?;
        let catalog = Self::new(place.clone(), clock, Some(Writer::new(place)))?;
        catalog.migrate().await?;
        Ok(catalog)
    }

    /// Opens the catalog for reading, beside a server that may be writing.
    ///
    /// Errors: there is none, it is damaged, or its version is not this program's.
    pub async fn open_read_only(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let path = directory.join(file::FILE_NAME);
        file::find(&path)?;
        let place = Place::File {
            path: path.clone(),
            busy_timeout: WAIT_MAX,
        };
        let version = file::inspect(&path, WAIT_MAX).await;
        let version = version.map_err(|fault| fault.at(&place))?;
        Self::new(place, clock, None)?.readable(Some(version))
    }

    /// As [`Catalog::open_read_only`], from the PostgreSQL database of a URL.
    ///
    /// Errors: as for [`Catalog::connect`], and there is no catalog in it.
    pub async fn connect_read_only(url: &str, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let place = Place::server(url)?;
        let inspected = async {
            // Not from the pool, which keeps to itself why it has no connection.
            let mut connection = place.connect_writing().await?;
            let version = schema::version(&mut connection).await?;
            connection.close().await?;
            Ok(version)
        };
        let version = place.within(ANSWER_MAX, inspected).await;
        let version = version.map_err(|fault: Fault| fault.at(&place))?;
        Self::new(place, clock, None)?.readable(version)
    }

    /// Opens it with another patience for other writers.
    pub(crate) async fn open_waiting(
        directory: &Path,
        clock: Arc<dyn Clock>,
        busy_timeout: Duration,
    ) -> Result<Self, Error> {
        let path = directory.join(file::FILE_NAME);
        file::create(&path)?;
        let place = Place::File {
            path: path.clone(),
            busy_timeout,
        };
        let inspected = file::inspect(&path, busy_timeout).await;
        inspected.map_err(|fault| fault.at(&place))?;
        let catalog = Self::new(place.clone(), clock, Some(Writer::new(place)))?;
        catalog.migrate().await?;
        Ok(catalog)
    }

    fn new(place: Place, clock: Arc<dyn Clock>, writer: Option<Writer>) -> Result<Self, Error> {
        let readers = place.readers();
        let readers = readers.map_err(|error| Fault::from(error).at(&place))?;
        let counters = Counters::new(clock.now());
        Ok(Self {
            shared: Arc::new(Shared {
                place,
                clock,
                writer,
                readers,
                counters,
            }),
        })
    }

    /// Itself, if what is there has a version that can be read.
    fn readable(self, version: Option<i64>) -> Result<Self, Error> {
        let place = &self.shared.place;
        match schema::readable(version).map_err(|fault| fault.at(place))? {
            Some(()) => Ok(self),
            // The server has made the file and comes to fill it.
            None => Err(Error::Missing {
                place: place.to_string(),
            }),
        }
    }

    async fn migrate(&self) -> Result<(), Error> {
        let migrated = async {
            let mut transaction = self.patiently(self.begin(Durability::Synced)).await?;
            let migrating = async {
                let result = schema::migrate(&mut transaction.connection, &mut |_| {}).await;
                transaction.end(result).await
            };
            self.shared.place.within(MIGRATION_MAX, migrating).await
        };
        self.written(migrated.await)
    }

    /// Writes all changes in one transaction. After `Ok` they survive the death of the process and the loss of power;
    /// after an error none of them happened, unless the connection to a server broke at the very end: then all did, or none.
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
            let mut transaction = self.begin(durability).await?;
            let result = changes.apply(&mut transaction.connection).await;
            transaction.end(result).await
        };
        self.written(self.patiently(committed).await)?;
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
            let mut transaction = self.begin(Durability::Synced).await?;
            let result = prune::prune(&mut transaction.connection, before, keep_at_most).await;
            transaction.end(result).await
        };
        let rows = self.written(self.patiently(pruned).await)?;
        self.count_pruned(rows);
        Ok(rows)
    }

    /// All states of a kind with their keys, sorted by key.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn states(&self, kind: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let states = async { states::of_kind(&mut *self.reader().await?, kind).await };
        self.read(self.patiently(states).await)
    }

    /// A state; none if there is none.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn state(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let state = async { states::get(&mut *self.reader().await?, kind, key).await };
        self.read(self.patiently(state).await)
    }

    /// Entries of the journal, the newest first, at most 1000 in one answer; the next page is `before` the last one's number.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn notifications(
        &self,
        wanted: &NotificationQuery,
    ) -> Result<Vec<NotificationRecord>, Error> {
        let entries = async { journal::list(&mut *self.reader().await?, wanted).await };
        self.read(self.patiently(entries).await)
    }

    /// An entry of the journal; none if it was never made or is pruned.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn notification(&self, id: u64) -> Result<Option<NotificationRecord>, Error> {
        let entry = async { journal::get(&mut *self.reader().await?, id).await };
        self.read(self.patiently(entry).await)
    }

    /// The greatest number of a notification that was ever entered; 0 before the first.
    ///
    /// Errors: the disk refuses, damage.
    pub async fn last_notification_id(&self) -> Result<u64, Error> {
        let last = async { journal::last_id(&mut *self.reader().await?).await };
        self.read(self.patiently(last).await)
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
        self.read(self.patiently(listed).await)
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
        self.read(self.patiently(listed).await)
    }

    /// How well it does its work: degraded while writing fails but may work again, unhealthy when it will not.
    pub fn health(&self) -> ComponentHealth {
        self.shared.counters.health()
    }

    /// Its own metrics, `campanile_catalog_…`.
    pub fn metrics(&self) -> Vec<MetricFamily> {
        self.shared.counters.metrics(&self.shared.place)
    }

    /// Waits for what is under way and closes; afterwards nothing is written or read any more, by no clone.
    ///
    /// Errors: the disk refuses. What was committed is safe all the same.
    pub async fn close(&self) -> Result<(), Error> {
        // The writer last: whoever closes last moves SQLite's log into the file, which a reader cannot.
        let closing = async {
            self.shared.readers.close().await;
            match &self.shared.writer {
                Some(writer) => writer.close().await,
                None => Ok(()),
            }
        };
        let closed = self.patiently(closing).await;
        closed.map_err(|fault| fault.at(&self.shared.place))
    }

    pub(crate) fn count_pruned(&self, rows: u64) {
        self.shared.counters.count_pruned(rows);
    }

    /// Waits for its turn, and begins to write.
    pub(crate) async fn begin(&self, durability: Durability) -> Result<Transaction<'_>, Fault> {
        let writer = self.shared.writer.as_ref();
        let writer =
            writer.ok_or_else(|| Fault::Refused("it was opened for reading only".to_owned()))?;
        writer.begin(durability).await
    }

    pub(crate) async fn reader(&self) -> Result<Reader, Fault> {
        Ok(Reader {
            connection: self.shared.readers.acquire().await?,
            since: Instant::now(),
        })
    }

    /// Begins to read several things as of one moment.
    pub(crate) async fn reader_of_one_moment(&self) -> Result<Reading<'static, Any>, Fault> {
        let begin = self.shared.place.begin_reading();
        Ok(self.shared.readers.begin_with(begin).await?)
    }

    /// Waits for a server as long as one may.
    pub(crate) async fn patiently<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.shared.place.within(ANSWER_MAX, work).await
    }

    /// Notes how a transaction went.
    pub(crate) fn written<T>(&self, result: Result<T, Fault>) -> Result<T, Error> {
        let result = self.told(result);
        let shared = &self.shared;
        shared.counters.observe_writing(&result, shared.clock.now());
        result
    }

    /// Notes how a question went.
    pub(crate) fn read<T>(&self, result: Result<T, Fault>) -> Result<T, Error> {
        let result = self.told(result);
        let shared = &self.shared;
        shared.counters.observe_reading(&result, shared.clock.now());
        result
    }

    fn told<T>(&self, result: Result<T, Fault>) -> Result<T, Error> {
        result.map_err(|fault| {
            self.shared.counters.count_error();
            fault.at(&self.shared.place)
        })
    }

    /// A transaction in which a test does what changes cannot.
    #[cfg(test)]
    pub(crate) async fn begin_raw(&self) -> Transaction<'_> {
        self.begin(Durability::Synced).await.unwrap()
    }
}

impl Deref for Reader {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The pool asks what comes back whether it still works, and waits for that without an end: its place would be lost.
        if self.since.elapsed() >= TRUSTED {
            self.connection.close_on_drop();
        }
    }
}
