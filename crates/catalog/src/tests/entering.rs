//! Who may come in: the contract that every store of it keeps, and what is the catalog's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use access::{
    AccessStore, ApiToken, AuditEntry, AuditQuery, Change, Directory, Role, Scope, SecretHash,
    StoreError, Team, User,
};
use model::Timestamp;
use testkit::{MemoryAccess, check_access};

use super::fixture::{Fixture, at, on_both};
use crate::Catalog;

on_both! {
    it_keeps_the_contract
    there_are_no_more_than_there_may_be
    the_audit_log_is_pruned_by_age_and_by_number
    long_texts_of_the_audit_log_are_cut
    secrets_are_in_no_message
}

#[tokio::test]
async fn what_is_kept_in_memory_keeps_the_contract() {
    let make = async || {
        let one: Arc<dyn AccessStore> = Arc::new(MemoryAccess::new());
        let other = Arc::clone(&one);
        [one, other]
    };
    check_access(make).await;
    assert_eq!(MemoryAccess::new().revision().await, Ok(0));
}

async fn it_keeps_the_contract(first: Fixture) {
    let is_remote = first.url().is_some();
    let fixtures = Mutex::new(Vec::new());
    let make = async || {
        let fixture = match is_remote {
            true => Fixture::on_postgres().unwrap(),
            false => Fixture::new(),
        };
        let one: Arc<dyn AccessStore> = Arc::new(fixture.open_patiently().await);
        let other: Arc<dyn AccessStore> = Arc::new(fixture.open_patiently().await);
        fixtures.lock().unwrap().push(fixture);
        [one, other]
    };
    check_access(make).await;
    assert!(fixtures.lock().unwrap().len() > 10);
}

async fn there_are_no_more_than_there_may_be(fixture: Fixture) {
    let catalog = fixture.open().await;
    // All but one, at once.
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})",
        Directory::USERS_MAX - 1
    );
    for (table, values) in [
        ("users", "'u' || n, 'viewer', NULL, NULL, 0, 0, 0"),
        ("teams", "'t' || n, NULL"),
        ("tokens", "'k' || n, '', 'query', 'no hash', '', 0, NULL"),
    ] {
        fixture
            .execute(&format!(
                "INSERT INTO {table} {numbers} SELECT {values} FROM numbers"
            ))
            .await;
    }
    assert_eq!(done(&catalog, Change::AddUser(user("ann"))).await, 1);
    assert_eq!(done(&catalog, Change::AddTeam(team("ops"))).await, 2);
    assert_eq!(done(&catalog, Change::AddToken(token("k"))).await, 3);
    for (change, what) in [
        (Change::AddUser(user("bob")), "10000 users"),
        (Change::AddTeam(team("more")), "10000 teams"),
        (Change::AddToken(token("more")), "10000 tokens"),
    ] {
        let refused = catalog.apply(change, entry(0)).await;
        assert_eq!(refused, Err(StoreError::Full(what.to_owned())));
    }
    let first = "u1".parse().unwrap();
    done(&catalog, Change::RemoveUser(first)).await;
    done(&catalog, Change::AddUser(user("bob"))).await;
}

async fn the_audit_log_is_pruned_by_age_and_by_number(fixture: Fixture) {
    let catalog = fixture.open().await;
    for millis in 1..=10 {
        catalog.apply(Change::Nothing, entry(millis)).await.unwrap();
    }
    assert_eq!(catalog.prune_audit(at(4), 100).await.unwrap(), 3);
    assert_eq!(times(&catalog).await, [10, 9, 8, 7, 6, 5, 4]);
    assert_eq!(catalog.prune_audit(at(4), 100).await.unwrap(), 0);
    assert_eq!(catalog.prune_audit(at(6), 3).await.unwrap(), 4);
    assert_eq!(times(&catalog).await, [10, 9, 8]);
    assert_eq!(catalog.prune_audit(Timestamp::MAX, 0).await.unwrap(), 3);
    assert_eq!(times(&catalog).await, [0; 0]);
    // Numbers do not come again.
    catalog.apply(Change::Nothing, entry(11)).await.unwrap();
    let kept = catalog.audit(ALL).await.unwrap();
    assert_eq!(kept[0].id, 11);
    assert!(Catalog::AUDIT_AGE >= Duration::from_secs(90 * 24 * 3600));

    // A bounded number at a time.
    for _ in 0..1_005 {
        catalog.apply(Change::Nothing, entry(12)).await.unwrap();
    }
    assert_eq!(catalog.prune_audit(Timestamp::MAX, 9).await.unwrap(), 1_000);
    assert_eq!(catalog.prune_audit(at(0), 2).await.unwrap(), 4);
    assert_eq!(times(&catalog).await, [12, 12]);
}

async fn long_texts_of_the_audit_log_are_cut(fixture: Fixture) {
    let catalog = fixture.open().await;
    let long = AuditEntry {
        who: "w\0".repeat(1_000_000),
        after: "x".repeat(1_000_000),
        ..entry(1)
    };
    catalog.apply(Change::Nothing, long).await.unwrap();
    let kept = catalog.audit(ALL).await.unwrap();
    assert_eq!(kept[0].entry.who.chars().count(), 1_001);
    assert_eq!(kept[0].entry.after.chars().count(), 100_001);
}

async fn secrets_are_in_no_message(fixture: Fixture) {
    let catalog = fixture.open().await;
    done(&catalog, Change::AddUser(user("ann"))).await;
    fixture
        .execute("DROP TABLE team_members; ALTER TABLE users RENAME TO persons")
        .await;
    let applied = catalog.apply(Change::AddUser(user("bob")), entry(1)).await;
    let read = catalog.directory().await;
    for error in [applied.unwrap_err(), read.unwrap_err()] {
        let message = format!("{error} {error:?} {:?}", catalog.health());
        assert!(matches!(error, StoreError::Unavailable(_)), "{message}");
        assert!(message.contains("users"), "{message}");
        for secret in ["s3cret", "argon2id"] {
            assert!(!message.contains(secret), "{message}");
        }
    }
}

const ALL: AuditQuery = AuditQuery {
    before: None,
    limit: u32::MAX,
};

async fn done(catalog: &Catalog, change: Change) -> u64 {
    catalog.apply(change, entry(1)).await.unwrap()
}

async fn times(catalog: &Catalog) -> Vec<i64> {
    let kept = catalog.audit(ALL).await.unwrap();
    kept.iter().map(|each| each.entry.at.as_millis()).collect()
}

fn user(name: &str) -> User {
    User {
        name: name.parse().unwrap(),
        role: Role::Admin,
        password: Some("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA".into()),
        identity: None,
        is_disabled: false,
        epoch: 0,
        created: at(1),
    }
}

fn team(name: &str) -> Team {
    Team {
        name: name.into(),
        role: None,
        members: Default::default(),
    }
}

fn token(id: &str) -> ApiToken {
    ApiToken {
        id: id.into(),
        name: "agent".into(),
        scope: Scope::Ingest,
        hash: SecretHash::from_bytes([1; 32]),
        created_by: "user:ann".into(),
        created: at(1),
        expires: None,
    }
}

pub(super) fn entry(millis: i64) -> AuditEntry {
    AuditEntry {
        at: at(millis),
        who: "user:ann".to_owned(),
        address: String::new(),
        action: "login".to_owned(),
        object: "user:ann".to_owned(),
        before: String::new(),
        after: String::new(),
    }
}
