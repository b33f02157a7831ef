//! Full disks, other writers, callers that go away, damage while it runs.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use model::{HealthState, MetricFamily};
use sqlx::Connection;

use super::fixture::{Fixture, at, on_both, record, state};
use crate::{Catalog, Changes, Error};

on_both! {
    two_writers_take_turns
    whoever_goes_away_in_the_middle_leaves_all_or_nothing
    damage_that_is_found_later_is_named
    a_mistake_of_the_caller_says_nothing_of_the_catalogs_health
    a_commit_may_be_a_task_of_its_own
}

#[tokio::test]
async fn on_a_full_disk_nothing_happens_and_later_it_works_again() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    catalog.commit(state("a", "b", b"old")).await.unwrap();
    // As if the file could not grow any more, for as long as this connection lives.
    let mut transaction = catalog.begin_raw().await;
    sqlx::query("PRAGMA max_page_count = 1")
        .execute(&mut transaction.connection)
        .await
        .unwrap();
    transaction.end(Ok(())).await.unwrap();

    fixture.clock.set(at(2_000));
    let mut changes = state("a", "b", b"new");
    changes
        .intend(record(1))
        .put_state("a", "large", vec![1; 1_000_000]);
    let error = catalog.commit(changes).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    let health = catalog.health();
    assert_eq!(
        (health.state, health.since),
        (HealthState::Degraded, at(2_000))
    );
    assert!(health.reason.contains("the disk is full"));
    assert_eq!(
        catalog.states("a").await.unwrap(),
        [("b".to_owned(), b"old".to_vec())]
    );
    assert_eq!(catalog.last_notification_id().await.unwrap(), 0);

    fixture.clock.set(at(3_000));
    let mut changes = state("a", "large", &[1; 1_000_000]);
    changes.intend(record(1));
    catalog.commit(changes).await.unwrap();
    let health = catalog.health();
    assert_eq!(
        (health.state, health.since),
        (HealthState::Healthy, at(3_000))
    );
    assert_eq!(catalog.last_notification_id().await.unwrap(), 1);
}

async fn two_writers_take_turns(fixture: Fixture) {
    let one = fixture.open_patiently().await;
    let other = fixture.open_patiently().await;
    let write = async |catalog: &Catalog, from: u64| {
        for id in from..from + 50 {
            let mut changes = Changes::new();
            changes.intend(record(id));
            catalog.commit(changes).await.unwrap();
        }
    };
    tokio::join!(write(&one, 1), write(&other, 51), write(&one, 101));
    for id in 1..=150 {
        assert!(one.notification(id).await.unwrap().is_some(), "{id}");
    }
}

#[tokio::test]
async fn another_writer_that_does_not_end_is_named_and_waited_for_no_longer() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    let mut foreign = fixture.foreign_connection().await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut foreign)
        .await
        .unwrap();
    let error = catalog.commit(state("a", "b", b"c")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
    assert_eq!(catalog.states("a").await.unwrap(), []);
    foreign.close().await.unwrap();
    catalog.commit(state("a", "b", b"c")).await.unwrap();
    assert_eq!(catalog.health().state, HealthState::Healthy);
}

async fn whoever_goes_away_in_the_middle_leaves_all_or_nothing(fixture: Fixture) {
    let catalog = fixture.open_patiently().await;
    let mut outcomes = [0, 0];
    for patience in 0..120_u8 {
        let mut changes = state("a", "first", &[patience]);
        changes.put_state("a", "second", vec![patience]);
        drop_after(catalog.commit(changes), patience).await;
        let mut counted = Changes::new();
        counted.put_state("b", "rounds", vec![patience]);
        catalog.commit(counted).await.unwrap();

        let first = catalog.state("a", "first").await.unwrap();
        let second = catalog.state("a", "second").await.unwrap();
        assert_eq!(first, second, "after {patience} polls");
        outcomes[usize::from(first == Some(vec![patience]))] += 1;
    }
    assert!(outcomes[0] > 0, "no commit was cut off");
}

async fn damage_that_is_found_later_is_named(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    changes.intend(record(1)).intend(record(2));
    catalog.commit(changes).await.unwrap();
    fixture
        .execute(
            "UPDATE notifications SET alerts = '[{' WHERE id = 1;
             UPDATE notifications SET state = 'lost' WHERE id = 2;
             DROP TABLE states",
        )
        .await;
    for (id, what) in [(1, "an entry of the journal"), (2, "\"lost\"")] {
        let error = catalog.notification(id).await.unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.to_string().contains("put a backup"), "{error}");
    }
    assert_eq!(catalog.health().state, HealthState::Healthy);
    let error = catalog.commit(state("a", "b", b"c")).await.unwrap_err();
    assert!(matches!(error, Error::Unusable { .. }), "{error}");
    assert_eq!(catalog.health().state, HealthState::Unhealthy);
}

async fn a_mistake_of_the_caller_says_nothing_of_the_catalogs_health(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    changes.attempted(1, 1, 0, "timeout");
    let error = catalog.commit(changes).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert_eq!(catalog.health().state, HealthState::Healthy);
}

#[tokio::test]
async fn its_work_is_counted() {
    let fixture = Fixture::new();
    let catalog = fixture.open().await;
    catalog.commit(state("a", "b", b"c")).await.unwrap();
    catalog.commit(Changes::new()).await.unwrap();
    let mut unknown = Changes::new();
    unknown.attempted(1, 1, 0, "");
    catalog.commit(unknown).await.unwrap_err();
    let families = catalog.metrics();
    let value = |name: &str| {
        let named = |family: &&MetricFamily| family.name == name;
        families.iter().find(named).unwrap().points[0].value
    };
    assert_eq!(value("campanile_catalog_commits_total"), 1.0);
    assert_eq!(value("campanile_catalog_errors_total"), 1.0);
    assert!(value("campanile_catalog_size_bytes") > 4096.0);
}

async fn a_commit_may_be_a_task_of_its_own(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    let own = catalog.clone();
    tasks.spawn(async move { own.commit(state("a", "b", b"c")).await });
    tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(catalog.state("a", "b").await.unwrap().unwrap(), b"c");
}

/// Polls a future so often, then drops it.
async fn drop_after(future: impl Future, polls: u8) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let ready = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if ready {
            return;
        }
        tokio::task::yield_now().await;
    }
}
