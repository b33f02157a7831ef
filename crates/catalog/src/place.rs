//! Where a catalog lies, and how it is connected to: a file of SQLite's, or a database of a PostgreSQL server.
//!
//! Both are spoken to by the same queries. What differs stands here, in `file.rs` and `schema.rs`: how a connection is
//! prepared, and how a transaction begins.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection};

use crate::error::Error;
use crate::file;
use crate::writer::Durability;

/// Connections for reading: more do not help on the disks that catalogs lie on.
const READERS: u32 = 4;

/// How long a question waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(5);

/// How long a server may take to let us in. It is a moment; whoever is slower than this would be too slow for everything.
const ENTRY_MAX: Duration = Duration::from_secs(15);

/// What every connection to PostgreSQL begins with: nobody waits for ever, neither for a lock nor for a client that is gone.
const PREPARE_SERVER: &str = "SET lock_timeout = '5s'; SET statement_timeout = '30s'; \
                              SET idle_in_transaction_session_timeout = '60s'";

/// What a URL may say after its `?`. Others are refused, since a misspelled `password` must not end in a log.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Where a catalog lies.
#[derive(Clone)]
pub(crate) enum Place {
    /// In a file of SQLite's.
    File {
        path: PathBuf,
        /// How long a transaction waits for another process.
        busy_timeout: Duration,
    },
    /// In a database of a PostgreSQL server.
    Server {
        options: AnyConnectOptions,
        /// The URL without the password.
        shown: String,
    },
}

impl Place {
    /// The database that a URL names, such as `postgres://user:password@host:5432/database`.
    ///
    /// Errors: it is no such URL; the message does not repeat it, since it holds a password.
    pub(crate) fn server(url: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let refuse = |what: String| Error::Unusable {
            place: "at database_url".to_owned(),
            reason: format!(
                "{what}; a database's URL is written postgres://user:password@host:5432/database"
            ),
        };
        let options = match AnyConnectOptions::from_str(url) {
            Ok(options) => options.disable_statement_logging(),
            Err(sqlx::Error::Configuration(error)) => return Err(refuse(error.to_string())),
            Err(_) => return Err(refuse("it cannot be read".to_owned())),
        };
        let url = &options.database_url;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(refuse("it does not begin with postgres://".to_owned()));
        }
        let known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| !known(name)) {
            return Err(refuse(format!("its parameter {name:?} is unknown")));
        }
        let mut shown = "postgres://".to_owned();
        if !url.username().is_empty() {
            shown.push_str(url.username());
            shown.push('@');
        }
        shown.push_str(url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            shown.push_str(&format!(":{port}"));
        }
        shown.push_str(url.path());
        Ok(Self::Server { options, shown })
    }

    /// Whether it is on the other side of a network.
    pub(crate) const fn is_remote(&self) -> bool {
        matches!(self, Self::Server { .. })
    }

    /// The connection that writes: what it has committed is on disk.
    pub(crate) async fn connect_writing(&self) -> Result<AnyConnection, sqlx::Error> {
        let (options, prepare) = match self {
            Self::File { path, busy_timeout } => (
                file::options(path, file::Mode::Writing)?,
                file::prepare_writing(*busy_timeout),
            ),
            Self::Server { options, .. } => (options.clone(), PREPARE_SERVER.to_owned()),
        };
        let connecting = async {
            let mut connection = AnyConnection::connect_with(&options).await?;
            let prepared = sqlx::raw_sql(sqlx::AssertSqlSafe(prepare))
                .execute(&mut connection)
                .await;
            match prepared {
                Ok(_) => Ok(connection),
                Err(error) => {
                    // Whether it closes well makes no difference any more.
                    let _ = connection.close().await;
                    Err(error)
                }
            }
        };
        self.within(ENTRY_MAX, connecting).await
    }

    /// Waits for a server so long and no longer: one that vanished says nothing, and nothing else would tell. A file answers.
    pub(crate) async fn within<T, E: From<sqlx::Error>>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if !self.is_remote() {
            return work.await;
        }
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => {
                let what = format!("the server has not answered within {} s", limit.as_secs());
                let error = std::io::Error::new(std::io::ErrorKind::TimedOut, what);
                Err(sqlx::Error::Io(error).into())
            }
        }
    }

    /// Connections that read, beside whoever writes; they are made when they are needed.
    pub(crate) fn readers(&self) -> Result<AnyPool, sqlx::Error> {
        let (options, prepare) = match self {
            Self::File { path, busy_timeout } => (
                file::options(path, file::Mode::Reading)?,
                file::prepare_reading(*busy_timeout),
            ),
            Self::Server { options, .. } => (
                options.clone(),
                format!("{PREPARE_SERVER}; SET default_transaction_read_only = on"),
            ),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(TURN_MAX)
            // Only a connection over a network is lost without notice.
            .test_before_acquire(self.is_remote())
            .after_connect(move |connection, _| {
                let prepare = sqlx::raw_sql(sqlx::AssertSqlSafe(prepare.clone()));
                Box::pin(async move { prepare.execute(connection).await.map(|_| ()) })
            });
        Ok(pool.connect_lazy_with(options))
    }

    /// Begins a transaction with the right to write from the start.
    pub(crate) const fn begin_writing(&self, durability: Durability) -> &'static str {
        match (self, durability) {
            (Self::File { .. }, Durability::Synced) => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
            (Self::File { .. }, Durability::Written) => {
                "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE"
            }
            (Self::Server { .. }, Durability::Synced) => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on"
            }
            (Self::Server { .. }, Durability::Written) => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = off"
            }
        }
    }

    /// Begins a transaction all of whose questions are answered as of one moment.
    pub(crate) const fn begin_reading(&self) -> &'static str {
        match self {
            Self::File { .. } => "BEGIN",
            Self::Server { .. } => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => path.display().fmt(formatter),
            Self::Server { shown, .. } => formatter.write_str(shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let url =
            "postgresql://ann:s3cret@db.example.org:5433/campanile?password=s3cret&sslmode=require";
        let place = Place::server(url).ok().unwrap();
        assert_eq!(
            place.to_string(),
            "postgres://ann@db.example.org:5433/campanile"
        );
    }

    #[test]
    fn what_is_no_url_of_a_database_is_refused_without_being_repeated() {
        for (url, what) in [
            ("postgres://ann:s3cret@db:port/x", "invalid port number"),
            ("mysql://ann:s3cret@db/x", "postgres://"),
            ("s3cret", "relative URL"),
            ("postgres://db/x?passwrod=s3cret", "\"passwrod\""),
        ] {
            let message = Place::server(url).err().unwrap().to_string();
            assert!(message.contains(what), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
