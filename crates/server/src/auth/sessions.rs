//! Sessions: begun by a login, shown by a cookie or a refresh token, and asked of the store with a short memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use access::{
    AccessToken, Refresh, Session, SessionChange, SessionKind, SessionToken, StoreError, User,
};
use model::Timestamp;

use super::visitor::Visitor;
use super::{Access, Audit};
use crate::Server;
use crate::error::{ApiError, ErrorType};

/// For how long a session that another process has ended may still be believed.
const BELIEVED: Duration = Duration::from_secs(10);

/// Sessions that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// A session's end is moved when this share of its lifetime is gone, so that not each request writes.
const EXTENDED_AFTER: u32 = 30;

/// Sessions as the store has told them of late.
#[derive(Default)]
pub(super) struct SessionCache {
    /// With the moment of the answer.
    sessions: Mutex<HashMap<Arc<str>, (Session, Duration)>>,
}

/// What a program gets that logs in.
pub(crate) struct Granted {
    pub(crate) access_token: String,
    pub(crate) refresh_token: SessionToken,
    pub(crate) expires_in: Duration,
}

impl SessionCache {
    fn get(&self, id: &str) -> Option<(Session, Duration)> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(id).cloned()
    }

    fn put(&self, session: Session, now: Duration) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= REMEMBERED_MAX {
            sessions.clear();
        }
        sessions.insert(session.id.clone(), (session, now));
    }

    fn forget(&self, id: &str) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(id);
    }
}

impl Access {
    /// A session that has not ended; while the store cannot be asked, what it has said last holds.
    pub(crate) async fn session(&self, server: &Server, id: &Arc<str>) -> Option<Session> {
        let now = server.clock().monotonic();
        let remembered = self.sessions.get(id);
        let asked = match &remembered {
            Some((session, at)) if now.saturating_sub(*at) < BELIEVED => Ok(Some(session.clone())),
            _ => server.ports().access.session(id.clone()).await,
        };
        let session = match asked {
            Ok(Some(session)) => {
                if remembered.is_none_or(|(_, at)| now.saturating_sub(at) >= BELIEVED) {
                    self.sessions.put(session.clone(), now);
                }
                Some(session)
            }
            Ok(None) => {
                self.sessions.forget(id);
                None
            }
            Err(_) => remembered.map(|(session, _)| session),
        };
        session.filter(|session| server.clock().now() < session.expires)
    }
}

/// Begins a session of a user and returns what its owner shows.
pub(crate) async fn begin(
    server: &Server,
    user: &User,
    kind: SessionKind,
) -> Result<SessionToken, ApiError> {
    let settings = server.access().settings();
    let lifetime = match kind {
        SessionKind::Cookie => settings.session_lifetime,
        SessionKind::Refresh => settings.refresh_lifetime,
    };
    let token = SessionToken::generate();
    let now = server.clock().now();
    let session = Session {
        id: token.id.clone(),
        kind,
        user: user.name.clone(),
        epoch: user.epoch,
        hash: token.hash(),
        generation: token.generation,
        created: now,
        expires: later(now, lifetime),
    };
    let begun = SessionChange::Begin(session);
    server.ports().access.apply_to_sessions(begun).await?;
    Ok(token)
}

/// The user of a cookie, and whether its end was moved.
pub(crate) async fn of_cookie(server: &Server, shown: &SessionToken) -> Option<(User, bool)> {
    let access = server.access();
    let session = access.session(server, &shown.id).await?;
    let is_right = session.kind == SessionKind::Cookie
        && session.generation == shown.generation
        && session.hash == shown.hash();
    if !is_right {
        return None;
    }
    let known = access.known();
    let user = known
        .directory
        .user_of_epoch(&session.user, session.epoch)?;
    let lifetime = access.settings().session_lifetime;
    let now = server.clock().now();
    let end = later(now, lifetime);
    let moved = end.since(session.expires) >= lifetime / EXTENDED_AFTER;
    if moved {
        let (from, id) = (session.generation, session.id.clone());
        let session = Session {
            expires: end,
            ..session
        };
        let change = SessionChange::Continue { from, session };
        // It is as good as before if it cannot be written; the next request tries again.
        let written = server.ports().access.apply_to_sessions(change).await;
        access.sessions.forget(&id);
        return Some((user.clone(), written.is_ok()));
    }
    Some((user.clone(), false))
}

/// An access token and a refresh token for a user who has just logged in.
pub(crate) async fn grant(server: &Server, user: &User) -> Result<Granted, ApiError> {
    let refresh_token = begin(server, user, SessionKind::Refresh).await?;
    granted(server, user, refresh_token)
}

/// The next access token and refresh token.
///
/// Errors: 401 when it is worth nothing; if it was used before, its family is over now, and the log says so.
pub(crate) async fn refresh(
    server: &Server,
    shown: &SessionToken,
    visitor: &Visitor,
) -> Result<Granted, ApiError> {
    let refused = || {
        ApiError::new(
            ErrorType::Unauthorized,
            "the refresh token is worth nothing: log in",
        )
    };
    let store = &server.ports().access;
    // Not from memory: that one was used is to be known at once.
    let session = store.session(shown.id.clone()).await?;
    let session = session.ok_or_else(refused)?;
    let settings = server.access().settings();
    let known = server.access().known();
    let now = server.clock().now();
    let (change, next) = match session.refresh(shown, now, settings.refresh_lifetime) {
        Refresh::Refused => return Err(refused()),
        Refresh::Replayed(_) => {
            revoke_family(server, &session, visitor).await?;
            return Err(refused());
        }
        Refresh::Next(change, next) => (change, next),
    };
    let Some(user) = known.directory.user_of_epoch(&session.user, session.epoch) else {
        end(server, &session.id).await?;
        return Err(refused());
    };
    match store.apply_to_sessions(change).await {
        Ok(()) => granted(server, user, next),
        // Somebody has used the same token at the same moment.
        Err(StoreError::Stale) => {
            revoke_family(server, &session, visitor).await?;
            Err(refused())
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends a session.
pub(crate) async fn end(server: &Server, id: &Arc<str>) -> Result<(), ApiError> {
    server.access().sessions.forget(id);
    let ended = SessionChange::End(id.clone());
    server.ports().access.apply_to_sessions(ended).await?;
    server.access().changed.send_replace(());
    Ok(())
}

/// Ends a session if what was shown is good for it now.
pub(crate) async fn end_shown(server: &Server, shown: &SessionToken) -> Result<(), ApiError> {
    let session = server.ports().access.session(shown.id.clone()).await?;
    match session {
        Some(session) if session.hash == shown.hash() => end(server, &session.id).await,
        _ => Ok(()),
    }
}

async fn revoke_family(
    server: &Server,
    session: &Session,
    visitor: &Visitor,
) -> Result<(), ApiError> {
    end(server, &session.id).await?;
    let (user, address) = (&session.user, visitor.shown_address());
    tracing::warn!(%user, address, "a refresh token was used twice, so its session has ended: it may have been stolen");
    let audit = Audit::of("session.revoke", format!("user:{user}"))
        .after(serde_json::json!({"reason": "a refresh token was used twice"}));
    server.audit(visitor, audit).await;
    Ok(())
}

fn granted(server: &Server, user: &User, refresh_token: SessionToken) -> Result<Granted, ApiError> {
    let access = server.access();
    let known = access.known();
    let policy = access.settings().token_policy();
    let key = known.directory.signing_key();
    let key = key.ok_or_else(|| ApiError::unavailable("there is no key to sign with yet"))?;
    let now = server.clock().now();
    Ok(Granted {
        access_token: AccessToken::issue(key, &user.name, user.epoch, now, policy),
        refresh_token,
        expires_in: policy.lifetime,
    })
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
}
