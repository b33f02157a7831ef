//! The catalog's file: made for its owner only, looked at before anything is changed, and how it is connected to.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions, Connection};

use crate::error::{Error, Fault, is_read_only};
use crate::place::Place;
use crate::schema;

/// The file's name in the data directory.
pub(crate) const FILE_NAME: &str = "catalog.sqlite";

/// How each SQLite file begins; an empty one is a database without tables.
const SQLITE_HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Up to this size the whole file is read through at the start, in less than half a second. Damage in a larger one is
/// found when its page is read.
const CHECKED_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What SQLite's log may keep of its room after a large state was written.
const LOG_BYTES_KEPT: &str = "16777216";

/// Makes the file if there is none, readable and writable by its owner only.
///
/// Errors: it is a directory, may not be written, or is not SQLite's.
pub(crate) fn create(path: &Path) -> Result<(), Error> {
    let unusable = |action: &'static str| move |error: io::Error| unusable(path, action, &error);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(unusable("its directory cannot be made"))?;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Ok(_) => File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(unusable("its directory cannot be synced"))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable("it cannot be made")(error)),
        }
    }
    let file = OpenOptions::new().read(true).write(true).open(path);
    check_header(path, file.map_err(unusable("it cannot be opened"))?)
}

/// Looks whether there is a file to read.
///
/// Errors: there is none, it may not be read, or is not SQLite's.
pub(crate) fn find(path: &Path) -> Result<(), Error> {
    match File::open(path) {
        Ok(file) => check_header(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing {
            place: path.display().to_string(),
        }),
        Err(error) => Err(unusable(path, "it cannot be opened", &error)),
    }
}

fn check_header(path: &Path, mut file: File) -> Result<(), Error> {
    let mut header = Vec::with_capacity(SQLITE_HEADER.len());
    file.by_ref()
        .take(SQLITE_HEADER.len() as u64)
        .read_to_end(&mut header)
        .map_err(|error| unusable(path, "it cannot be read", &error))?;
    if header.is_empty() || header == SQLITE_HEADER {
        return Ok(());
    }
    let place = Place::File {
        path: path.to_owned(),
        busy_timeout: Duration::ZERO,
    };
    Err(Fault::Damaged("it is no SQLite file".to_owned()).at(&place))
}

fn unusable(path: &Path, action: &str, error: &io::Error) -> Error {
    Error::Unusable {
        place: path.display().to_string(),
        reason: format!("{action}: {error}"),
    }
}

/// Looks through the file without changing it; tells its version, 0 if it is empty.
///
/// Errors: it is damaged, of a newer version, or another program's.
pub(crate) async fn inspect(path: &Path, busy_timeout: Duration) -> Result<i64, Fault> {
    let version = match inspect_as(path, Mode::Reading, busy_timeout).await {
        // A crash before the very first commit leaves something that only a writer can roll back.
        Err(Fault::Sql(error)) if is_read_only(&error) => {
            inspect_as(path, Mode::Writing, busy_timeout).await?
        }
        inspected => inspected?,
    };
    schema::usable(version)
}

async fn inspect_as(path: &Path, mode: Mode, patience: Duration) -> Result<Option<i64>, Fault> {
    let mut connection = AnyConnection::connect_with(&options(path, mode)?).await?;
    sqlx::raw_sql(AssertSqlSafe(prepare_reading(patience)))
        .execute(&mut connection)
        .await?;
    let version = schema::version(&mut connection).await?;
    if fs::metadata(path).is_ok_and(|file| file.len() <= CHECKED_BYTES_MAX) {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&mut connection)
            .await?;
        if found != "ok" {
            return Err(Fault::Damaged(found));
        }
    }
    connection.close().await?;
    Ok(version)
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Reading,
    Writing,
}

/// A connection to the file, which must be there.
pub(crate) fn options(path: &Path, mode: Mode) -> Result<AnyConnectOptions, sqlx::Error> {
    sqlx::any::install_default_drivers();
    // Every byte in its escaped form, so that nothing in a path is taken for a part of the URL.
    let mut url = "sqlite:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        url.push_str(&format!("%{byte:02X}"));
    }
    url.push_str(match mode {
        Mode::Reading => "?mode=ro",
        Mode::Writing => "?mode=rw",
    });
    Ok(AnyConnectOptions::from_str(&url)?.disable_statement_logging())
}

/// What a connection that reads, beside whoever writes, begins with.
pub(crate) fn prepare_reading(busy_timeout: Duration) -> String {
    format!("PRAGMA busy_timeout = {}", busy_timeout.as_millis())
}

/// What the connection that writes begins with.
pub(crate) fn prepare_writing(busy_timeout: Duration) -> String {
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA journal_size_limit = {LOG_BYTES_KEPT}",
        busy_timeout.as_millis()
    )
}

/// A file that SQLite keeps beside the database.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
