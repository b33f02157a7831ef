//! What only a PostgreSQL server does: it goes away and comes back, it lets nobody in, it is shared with others.

use access::AccessStore;
use model::HealthState;
use testkit::Postgres;

use super::fixture::{Fixture, at, clock, record, state, transition};
use crate::place::Place;
use crate::writer::Durability;
use crate::{Catalog, Changes, Error};

#[tokio::test]
async fn what_was_committed_is_there_after_the_server_was_away() {
    // Of its own, since others would miss it.
    let Some(server) = Postgres::start() else {
        return;
    };
    let clock = clock();
    let catalog = Catalog::connect(&server.database(), clock.clone())
        .await
        .unwrap();
    catalog.commit(state("a", "b", b"1")).await.unwrap();
    for round in 0..2 {
        clock.set(at(2_000 + round));
        server.halt();
        let write = catalog.commit(state("a", "b", b"2")).await.unwrap_err();
        let read = catalog.state("a", "b").await.unwrap_err();
        for error in [&write, &read] {
            assert!(matches!(error, Error::Unavailable { .. }), "{error}");
            let message = format!("{error} {error:?}");
            assert!(message.contains("postgres://campanile@127.0.0.1:"));
            assert!(!message.contains("s3cret"), "{message}");
        }
        let health = catalog.health();
        assert_eq!(
            (health.state, health.since),
            (HealthState::Degraded, at(2_000 + round))
        );
        assert!(!health.reason.contains("s3cret"), "{}", health.reason);

        server.resume();
        let kept = catalog.state("a", "b").await.unwrap();
        assert_eq!(kept.as_deref(), Some(&b"1"[..]));
        assert_eq!(catalog.health().state, HealthState::Degraded);
        catalog.commit(state("a", "b", b"1")).await.unwrap();
        assert_eq!(catalog.health().state, HealthState::Healthy);
    }
    // While nobody asked.
    server.halt();
    server.resume();
    catalog.commit(state("a", "b", b"2")).await.unwrap();
    server.halt();
    server.resume();
    let kept = catalog.state("a", "b").await.unwrap();
    assert_eq!(kept.as_deref(), Some(&b"2"[..]));
}

#[tokio::test]
async fn a_question_that_fails_shows_in_the_health_until_one_is_answered() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let catalog = Catalog::connect(&server.database(), clock()).await.unwrap();
    assert_eq!(catalog.revision().await, Ok(0));
    server.halt();
    catalog.revision().await.unwrap_err();
    assert_eq!(catalog.health().state, HealthState::Degraded);
    server.resume();
    assert_eq!(catalog.revision().await, Ok(0));
    assert_eq!(catalog.health().state, HealthState::Healthy);
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_of_a_migration_has_the_old_version() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let url = server.database();
    let catalog = Catalog::connect(&url, clock()).await.unwrap();
    let mut transaction = catalog.begin_raw().await;
    sqlx::raw_sql("DROP TABLE audit; UPDATE schema_version SET version = 1; DROP TABLE directory")
        .execute(&mut transaction.connection)
        .await
        .unwrap();
    server.halt();
    transaction.end(Ok(())).await.unwrap_err();
    server.resume();
    let catalog = Catalog::connect(&url, clock()).await.unwrap();
    assert_eq!(catalog.revision().await, Ok(0));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_without_the_password() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.url("postgres");
    let nobody_there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody_there.local_addr().unwrap();
    drop(nobody_there);
    for (url, what, may_pass) in [
        (
            url.replace("s3cret", "s3cret2"),
            "password authentication",
            false,
        ),
        (url.replace("campanile", "s0mebody"), "s0mebody", false),
        (
            server.url("absent"),
            "\"absent\" does not exist: make it",
            false,
        ),
        // A certificate of an authority that this machine does not know.
        (
            url.replace("127.0.0.1", "localhost") + "?sslmode=verify-full",
            "certificate",
            true,
        ),
        (
            format!("postgres://campanile:s3cret@{address}/x"),
            "refused",
            true,
        ),
        (format!("{url}?sslmode=s3cre"), "ssl_mode", false),
    ] {
        let opened = Catalog::connect(&url, clock()).await;
        let read = Catalog::connect_read_only(&url, clock()).await;
        for error in [opened.err().unwrap(), read.err().unwrap()] {
            let message = format!("{error} {error:?}");
            assert!(message.contains(what), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
            assert_eq!(
                matches!(error, Error::Unavailable { .. }),
                may_pass,
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_is_spoken_to_over_tls_and_must_be_itself() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.url_with_tls("postgres");
    let place = Place::server(&url).ok().unwrap();
    let mut connection = place.connect_writing().await.unwrap();
    let encrypted: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(encrypted, 1);
    // The certificate is for the name, not for the address.
    let other = Place::server(&url.replace("localhost", "127.0.0.1"))
        .ok()
        .unwrap();
    let error = other.connect_writing().await.err().unwrap().to_string();
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_newer_version_and_another_programs_database_are_refused() {
    let (Some(newer), Some(others)) = (Fixture::on_postgres(), Fixture::on_postgres()) else {
        return;
    };
    newer.open().await.close().await.unwrap();
    newer
        .execute("UPDATE schema_version SET version = 99")
        .await;
    others.execute("CREATE TABLE recipes (name TEXT)").await;
    for (fixture, what) in [(newer, "version 99"), (others, "another program")] {
        for refused in [fixture.try_open().await, fixture.try_open_read_only().await] {
            let error = refused.err().unwrap();
            assert!(matches!(error, Error::Unusable { .. }), "{error}");
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}

#[tokio::test]
async fn the_history_is_read_beside_a_writer() {
    let Some(fixture) = Fixture::on_postgres() else {
        return;
    };
    let missing = fixture.try_open_read_only().await.err().unwrap();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    let writer = fixture.open().await;
    let mut changes = Changes::new();
    changes.intend(record(1));
    writer.commit(changes).await.unwrap();
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
    // Even what would write by mistake cannot.
    let mut reader = history.reader().await.ok().unwrap();
    let written = sqlx::query("DELETE FROM states").execute(&mut *reader);
    assert!(written.await.is_err());
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_unless_it_need_not() {
    let Some(fixture) = Fixture::on_postgres() else {
        return;
    };
    let catalog = fixture.open().await;
    for (durability, expected) in [(Durability::Synced, "on"), (Durability::Written, "off")] {
        let mut transaction = catalog.begin(durability).await.ok().unwrap();
        let synchronous: String = sqlx::query_scalar("SHOW synchronous_commit")
            .fetch_one(&mut transaction.connection)
            .await
            .unwrap();
        assert_eq!(synchronous, expected);
        transaction.end(Ok(())).await.ok().unwrap();
    }
}

#[tokio::test]
async fn names_are_sorted_by_their_bytes_whatever_the_servers_language() {
    let Some(fixture) = Fixture::on_postgres() else {
        return;
    };
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    for name in ["b", "a", "B", "ä", "_"] {
        changes
            .put_state("kind", name, Vec::new())
            .transition(transition(name, 1));
    }
    catalog.commit(changes).await.unwrap();
    let states = catalog.states("kind").await.unwrap();
    let states: Vec<&str> = states.iter().map(|(name, _)| name.as_str()).collect();
    let all = catalog.all_transitions("", 0, 100).await.unwrap();
    let all: Vec<&str> = all.iter().map(|each| each.monitor.as_str()).collect();
    assert_eq!(states, ["B", "_", "a", "b", "ä"]);
    assert_eq!(all, states);
}
