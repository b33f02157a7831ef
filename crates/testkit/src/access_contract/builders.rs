//! Users, teams, tokens and sessions of the suite.

use std::sync::Arc;

use access::{
    ApiToken, AuditEntry, Role, Scope, SecretHash, Session, SessionKind, SigningKey, Team, User,
    UserName,
};
use model::Timestamp;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn name(name: &str) -> UserName {
    name.parse().expect("names of the suite are valid")
}

pub(super) fn user(user: &str, role: Role) -> User {
    User {
        name: name(user),
        role,
        password: Some("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into()),
        identity: None,
        is_disabled: false,
        epoch: 0,
        created: at(1_700_000_000_123),
    }
}

pub(super) fn team(name: &str, role: Option<Role>, members: &[&str]) -> Team {
    Team {
        name: name.into(),
        role,
        members: members.iter().map(|member| self::name(member)).collect(),
    }
}

pub(super) fn token(id: &str, scope: Scope) -> ApiToken {
    ApiToken {
        id: id.into(),
        name: "agent \"1\" of Zürich".into(),
        scope,
        hash: SecretHash::from_bytes([0xa5; 32]),
        created_by: "user:ann".into(),
        created: at(5),
        expires: None,
    }
}

pub(super) fn key(id: &str, created: i64) -> SigningKey {
    SigningKey {
        id: id.into(),
        secret: Arc::from((0..32).map(|byte| byte * 8).collect::<Vec<u8>>()),
        created: at(created),
    }
}

pub(super) fn session(id: &str, user: &str, created: i64) -> Session {
    Session {
        id: id.into(),
        kind: SessionKind::Cookie,
        user: name(user),
        epoch: 0,
        hash: SecretHash::from_bytes([0; 32]),
        generation: 0,
        created: at(created),
        expires: at(created + 1_000),
    }
}

pub(super) fn entry(action: &str) -> AuditEntry {
    AuditEntry {
        at: at(1_700_000_000_000),
        who: "user:ann".to_owned(),
        address: "192.0.2.1".to_owned(),
        action: action.to_owned(),
        object: "user:bob".to_owned(),
        before: String::new(),
        after: "{\"role\":\"viewer\"}".to_owned(),
    }
}
