//! What is opened, what is refused, and what the refused file looks like afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sqlx::Connection;

use super::fixture::{Fixture, record, state, transition};
use crate::{Catalog, Changes, Error};

#[tokio::test]
async fn the_file_is_made_for_its_owner_only() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    catalog.commit(state("a", "b", b"c")).await.unwrap();
    let mut modes = Vec::new();
    for entry in fs::read_dir(fixture.directory()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        modes.push((entry.file_name().into_string().unwrap(), mode));
    }
    modes.sort();
    let expected = ["catalog.sqlite", "catalog.sqlite-shm", "catalog.sqlite-wal"];
    assert_eq!(modes, expected.map(|name| (name.to_owned(), 0o600)));
}

#[tokio::test]
async fn a_commit_is_synced_to_the_disk() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    let mut transaction = catalog.begin_raw().await;
    let connection = &mut transaction.connection;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(connection)
        .await
        .unwrap();
    assert_eq!((synchronous, journal.as_str()), (2, "wal"));
}

#[tokio::test]
async fn a_newer_version_is_refused_and_not_touched() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    catalog.commit(state("a", "b", b"c")).await.unwrap();
    catalog.close().await.unwrap();
    fixture
        .execute("UPDATE schema_version SET version = 99")
        .await;
    let before = fs::read(fixture.file()).unwrap();
    for refused in [fixture.try_open().await, fixture.try_open_read_only().await] {
        let message = unusable(refused);
        assert!(message.contains("version 99"), "{message}");
        assert!(message.contains("newer program"), "{message}");
    }
    assert_eq!(fs::read(fixture.file()).unwrap(), before);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_not_touched() {
    let fixture = Fixture::new();
    fixture.execute("CREATE TABLE recipes (name TEXT)").await;
    let before = fs::read(fixture.file()).unwrap();
    let message = unusable(fixture.try_open().await);
    assert!(message.contains("another program"), "{message}");
    assert_eq!(fs::read(fixture.file()).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_is_refused_by_name() {
    let fixture = Fixture::new();
    fs::write(fixture.file(), "users: []\n").unwrap();
    for refused in [fixture.try_open().await, fixture.try_open_read_only().await] {
        let message = unusable(refused);
        assert!(message.contains("catalog.sqlite"), "{message}");
        assert!(message.contains("no SQLite file"), "{message}");
    }
    fs::remove_file(fixture.file()).unwrap();
    fs::create_dir(fixture.file()).unwrap();
    let message = unusable(fixture.try_open().await);
    assert!(message.contains("directory"), "{message}");
}

#[tokio::test]
async fn a_damaged_file_is_refused_whatever_page_is_damaged() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    for number in 1..=200 {
        changes
            .transition(transition("shop", number))
            .intend(record(number));
    }
    catalog.commit(changes).await.unwrap();
    catalog.close().await.unwrap();
    let whole = fs::read(fixture.file()).unwrap();
    const PAGE: usize = 4096;
    let mut refused = 0;
    for page in 0..whole.len() / PAGE {
        let mut damaged = whole.clone();
        // Behind the file's header, which has its own test.
        let start = page * PAGE + if page == 0 { 100 } else { 0 };
        damaged[start..(page + 1) * PAGE].fill(0xa5);
        fs::write(fixture.file(), &damaged).unwrap();
        let message = unusable(fixture.try_open().await);
        assert!(message.contains("damaged"), "{message}");
        refused += 1;
    }
    assert!(refused > 10);
    fs::write(fixture.file(), &whole[..whole.len() / 2]).unwrap();
    assert!(unusable(fixture.try_open().await).contains("damaged"));
    fs::write(fixture.file(), &whole).unwrap();
    assert_eq!(
        fixture.open().await.last_notification_id().await.unwrap(),
        200
    );
}

#[tokio::test]
async fn a_file_that_a_crash_left_empty_is_filled() {
    let fixture = Fixture::new();
    fs::write(fixture.file(), "").unwrap();
    let missing = fixture.try_open_read_only().await.err().unwrap();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    let catalog = fixture.open().await;
    assert_eq!(catalog.last_notification_id().await.unwrap(), 0);
}

#[tokio::test]
async fn the_history_is_read_beside_a_writer() {
    let fixture = Fixture::new();
    let missing = fixture.try_open_read_only().await.err().unwrap();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    assert!(missing.to_string().contains("catalog.sqlite"), "{missing}");

    let writer = fixture.open().await;
    let mut changes = Changes::new();
    changes.intend(record(1));
    writer.commit(changes).await.unwrap();
    // In the middle of a transaction of the writer's.
    let mut transaction = writer.begin_raw().await;
    sqlx::query("DELETE FROM notifications")
        .execute(&mut transaction.connection)
        .await
        .unwrap();
    let history = fixture.try_open_read_only().await.unwrap();
    assert_eq!(history.last_notification_id().await.unwrap(), 1);
    transaction.end(Ok(())).await.unwrap();
    assert_eq!(history.last_notification_id().await.unwrap(), 0);

    let refused = history.commit(state("a", "b", b"c")).await.unwrap_err();
    assert!(refused.to_string().contains("reading only"), "{refused}");
    history.close().await.unwrap();
    writer.commit(state("a", "b", b"c")).await.unwrap();
}

#[tokio::test]
async fn the_history_is_read_after_the_server_has_stopped_or_was_killed() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    changes.intend(record(1));
    catalog.commit(changes).await.unwrap();
    // A copy of what lies on the disk now is what a killed server leaves.
    let killed = Fixture::new();
    for suffix in ["", "-wal"] {
        let name = format!("catalog.sqlite{suffix}");
        fs::copy(
            fixture.directory().join(&name),
            killed.directory().join(&name),
        )
        .unwrap();
    }
    catalog.close().await.unwrap();
    let left = fs::read_dir(fixture.directory()).unwrap().count();
    assert_eq!(left, 1, "SQLite's log is moved into the file at the end");
    for fixture in [fixture, killed] {
        let history = fixture.try_open_read_only().await.unwrap();
        assert_eq!(history.last_notification_id().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_closed_catalog_says_that_it_is_closed() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    catalog.close().await.unwrap();
    let write = catalog.commit(state("a", "b", b"c")).await.unwrap_err();
    let read = catalog.state("a", "b").await.unwrap_err();
    for error in [write, read] {
        assert!(error.to_string().ends_with("it is closed"), "{error}");
    }
    catalog.close().await.unwrap();
    let mut foreign = fixture.foreign_connection().await;
    foreign.ping().await.unwrap();
}

fn unusable(opened: Result<Catalog, Error>) -> String {
    match opened.err().unwrap() {
        error @ Error::Unusable { .. } => error.to_string(),
        other => panic!("{other:?}"),
    }
}
