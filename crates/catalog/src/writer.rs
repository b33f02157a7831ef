//! The one connection that writes, and its transactions.
//!
//! Whoever writes takes the connection out, and puts it back only after a commit. If anything fails, or the caller goes
//! away in the middle, the connection is closed, which undoes what it had not committed; the next one opens a new one.
//! So no transaction is ever found half done.

use sqlx::AnyConnection;
use sqlx::Connection;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::Fault;
use crate::place::Place;

pub(crate) struct Writer {
    place: Place,
    slot: Mutex<Slot>,
}

/// Where the connection is while nobody writes.
pub(crate) enum Slot {
    /// Taken, or lost.
    Empty,
    Idle(AnyConnection),
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
    pub(crate) connection: AnyConnection,
    slot: MutexGuard<'a, Slot>,
}

impl Writer {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            slot: Mutex::new(Slot::Empty),
        }
    }

    /// Waits for its turn and begins, with the right to write from the start.
    pub(crate) async fn begin(&self, durability: Durability) -> Result<Transaction<'_>, Fault> {
        let mut slot = self.slot.lock().await;
        let mut connection = match std::mem::replace(&mut *slot, Slot::Empty) {
            Slot::Idle(connection) => self.renewed(connection).await?,
            Slot::Empty => self.place.connect_writing().await?,
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(Fault::Sql(sqlx::Error::PoolClosed));
            }
        };
        let begin = self.place.begin_writing(durability);
        let begun = sqlx::raw_sql(begin).execute(&mut connection).await;
        match begun {
            Ok(_) => Ok(Transaction { connection, slot }),
            Err(error) => {
                // Whether it closes well makes no difference any more.
                let _ = connection.close().await;
                Err(error.into())
            }
        }
    }

    /// The connection, or a new one if the server has gone away since it was used.
    async fn renewed(&self, mut connection: AnyConnection) -> Result<AnyConnection, Fault> {
        if self.place.is_remote() && connection.ping().await.is_err() {
            return Ok(self.place.connect_writing().await?);
        }
        Ok(connection)
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
            // What was asked contradicts what is there: the connection is as good as before.
            Err(fault @ (Fault::Refused(_) | Fault::Condition(_))) => {
                if sqlx::query("ROLLBACK")
                    .execute(&mut self.connection)
                    .await
                    .is_ok()
                {
                    *self.slot = Slot::Idle(self.connection);
                }
                return Err(fault);
            }
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
