//! A catalog in a directory or a database of its own, and things to keep in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{DeliveryState, Labels, NotificationRecord, RecordedAlert, Timestamp};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;
use testkit::{Postgres, SimulatedClock};

use crate::file::FILE_NAME;
use crate::{Catalog, Changes, Error, MonitorTransition};

pub(super) struct Fixture {
    directory: TempDir,
    /// None if the catalog lies in the directory.
    url: Option<String>,
    pub(super) clock: Arc<SimulatedClock>,
}

impl Fixture {
    /// On SQLite.
    pub(super) fn new() -> Self {
        sqlx::any::install_default_drivers();
        Self {
            directory: tempfile::tempdir().unwrap(),
            url: None,
            clock: clock(),
        }
    }

    /// On PostgreSQL; none if that is not installed.
    pub(super) fn on_postgres() -> Option<Self> {
        let url = Postgres::shared()?.database();
        Some(Self {
            url: Some(url),
            ..Self::new()
        })
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory().join(FILE_NAME)
    }

    pub(super) async fn try_open(&self) -> Result<Catalog, Error> {
        // Whoever waits for a lock in a test waits in vain.
        let busy_timeout = Duration::from_millis(50);
        match &self.url {
            None => Catalog::open_waiting(self.directory(), self.clock.clone(), busy_timeout).await,
            Some(url) => Catalog::connect(url, self.clock.clone()).await,
        }
    }

    pub(super) async fn open(&self) -> Catalog {
        self.try_open().await.unwrap()
    }

    /// As the program opens it, which waits for others.
    pub(super) async fn open_patiently(&self) -> Catalog {
        let opened = match &self.url {
            None => Catalog::open(self.directory(), self.clock.clone()).await,
            Some(url) => Catalog::connect(url, self.clock.clone()).await,
        };
        opened.unwrap()
    }

    pub(super) async fn try_open_read_only(&self) -> Result<Catalog, Error> {
        match &self.url {
            None => Catalog::open_read_only(self.directory(), self.clock.clone()).await,
            Some(url) => Catalog::connect_read_only(url, self.clock.clone()).await,
        }
    }

    /// A connection that knows nothing of the catalog.
    pub(super) async fn foreign_connection(&self) -> AnyConnection {
        let url = match &self.url {
            None => format!("sqlite:{}?mode=rwc", self.file().display()),
            Some(url) => url.clone(),
        };
        AnyConnection::connect(&url).await.unwrap()
    }

    /// Does something to the database that the catalog would not.
    pub(super) async fn execute(&self, statements: &str) {
        let mut connection = self.foreign_connection().await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

/// Tests that hold on both databases, each in a module for each.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            use super::Fixture;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Fixture::new()).await;
                }
            )*
        }

        mod postgres {
            use super::Fixture;
            $(
                #[tokio::test]
                async fn $name() {
                    if let Some(fixture) = Fixture::on_postgres() {
                        super::$name(fixture).await;
                    }
                }
            )*
        }
    };
}
pub(super) use on_both;

pub(super) fn clock() -> Arc<SimulatedClock> {
    Arc::new(SimulatedClock::new(at(1_000)))
}

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A change that puts one state.
pub(super) fn state(kind: &str, key: &str, bytes: &[u8]) -> Changes {
    let mut changes = Changes::new();
    changes.put_state(kind, key, bytes.to_vec());
    changes
}

/// A notification that is to be sent, decided at as many milliseconds as its number.
pub(super) fn record(id: u64) -> NotificationRecord {
    let labels = Labels::from_pairs([("alertname", "Full"), ("device", "a\"\\\u{1}ü")]).unwrap();
    let annotations = BTreeMap::from([("summary".to_owned(), "disk's full".to_owned())]);
    NotificationRecord {
        id,
        receiver: "ops".to_owned(),
        integration: "email[0]".to_owned(),
        target: "ops@example.org".to_owned(),
        group_key: "{}:{alertname=\"Full\"}".to_owned(),
        group_labels: labels.filtered(|name| name == "alertname"),
        reason: "first".to_owned(),
        alerts: vec![
            RecordedAlert {
                labels,
                annotations,
                starts_at: at(5),
                ended_at: None,
            },
            RecordedAlert {
                labels: Labels::empty(),
                annotations: BTreeMap::new(),
                starts_at: at(-5),
                ended_at: Some(at(7)),
            },
        ],
        decided_at: at(id as i64),
        state: DeliveryState::Pending,
        attempts: 0,
        parts_delivered: 0,
        error: String::new(),
        finished_at: None,
    }
}

/// A monitor's transition, found at as many milliseconds as its number.
pub(super) fn transition(monitor: &str, number: u64) -> MonitorTransition {
    MonitorTransition {
        monitor: monitor.to_owned(),
        number,
        from: "up".to_owned(),
        to: "down".to_owned(),
        at: at(number as i64),
        since: at(number as i64 - 1),
        cause: "connection refused".to_owned(),
    }
}
