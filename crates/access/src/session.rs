//! That somebody is logged in: in a browser by a cookie, elsewhere by refresh tokens that are used once each.

use std::sync::Arc;

use model::Timestamp;

use crate::{SecretHash, UserName};

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its identity, which stands in the cookie or refresh token and is no secret.
    pub id: Arc<str>,
    /// How its owner shows it.
    pub kind: SessionKind,
    /// Whose it is.
    pub user: UserName,
    /// The user's epoch when it began; it ends with that.
    pub epoch: u64,
    /// The hash of the secret that is good now.
    pub hash: SecretHash,
    /// How often the secret was changed: of a refresh token every use changes it.
    pub generation: u64,
    /// When somebody logged in.
    pub created: Timestamp,
    /// From when on it is over unless it is used before.
    pub expires: Timestamp,
}

/// How the owner of a session shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// By a cookie, whose secret stays.
    Cookie,
    /// By a refresh token, which gives the next one; an old one that comes again was stolen, and ends the session.
    Refresh,
}

/// What may happen to sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// Somebody has logged in. The user's oldest sessions go if there are more than [`SessionChange::PER_USER_MAX`]. Refused as
    /// [`crate::StoreError::Missing`] if there is no such user any more, as [`crate::StoreError::Stale`] if their epoch is another
    /// one, and as [`crate::StoreError::Exists`] if the identity is taken.
    Begin(Session),
    /// A session goes on with another secret or a later end. Refused as [`crate::StoreError::Stale`] if its generation is no longer `from`
    /// or it is over, and nothing is changed then.
    Continue {
        /// The generation that the caller has seen.
        from: u64,
        /// The session as it is from now on.
        session: Session,
    },
    /// A session is over; that there is none is no error.
    End(Arc<str>),
    /// All sessions of a user are over, but for one if it is named.
    EndAll {
        /// Whose.
        user: UserName,
        /// The identity of the one that stays.
        except: Option<Arc<str>>,
    },
    /// What has expired before then goes.
    Prune(Timestamp),
}

impl SessionChange {
    /// A user's sessions at once: enough for all devices of a person.
    pub const PER_USER_MAX: usize = 100;
}
