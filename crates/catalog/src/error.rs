//! Why the catalog did not do what it was asked.

use access::StoreError;
use thiserror::Error;

use crate::place::Place;

mod postgres;
mod sqlite;

pub(crate) use sqlite::is_read_only;

/// Why the catalog did not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Not now: the disk is full, another process is writing. The same may work later.
    #[error("the catalog {place} is not available now: {reason}")]
    Unavailable {
        /// The file, or the database's address without the password.
        place: String,
        /// What is in the way.
        reason: String,
    },
    /// Not before someone does something about it: it is damaged, of a newer version, or not ours to open.
    #[error("the catalog {place} cannot be used: {reason}")]
    Unusable {
        /// The file, or the database's address without the password.
        place: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// There is none to read.
    #[error("there is no catalog {place} yet: `campanile serve` with this configuration makes it")]
    Missing {
        /// The file, or the database's address without the password.
        place: String,
    },
    /// What was asked contradicts what is kept, or is beyond a limit; to ask again does not help.
    #[error("the catalog refuses: {0}")]
    Refused(String),
}

/// What goes wrong beneath the catalog, before it is known in which file.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(sqlx::Error),
    /// A row that we cannot have written, and how.
    Damaged(String),
    Refused(String),
    /// It cannot be used, and why.
    Unusable(String),
    /// A condition of a change of who may come in; it says nothing of the catalog.
    Condition(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// The error that it is for the catalog at a place.
    pub(crate) fn at(self, at: &Place) -> Error {
        let place = at.to_string();
        let (passes, reason) = match self {
            Self::Refused(reason) => return Error::Refused(reason),
            Self::Condition(condition) => return Error::Refused(condition.to_string()),
            Self::Unusable(reason) => (false, reason),
            Self::Damaged(what) => (false, damaged(at, &what)),
            Self::Sql(error) => match &error {
                sqlx::Error::Database(_) if at.is_remote() => postgres::judge(at, &error),
                sqlx::Error::Database(_) => sqlite::judge(at, &error),
                // A value of another type than the column's was not written by us.
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    (false, damaged(at, &error.to_string()))
                }
                sqlx::Error::PoolClosed => (false, "it is closed".to_owned()),
                sqlx::Error::PoolTimedOut if at.is_remote() => (
                    true,
                    "there was no connection within 5 s: is the server there?".to_owned(),
                ),
                sqlx::Error::PoolTimedOut => {
                    (true, "there was no free connection within 5 s".to_owned())
                }
                sqlx::Error::Configuration(error) => (false, error.to_string()),
                error => (true, error.to_string()),
            },
        };
        match passes {
            true => Error::Unavailable { place, reason },
            false => Error::Unusable { place, reason },
        }
    }
}

/// What to do about damage, whose details are in `what`.
fn damaged(at: &Place, what: &str) -> String {
    match at {
        Place::File { .. } => format!(
            "it is damaged ({what}): stop the server, move the file and those beside it with `-wal` and `-shm` away, and \
             put a backup in its place or start without; samples are not in it"
        ),
        Place::Server { .. } => format!(
            "it is damaged ({what}): stop the server, and put a backup in its place or start with an empty database; \
             samples are not in it"
        ),
    }
}

/// The database's own words.
fn message(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}
