//! What is old goes, however much it is, and what is not old stays.

use std::sync::Arc;

use access::{
    AuditEntry, AuditQuery, Change, Role, SecretHash, Session, SessionKind, User, UserName,
};
use model::Timestamp;
use testkit::SimulatedClock;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(200 * 24 * 3600 * 1000);

fn entry(at: Timestamp) -> AuditEntry {
    AuditEntry {
        at,
        who: "command line".to_owned(),
        address: String::new(),
        action: "token.create".to_owned(),
        object: String::new(),
        before: String::new(),
        after: String::new(),
    }
}

fn session(id: &str, user: &UserName, expires: Timestamp) -> Session {
    Session {
        id: id.into(),
        kind: SessionKind::Cookie,
        user: user.clone(),
        epoch: 0,
        hash: SecretHash::of("secret"),
        generation: 0,
        created: Timestamp::from_millis(0),
        expires,
    }
}

async fn audited(catalog: &Catalog) -> usize {
    let query = AuditQuery {
        before: None,
        limit: 10_000,
    };
    catalog.audit(query).await.unwrap().len()
}

#[tokio::test]
async fn old_entries_go_a_little_at_a_time_and_sessions_that_are_over() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let catalog = Catalog::open(directory.path(), clock.clone())
        .await
        .unwrap();
    let name: UserName = "ann".parse().unwrap();
    let user = User {
        name: name.clone(),
        role: Role::Admin,
        password: None,
        identity: None,
        is_disabled: false,
        epoch: 0,
        created: NOW,
    };
    catalog
        .apply(Change::AddUser(user), entry(NOW))
        .await
        .unwrap();
    let old = NOW - Catalog::AUDIT_AGE - Duration::from_secs(1);
    for _ in 0..1_003 {
        catalog.apply(Change::Nothing, entry(old)).await.unwrap();
    }
    let over = session("over", &name, NOW - Duration::from_secs(1));
    let lasting = session("lasting", &name, NOW + Duration::from_secs(1));
    for session in [over, lasting] {
        let begun = SessionChange::Begin(session);
        catalog.apply_to_sessions(begun).await.unwrap();
    }

    let mut pruning = Pruning::default();
    pruning.go_on(&catalog, &*clock).await;
    assert_eq!(audited(&catalog).await, 4);
    assert!(catalog.session("over".into()).await.unwrap().is_none());
    assert!(catalog.session("lasting".into()).await.unwrap().is_some());
    pruning.go_on(&catalog, &*clock).await;
    assert_eq!(audited(&catalog).await, 1);

    // Once all is done it is let be for an hour.
    pruning.go_on(&catalog, &*clock).await;
    catalog.apply(Change::Nothing, entry(old)).await.unwrap();
    pruning.go_on(&catalog, &*clock).await;
    assert_eq!(audited(&catalog).await, 2);
    clock.advance(EVERY);
    pruning.go_on(&catalog, &*clock).await;
    assert_eq!(audited(&catalog).await, 1);
    assert!(catalog.session("lasting".into()).await.unwrap().is_none());
}
