//! What holds of users, teams, tokens and keys.

use std::sync::Arc;

use access::{AccessStore, ApiToken, Change, Directory, Role, Scope, StoreError, Team, User};

use super::builders::{at, key, name, session, team, token, user};
use super::{done, read, refused};

pub(super) async fn what_is_added_is_read_back_and_removed(store: &dyn AccessStore) {
    assert_eq!(read(store).await, Directory::default());
    let ann = user("ann", Role::Admin);
    let bob = User {
        password: None,
        identity: Some("https://id.example.org#4'2".into()),
        is_disabled: true,
        epoch: i64::MAX as u64,
        created: at(-1),
        ..user("bob+1@example.org", Role::Viewer)
    };
    let ops = team("ops", Some(Role::Editor), &["ann", "bob+1@example.org"]);
    let guests = team("guests", None, &[]);
    let agent = ApiToken {
        expires: Some(at(7)),
        ..token("k3n5", Scope::Ingest)
    };
    let mut expected = Directory::default();
    for user in [&ann, &bob] {
        expected.users.insert(user.name.clone(), user.clone());
    }
    for team in [&ops, &guests] {
        expected.teams.insert(Arc::clone(&team.name), team.clone());
    }
    expected.tokens.insert("k3n5".into(), agent.clone());
    for (index, scope) in Scope::ALL.into_iter().enumerate() {
        let token = token(&format!("t{index}"), scope);
        expected.tokens.insert(Arc::clone(&token.id), token);
    }
    expected.keys.insert("k1".into(), key("k1", 3));

    let mut changes = vec![
        Change::AddUser(ann),
        Change::AddUser(bob.clone()),
        Change::AddTeam(ops),
        Change::AddTeam(guests),
        Change::AddKey {
            key: key("k1", 3),
            keep_from: at(0),
        },
    ];
    let tokens = expected.tokens.values();
    changes.extend(tokens.map(|token| Change::AddToken(token.clone())));
    for change in changes {
        expected.revision += 1;
        assert_eq!(done(store, change).await, expected.revision);
    }
    assert_eq!(read(store).await, expected);

    // Whoever goes is in no team any more.
    done(store, Change::RemoveUser(bob.name.clone())).await;
    done(store, Change::RemoveTeam("guests".into())).await;
    done(store, Change::RevokeToken("k3n5".into())).await;
    let left = read(store).await;
    assert_eq!(left.revision, expected.revision + 3);
    assert_eq!(left.users.len(), 1);
    assert_eq!(
        left.teams.values().collect::<Vec<_>>(),
        [&team("ops", Some(Role::Editor), &["ann"])]
    );
    assert_eq!(left.tokens.len(), Scope::ALL.len());

    let ann = User {
        password: None,
        epoch: 1,
        ..user("ann", Role::Admin)
    };
    done(store, Change::ReplaceUser(ann.clone())).await;
    done(store, Change::ReplaceTeam(team("ops", None, &[]))).await;
    let left = read(store).await;
    assert_eq!(left.users.values().collect::<Vec<_>>(), [&ann]);
    assert_eq!(
        left.teams.values().collect::<Vec<_>>(),
        [&team("ops", None, &[])]
    );
}

pub(super) async fn each_handle_sees_what_the_other_does(
    one: &dyn AccessStore,
    other: &dyn AccessStore,
) {
    for (round, user_name) in ["carl", "dora", "emil"].into_iter().enumerate() {
        let (writer, reader) = if round % 2 == 0 {
            (one, other)
        } else {
            (other, one)
        };
        let before = read(reader).await.revision;
        let revision = done(writer, Change::AddUser(user(user_name, Role::Viewer))).await;
        assert!(revision > before);
        let seen = read(reader).await;
        assert_eq!(seen.revision, revision);
        assert!(seen.users.contains_key(&name(user_name)));
        let begun = session(user_name, user_name, 1);
        let begin = access::SessionChange::Begin(begun.clone());
        writer.apply_to_sessions(begin).await.expect("it begins");
        assert_eq!(reader.session(user_name.into()).await, Ok(Some(begun)));
        assert_eq!(super::log(one).await, super::log(other).await);
    }
}

pub(super) async fn names_are_taken_once(store: &dyn AccessStore) {
    let ann = User {
        identity: Some("https://id.example.org#1".into()),
        ..user("ann", Role::Admin)
    };
    done(store, Change::AddUser(ann.clone())).await;
    // Upper and lower case differ.
    done(store, Change::AddUser(user("Ann", Role::Viewer))).await;
    done(store, Change::AddTeam(team("ops", None, &[]))).await;
    done(store, Change::AddToken(token("t", Scope::Query))).await;
    let keep_from = at(0);
    let key = key("k", 1);
    done(
        store,
        Change::AddKey {
            key: key.clone(),
            keep_from,
        },
    )
    .await;
    for (change, what) in [
        (Change::AddUser(user("ann", Role::Viewer)), "user \"ann\""),
        (
            Change::AddTeam(team("ops", Some(Role::Admin), &["ann"])),
            "team \"ops\"",
        ),
        (Change::AddToken(token("t", Scope::Ingest)), "token \"t\""),
        (Change::AddKey { key, keep_from }, "key \"k\""),
    ] {
        let error = refused(store, change).await;
        assert_eq!(error, StoreError::Exists(what.to_owned()));
    }
    // Nor is anybody two users.
    for change in [
        Change::AddUser(User {
            identity: ann.identity.clone(),
            ..user("bob", Role::Viewer)
        }),
        Change::ReplaceUser(User {
            identity: ann.identity.clone(),
            ..user("Ann", Role::Viewer)
        }),
    ] {
        let error = refused(store, change).await;
        let what = "identity \"https://id.example.org#1\"".to_owned();
        assert_eq!(error, StoreError::Exists(what));
    }
    done(store, Change::ReplaceUser(ann)).await;
}

pub(super) async fn what_is_not_there_is_missing(store: &dyn AccessStore) {
    done(store, Change::AddUser(user("ann", Role::Admin))).await;
    done(store, Change::AddTeam(team("ops", None, &["ann"]))).await;
    for (change, what) in [
        (
            Change::ReplaceUser(user("bob", Role::Viewer)),
            "user \"bob\"",
        ),
        (Change::RemoveUser(name("bob")), "user \"bob\""),
        (
            Change::AddTeam(team("new", None, &["ann", "bob"])),
            "user \"bob\"",
        ),
        (Change::ReplaceTeam(team("new", None, &[])), "team \"new\""),
        (
            Change::ReplaceTeam(team("ops", None, &["bob"])),
            "user \"bob\"",
        ),
        (Change::RemoveTeam("new".into()), "team \"new\""),
        (Change::RevokeToken("t".into()), "token \"t\""),
    ] {
        let error = refused(store, change).await;
        assert_eq!(error, StoreError::Missing(what.to_owned()));
    }
}

pub(super) async fn somebody_can_always_administer(store: &dyn AccessStore) {
    // As long as nobody can, nothing is lost.
    done(store, Change::AddUser(user("vera", Role::Viewer))).await;
    done(store, Change::ReplaceUser(user("vera", Role::Editor))).await;
    done(store, Change::RemoveUser(name("vera"))).await;

    done(store, Change::AddUser(user("ann", Role::Admin))).await;
    let disabled = User {
        is_disabled: true,
        ..user("ann", Role::Admin)
    };
    let last = [
        Change::RemoveUser(name("ann")),
        Change::ReplaceUser(user("ann", Role::Editor)),
        Change::ReplaceUser(disabled),
    ];
    for change in last.clone() {
        assert_eq!(refused(store, change).await, StoreError::LastAdmin);
    }
    // One who is kept out does not count.
    let absent = User {
        is_disabled: true,
        ..user("zoe", Role::Admin)
    };
    done(store, Change::AddUser(absent)).await;
    for change in last.clone() {
        assert_eq!(refused(store, change).await, StoreError::LastAdmin);
    }
    // A team makes its members admins.
    done(store, Change::AddUser(user("bob", Role::Viewer))).await;
    let admins = |members: &[&str]| team("admins", Some(Role::Admin), members);
    done(store, Change::AddTeam(admins(&["zoe"]))).await;
    assert_eq!(refused(store, last[0].clone()).await, StoreError::LastAdmin);
    done(store, Change::ReplaceTeam(admins(&["bob"]))).await;
    done(store, last[0].clone()).await;
    let viewers = Team {
        role: Some(Role::Viewer),
        ..admins(&["bob"])
    };
    let away = User {
        is_disabled: true,
        ..user("bob", Role::Viewer)
    };
    for change in [
        Change::RemoveTeam("admins".into()),
        Change::ReplaceTeam(admins(&[])),
        Change::ReplaceTeam(admins(&["zoe"])),
        Change::ReplaceTeam(viewers),
        Change::ReplaceUser(away),
        Change::RemoveUser(name("bob")),
    ] {
        assert_eq!(refused(store, change).await, StoreError::LastAdmin);
    }
    done(store, Change::ReplaceUser(user("bob", Role::Admin))).await;
    done(store, Change::RemoveTeam("admins".into())).await;
}

pub(super) async fn a_user_of_an_earlier_epoch_is_stale(store: &dyn AccessStore) {
    let of_epoch = |epoch| User {
        epoch,
        ..user("ann", Role::Admin)
    };
    done(store, Change::AddUser(of_epoch(3))).await;
    done(store, Change::ReplaceUser(of_epoch(3))).await;
    done(store, Change::ReplaceUser(of_epoch(4))).await;
    let error = refused(store, Change::ReplaceUser(of_epoch(3))).await;
    assert_eq!(error, StoreError::Stale);
}

pub(super) async fn old_keys_go_when_a_new_one_comes(store: &dyn AccessStore) {
    for (id, created, keep_from) in [("a", 10, 0), ("b", 20, 10), ("c", 30, 11)] {
        let change = Change::AddKey {
            key: key(id, created),
            keep_from: at(keep_from),
        };
        done(store, change).await;
    }
    let directory = read(store).await;
    let mut keys: Vec<&str> = directory.keys.keys().map(|id| &**id).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["b", "c"]);
    assert_eq!(directory.signing_key(), Some(&key("c", 30)));
}
