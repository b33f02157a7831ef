//! What holds of sessions.

use access::{
    AccessStore, Change, Role, SecretHash, Session, SessionChange, SessionKind, StoreError, User,
};
use futures_util::future::join;

use super::builders::{at, name, session, user};
use super::{Handles, done, read};

pub(super) async fn a_session_begins_goes_on_and_ends(store: &dyn AccessStore) {
    let revision = with_users(store).await;
    let begun = Session {
        kind: SessionKind::Refresh,
        hash: SecretHash::from_bytes([7; 32]),
        ..session("s", "ann", 5)
    };
    assert_eq!(get(store, "s").await, None);
    begin(store, &begun).await;
    assert_eq!(get(store, "s").await, Some(begun.clone()));
    assert_eq!(
        store
            .apply_to_sessions(SessionChange::Begin(begun.clone()))
            .await,
        Err(StoreError::Exists("session \"s\"".to_owned()))
    );

    let next = Session {
        hash: SecretHash::from_bytes([8; 32]),
        generation: 1,
        expires: at(9_000),
        ..begun.clone()
    };
    assert_eq!(go_on(store, 0, &next).await, Ok(()));
    assert_eq!(get(store, "s").await, Some(next.clone()));
    // An old secret, one that was never given, and a session that is over.
    let other = Session {
        generation: 2,
        ..begun
    };
    assert_eq!(go_on(store, 0, &other).await, Err(StoreError::Stale));
    assert_eq!(go_on(store, 2, &other).await, Err(StoreError::Stale));
    assert_eq!(get(store, "s").await, Some(next));
    for _ in 0..2 {
        let ended = store.apply_to_sessions(SessionChange::End("s".into()));
        assert_eq!(ended.await, Ok(()));
        assert_eq!(get(store, "s").await, None);
    }
    assert_eq!(go_on(store, 1, &other).await, Err(StoreError::Stale));
    assert_eq!(get(store, "s").await, None);
    // Nobody comes in by what no session can be called.
    assert_eq!(get(store, "").await, None);
    assert_eq!(get(store, "a\0b").await, None);
    assert_eq!(get(store, &"x".repeat(100_000)).await, None);
    assert_eq!(store.revision().await, Ok(revision));
}

pub(super) async fn a_secret_is_changed_by_one_of_two([one, other]: Handles) {
    with_users(&*one).await;
    begin(&*one, &session("s", "ann", 5)).await;
    for generation in 0..20 {
        let next = |byte| Session {
            hash: SecretHash::from_bytes([byte; 32]),
            generation: generation + 1,
            ..session("s", "ann", 5)
        };
        let (first, second) = (next(1), next(2));
        let both = join(
            go_on(&*one, generation, &first),
            go_on(&*other, generation, &second),
        );
        let winner = match both.await {
            (Ok(()), Err(StoreError::Stale)) => first,
            (Err(StoreError::Stale), Ok(())) => second,
            both => panic!("{both:?}"),
        };
        assert_eq!(get(&*one, "s").await, Some(winner));
    }
}

pub(super) async fn they_end_with_the_epoch_and_with_the_user(store: &dyn AccessStore) {
    with_users(store).await;
    for id in ["a", "b", "c"] {
        begin(store, &session(id, "ann", 5)).await;
    }
    begin(store, &session("of bob", "bob", 5)).await;
    let end_others = SessionChange::EndAll {
        user: name("ann"),
        except: Some("b".into()),
    };
    assert_eq!(store.apply_to_sessions(end_others).await, Ok(()));
    assert_eq!(
        left(store, &["a", "b", "c", "of bob"]).await,
        ["b", "of bob"]
    );

    // The same epoch, and a greater one.
    done(store, Change::ReplaceUser(user("ann", Role::Admin))).await;
    assert_eq!(left(store, &["b", "of bob"]).await, ["b", "of bob"]);
    let later = User {
        epoch: 1,
        ..user("ann", Role::Admin)
    };
    done(store, Change::ReplaceUser(later)).await;
    assert_eq!(left(store, &["b", "of bob"]).await, ["of bob"]);
    // What began under the epoch before comes too late.
    let late = SessionChange::Begin(session("late", "ann", 6));
    assert_eq!(store.apply_to_sessions(late).await, Err(StoreError::Stale));

    done(store, Change::RemoveUser(name("bob"))).await;
    let nobodys = SessionChange::Begin(session("nobody's", "bob", 6));
    assert_eq!(
        store.apply_to_sessions(nobodys).await,
        Err(StoreError::Missing("user \"bob\"".to_owned()))
    );
    done(store, Change::AddUser(user("bob", Role::Viewer))).await;
    let ids = ["of bob", "late", "nobody's"];
    assert_eq!(left(store, &ids).await, Vec::<&str>::new());

    begin(store, &session("again", "bob", 7)).await;
    let end_all = SessionChange::EndAll {
        user: name("bob"),
        except: None,
    };
    assert_eq!(store.apply_to_sessions(end_all).await, Ok(()));
    assert_eq!(get(store, "again").await, None);
}

pub(super) async fn the_oldest_go_when_there_are_too_many(store: &dyn AccessStore) {
    with_users(store).await;
    let max = SessionChange::PER_USER_MAX;
    begin(store, &session("of bob", "bob", 0)).await;
    let id = |number: usize| format!("s{number:03}");
    for number in 0..max + 3 {
        // Two begin at each moment.
        begin(store, &session(&id(number), "ann", number as i64 / 2)).await;
    }
    for number in 0..max + 3 {
        let is_left = get(store, &id(number)).await.is_some();
        assert_eq!(is_left, number >= 3, "{number}");
    }
    // The new one stays, whatever its clock says.
    begin(store, &session("new", "ann", -5)).await;
    let ids = ["new", "s003", "s004", "of bob"];
    assert_eq!(left(store, &ids).await, ["new", "s004", "of bob"]);
}

pub(super) async fn what_has_expired_is_pruned(store: &dyn AccessStore) {
    with_users(store).await;
    for (id, created) in [("a", 1), ("b", 2), ("c", 3)] {
        begin(store, &session(id, "ann", created)).await;
    }
    let pruned = store.apply_to_sessions(SessionChange::Prune(at(1_002)));
    assert_eq!(pruned.await, Ok(()));
    assert_eq!(left(store, &["a", "b", "c"]).await, ["b", "c"]);
}

async fn with_users(store: &dyn AccessStore) -> u64 {
    done(store, Change::AddUser(user("ann", Role::Admin))).await;
    done(store, Change::AddUser(user("bob", Role::Viewer))).await;
    read(store).await.revision
}

pub(super) async fn begin(store: &dyn AccessStore, session: &Session) {
    let begun = store.apply_to_sessions(SessionChange::Begin(session.clone()));
    begun.await.expect("the session begins");
}

async fn go_on(store: &dyn AccessStore, from: u64, session: &Session) -> Result<(), StoreError> {
    let session = session.clone();
    let change = SessionChange::Continue { from, session };
    store.apply_to_sessions(change).await
}

pub(super) async fn get(store: &dyn AccessStore, id: &str) -> Option<Session> {
    store.session(id.into()).await.expect("a session is read")
}

async fn left<'a>(store: &dyn AccessStore, ids: &[&'a str]) -> Vec<&'a str> {
    let mut left = Vec::new();
    for id in ids {
        if get(store, id).await.is_some() {
            left.push(*id);
        }
    }
    left
}
