//! Why the catalog did not do what it was asked.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the catalog did not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Not now: the disk is full, another process is writing. The same may work later.
    #[error("the catalog {} is not available now: {reason}", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        reason: String,
    },
    /// Not before someone does something about it: it is damaged, of a newer version, or not ours to open.
    #[error("the catalog {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// There is none to read.
    #[error(
        "there is no catalog {} yet: `campanile serve` with this data directory makes it", path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
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
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// The error that it is for the file at `path`.
    pub(crate) fn at(self, path: &Path) -> Error {
        let path = path.to_owned();
        let reason = match self {
            Self::Refused(reason) => return Error::Refused(reason),
            Self::Damaged(what) => damaged(&what),
            Self::Sql(error) => match primary_code(&error) {
                Some(code) if PASSING.contains(&code) => {
                    let reason = in_words(code, &error);
                    return Error::Unavailable { path, reason };
                }
                Some(SQLITE_CORRUPT | SQLITE_NOTADB) => damaged(&message(&error)),
                Some(code) => in_words(code, &error),
                // A value of another type than the column's was not written by us.
                None => match error {
                    sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                        damaged(&error.to_string())
                    }
                    sqlx::Error::PoolClosed => "it is closed".to_owned(),
                    error => {
                        let reason = error.to_string();
                        return Error::Unavailable { path, reason };
                    }
                },
            },
        };
        Error::Unusable { path, reason }
    }
}

// SQLite's result codes, https://www.sqlite.org/rescode.html
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_NOMEM: i32 = 7;
pub(crate) const SQLITE_READONLY: i32 = 8;
const SQLITE_INTERRUPT: i32 = 9;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_PROTOCOL: i32 = 15;
const SQLITE_NOTADB: i32 = 26;

/// What may pass by itself. `SQLITE_CANTOPEN` is here since whether the file can be opened at all is found before
/// SQLite tries; what is left is a want of descriptors.
const PASSING: [i32; 8] = [
    SQLITE_BUSY,
    SQLITE_LOCKED,
    SQLITE_NOMEM,
    SQLITE_INTERRUPT,
    SQLITE_IOERR,
    SQLITE_FULL,
    SQLITE_CANTOPEN,
    SQLITE_PROTOCOL,
];

/// What to do about damage, whose details are in `what`.
pub(crate) fn damaged(what: &str) -> String {
    format!(
        "it is damaged ({what}): stop the server, move the file and those beside it with `-wal` and `-shm` away, and \
         put a backup in its place or start without; samples are not in it"
    )
}

fn in_words(code: i32, error: &sqlx::Error) -> String {
    let meaning = match code {
        SQLITE_BUSY | SQLITE_LOCKED => "another process is writing",
        SQLITE_FULL => "the disk is full",
        SQLITE_IOERR => "the disk refuses",
        SQLITE_READONLY => "it may not be written",
        SQLITE_CANTOPEN => "it cannot be opened",
        _ => return message(error),
    };
    format!("{meaning} ({})", message(error))
}

/// SQLite's own words.
fn message(error: &sqlx::Error) -> String {
    error.to_string()
}

/// SQLite's result code without the details in its higher bytes.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
