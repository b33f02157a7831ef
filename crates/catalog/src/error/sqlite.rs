//! What SQLite's result codes mean, <https://www.sqlite.org/rescode.html>.

use super::{damaged, message};
use crate::place::Place;

const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_NOMEM: i32 = 7;
const SQLITE_READONLY: i32 = 8;
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

/// Whether it may pass by itself, and the reason in words.
pub(super) fn judge(at: &Place, error: &sqlx::Error) -> (bool, String) {
    match primary_code(error) {
        Some(SQLITE_CORRUPT | SQLITE_NOTADB) => (false, damaged(at, &message(error))),
        Some(code) => (PASSING.contains(&code), in_words(code, error)),
        None => (true, message(error)),
    }
}

/// Whether it says that something must be written first.
pub(crate) fn is_read_only(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(SQLITE_READONLY)
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

/// The result code without the details in its higher bytes.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
