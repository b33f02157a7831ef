//! The one connection that writes, and its transactions.
//!
//! Whoever writes takes the connection out, and puts it back only after a commit. If anything fails, or the caller goes
//! away in the middle, the connection is closed, which undoes what it had not committed; the next one opens a new one.
//! So no transaction is ever found half done.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::Fault;
use crate::file;

pub(crate) struct Writer {
    path: PathBuf,
    busy_timeout: Duration,
    slot: Mutex<Slot>,
}

/// Where the connection is while nobody writes.
pub(crate) enum Slot {
    /// Taken, or lost.
    Empty,
    Idle(SqliteConnection),
    Closed,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The death of the process and the loss of power.
    Synced,
    /// The death of the process; the loss of power only once a later commit is synced.
    Written,
}

/// A transaction under way.
pub(crate) struct Transaction<'a> {
    pub(crate) connection: SqliteConnection,
    slot: MutexGuard<'a, Slot>,
}

impl Writer {
    pub(crate) fn new(path: PathBuf, busy_timeout: Duration) -> Self {
        Self {
            path,
            busy_timeout,
            slot: Mutex::new(Slot::Empty),
        }
    }

    /// Waits for its turn and begins, with the right to write from the start.
    pub(crate) async fn begin(&self, durability: Durability) -> Result<Transaction<'_>, Fault> {
        let mut slot = self.slot.lock().await;
        let mut connection = match std::mem::replace(&mut *slot, Slot::Empty) {
            Slot::Idle(connection) => connection,
            Slot::Empty => {
                let options = file::writing(&self.path, self.busy_timeout);
                SqliteConnection::connect_with(&options).await?
            }
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(Fault::Sql(sqlx::Error::PoolClosed));
            }
        };
        let begun = async {
            let sync = match durability {
                Durability::Synced => "PRAGMA synchronous = FULL",
                Durability::Written => "PRAGMA synchronous = NORMAL",
            };
            sqlx::query(sync).execute(&mut connection).await?;
            let begin = sqlx::query("BEGIN IMMEDIATE");
            begin.execute(&mut connection).await
        };
        match begun.await {
            Ok(_) => Ok(Transaction { connection, slot }),
            Err(error) => {
                // Whether it closes well makes no difference any more.
                let _ = connection.close().await;
                Err(error.into())
            }
        }
    }

    /// Waits for whoever is writing, and closes.
    pub(crate) async fn close(&self) -> Result<(), Fault> {
        let mut slot = self.slot.lock().await;
        match std::mem::replace(&mut *slot, Slot::Closed) {
            Slot::Idle(connection) => Ok(connection.close().await?),
            Slot::Empty | Slot::Closed => Ok(()),
        }
    }
}

impl Transaction<'_> {
    /// Commits if all went well until now, and undoes everything otherwise.
    pub(crate) async fn end<T>(mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        let ended = match result {
            Ok(value) => sqlx::query("COMMIT")
                .execute(&mut self.connection)
                .await
                .map(|_| value)
                .map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        match ended {
            Ok(value) => {
                *self.slot = Slot::Idle(self.connection);
                Ok(value)
            }
            Err(fault) => {
                let _ = self.connection.close().await;
                Err(fault)
            }
        }
    }
}
