//! What holds when two processes do something at the same moment.

use std::collections::BTreeSet;

use access::{Change, Role, SessionChange, StoreError};
use futures_util::future::{join, join_all};

use super::builders::{entry, name, session, user};
use super::{Handles, done, log, read, sessions};

/// Often enough that both orders are seen.
const ROUNDS: usize = 20;

pub(super) async fn of_two_admins_who_remove_each_other_one_stays([one, other]: Handles) {
    done(&*one, Change::AddUser(user("ann", Role::Admin))).await;
    for _ in 0..ROUNDS {
        done(&*one, Change::AddUser(user("bob", Role::Admin))).await;
        let both = join(
            one.apply(Change::RemoveUser(name("ann")), entry("user.remove")),
            other.apply(
                Change::ReplaceUser(user("bob", Role::Viewer)),
                entry("user.change"),
            ),
        );
        let both = both.await;
        match &both {
            (Ok(_), Err(StoreError::LastAdmin)) => {
                done(&*one, Change::AddUser(user("ann", Role::Admin))).await;
            }
            (Err(StoreError::LastAdmin), Ok(_)) => {}
            _ => panic!("{both:?}"),
        }
        let directory = read(&*other).await;
        assert!(directory.has_admin());
        done(&*other, Change::RemoveUser(name("bob"))).await;
    }
}

pub(super) async fn of_two_who_take_a_name_one_gets_it([one, other]: Handles) {
    for round in 0..ROUNDS {
        let named = format!("u{round}");
        let both = join(
            one.apply(Change::AddUser(user(&named, Role::Viewer)), entry("1")),
            other.apply(Change::AddUser(user(&named, Role::Editor)), entry("2")),
        );
        let both = both.await;
        let role = match &both {
            (Ok(_), Err(StoreError::Exists(_))) => Role::Viewer,
            (Err(StoreError::Exists(_)), Ok(_)) => Role::Editor,
            _ => panic!("{both:?}"),
        };
        assert_eq!(read(&*one).await.users[&name(&named)].role, role);
    }
    assert_eq!(log(&*one).await.len(), ROUNDS);
}

pub(super) async fn each_change_has_a_revision_and_an_entry_of_its_own([one, other]: Handles) {
    let mut changes = Vec::new();
    for number in 0..ROUNDS {
        let store = if number % 2 == 0 { &one } else { &other };
        let change = Change::AddUser(user(&format!("u{number}"), Role::Viewer));
        changes.push(store.apply(change, entry("user.add")));
        changes.push(store.apply(Change::Nothing, entry("login")));
    }
    let results = join_all(changes).await;
    let revisions: BTreeSet<u64> = results
        .into_iter()
        .step_by(2)
        .map(|result| result.expect("a change is made"))
        .collect();
    assert_eq!(revisions, (1..=ROUNDS as u64).collect());
    let kept = log(&*one).await;
    let numbers: BTreeSet<u64> = kept.iter().map(|each| each.id).collect();
    assert_eq!((kept.len(), numbers.len()), (2 * ROUNDS, 2 * ROUNDS));
}

pub(super) async fn nobody_logs_in_while_they_are_removed([one, other]: Handles) {
    done(&*one, Change::AddUser(user("ann", Role::Admin))).await;
    for _ in 0..ROUNDS {
        done(&*one, Change::AddUser(user("bob", Role::Viewer))).await;
        let login = SessionChange::Begin(session("s", "bob", 1));
        let (begun, removed) = join(
            one.apply_to_sessions(login),
            other.apply(Change::RemoveUser(name("bob")), entry("user.remove")),
        )
        .await;
        assert!(removed.is_ok(), "{removed:?}");
        let missing = StoreError::Missing("user \"bob\"".to_owned());
        assert!(begun.is_ok() || begun == Err(missing), "{begun:?}");
        assert_eq!(sessions::get(&*one, "s").await, None);
    }
}
