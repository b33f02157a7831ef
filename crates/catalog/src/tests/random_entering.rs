//! Random changes of who may come in, beside a store in memory: each is taken or refused by both, for the same reason.

use std::sync::Arc;

use access::{
    AccessStore, ApiToken, AuditQuery, Change, Role, Scope, SecretHash, Session, SessionChange,
    SessionKind, SigningKey, Team, User, UserName,
};
use proptest::prelude::*;
use testkit::MemoryAccess;

use super::entering::entry;
use super::fixture::{Fixture, at};

const NAMES: [&str; 3] = ["ann", "bob", "Bob"];

#[derive(Clone, Debug)]
enum Step {
    Apply(Change),
    Sessions(SessionChange),
}

fn name() -> impl Strategy<Value = UserName> {
    prop::sample::select(&NAMES[..]).prop_map(|name| name.parse().unwrap())
}

/// Identities of anything but users.
fn id() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(&["x", "y", "ü'\"%"][..]).prop_map(Arc::from)
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(&Role::ALL[..])
}

fn user() -> impl Strategy<Value = User> {
    let password = prop::option::of(Just(Arc::from("$argon2id$")));
    let identity = prop::option::weighted(0.2, id());
    let flags = (prop::bool::weighted(0.2), 0_u64..4, 0_i64..9);
    (name(), role(), password, identity, flags).prop_map(
        |(name, role, password, identity, (is_disabled, epoch, created))| User {
            name,
            role,
            password,
            identity,
            is_disabled,
            epoch,
            created: at(created),
        },
    )
}

fn team() -> impl Strategy<Value = Team> {
    let members = prop::collection::btree_set(name(), 0..3);
    (id(), prop::option::of(role()), members).prop_map(|(name, role, members)| Team {
        name,
        role,
        members,
    })
}

fn token() -> impl Strategy<Value = ApiToken> {
    let scope = prop::sample::select(&Scope::ALL[..]);
    (
        id(),
        id(),
        scope,
        any::<[u8; 32]>(),
        prop::option::of(0_i64..9),
    )
        .prop_map(|(id, name, scope, hash, expires)| ApiToken {
            id,
            name,
            scope,
            hash: SecretHash::from_bytes(hash),
            created_by: "user:ann".into(),
            created: at(1),
            expires: expires.map(at),
        })
}

fn session() -> impl Strategy<Value = Session> {
    let kind = prop::sample::select(&[SessionKind::Cookie, SessionKind::Refresh][..]);
    let numbers = (0_u64..4, 0_u64..3, 0_i64..9, 0_i64..9);
    (id(), kind, name(), any::<[u8; 32]>(), numbers).prop_map(
        |(id, kind, user, hash, (epoch, generation, created, expires))| Session {
            id,
            kind,
            user,
            epoch,
            hash: SecretHash::from_bytes(hash),
            generation,
            created: at(created),
            expires: at(expires),
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let key = (id(), any::<[u8; 32]>(), 0_i64..9, 0_i64..9);
    let change = prop_oneof![
        1 => Just(Change::Nothing),
        6 => user().prop_map(Change::AddUser),
        4 => user().prop_map(Change::ReplaceUser),
        2 => name().prop_map(Change::RemoveUser),
        4 => team().prop_map(Change::AddTeam),
        3 => team().prop_map(Change::ReplaceTeam),
        2 => id().prop_map(Change::RemoveTeam),
        3 => token().prop_map(Change::AddToken),
        2 => id().prop_map(Change::RevokeToken),
        2 => key.prop_map(|(id, secret, created, keep_from)| Change::AddKey {
            key: SigningKey { id, secret: Arc::from(secret), created: at(created) },
            keep_from: at(keep_from),
        }),
    ];
    let sessions = prop_oneof![
        6 => session().prop_map(SessionChange::Begin),
        3 => (0_u64..3, session()).prop_map(|(from, session)| SessionChange::Continue { from, session }),
        1 => id().prop_map(SessionChange::End),
        1 => (name(), prop::option::of(id())).prop_map(|(user, except)| SessionChange::EndAll { user, except }),
        1 => (0_i64..9).prop_map(|before| SessionChange::Prune(at(before))),
    ];
    prop_oneof![
        3 => change.prop_map(Step::Apply),
        1 => sessions.prop_map(Step::Sessions),
    ]
}

async fn run(fixture: Fixture, steps: Vec<Step>) {
    let memory = MemoryAccess::new();
    let catalog = fixture.open_patiently().await;
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Apply(change) => {
                let entry = entry(number as i64);
                let expected = memory.apply(change.clone(), entry.clone()).await;
                let result = catalog.apply(change.clone(), entry).await;
                assert_eq!(result, expected, "{change:?}");
            }
            Step::Sessions(change) => {
                let expected = memory.apply_to_sessions(change.clone()).await;
                let result = catalog.apply_to_sessions(change.clone()).await;
                assert_eq!(result, expected, "{change:?}");
            }
        }
        assert_eq!(catalog.directory().await, memory.directory().await);
        for id in ["x", "y", "ü'\"%"] {
            let expected = memory.session(id.into()).await;
            assert_eq!(catalog.session(id.into()).await, expected);
        }
    }
    let all = || AuditQuery {
        before: None,
        limit: 1_000,
    };
    assert_eq!(catalog.audit(all()).await, memory.audit(all()).await);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn on_sqlite_it_does_as_a_store_in_memory(steps in prop::collection::vec(step(), 1..60)) {
        super::model_based::block_on(run(Fixture::new(), steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn on_postgres_it_does_as_a_store_in_memory(steps in prop::collection::vec(step(), 1..60)) {
        if let Some(fixture) = Fixture::on_postgres() {
            super::model_based::block_on(run(fixture, steps));
        }
    }
}
