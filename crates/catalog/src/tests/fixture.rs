//! A catalog in a directory of its own, and things to keep in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{DeliveryState, Labels, NotificationRecord, RecordedAlert, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use testkit::SimulatedClock;

use crate::file::FILE_NAME;
use crate::{Catalog, Changes, Error, MonitorTransition};

pub(super) struct Fixture {
    directory: TempDir,
    pub(super) clock: Arc<SimulatedClock>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock: clock(),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory().join(FILE_NAME)
    }

    pub(super) async fn try_open(&self) -> Result<Catalog, Error> {
        // Whoever waits for a lock in a test waits in vain.
        let wait_max = Duration::from_millis(50);
        Catalog::open_waiting(self.directory(), self.clock.clone(), wait_max).await
    }

    pub(super) async fn open(&self) -> Catalog {
        self.try_open().await.unwrap()
    }

    pub(super) async fn try_open_read_only(&self) -> Result<Catalog, Error> {
        Catalog::open_read_only(self.directory(), self.clock.clone()).await
    }

    /// A connection that knows nothing of the catalog.
    pub(super) async fn foreign_connection(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// Does something to the file that the catalog would not.
    pub(super) async fn execute(&self, statements: &str) {
        let mut connection = self.foreign_connection().await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

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
