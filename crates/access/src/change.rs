//! What may happen to users, teams, tokens and keys.

use std::sync::Arc;

use model::Timestamp;

use crate::{ApiToken, SigningKey, Team, User, UserName};

/// One change of the directory. What is one too many is refused as [`crate::StoreError::Full`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: something else was done that is to be remembered. The revision stays as it is.
    Nothing,
    /// A new user; refused as [`crate::StoreError::Exists`] if the name or the identity is taken.
    AddUser(User),
    /// A user as they are from now on; refused as [`crate::StoreError::Missing`] if there is none, and as
    /// [`crate::StoreError::LastAdmin`] if somebody can administer and nobody could afterwards. Refused as
    /// [`crate::StoreError::Stale`] if the epoch is less than it was, since that would make valid what was void, and as
    /// [`crate::StoreError::Exists`] if the identity is another user's.
    ///
    /// When the epoch grows, all their sessions end.
    ReplaceUser(User),
    /// A user goes, from teams too, and all their sessions end; refused as for [`Change::ReplaceUser`].
    RemoveUser(UserName),
    /// A new team; refused as [`crate::StoreError::Exists`] if the name is taken, and as [`crate::StoreError::Missing`] if a member is no user.
    AddTeam(Team),
    /// A team as it is from now on; refused as for [`Change::ReplaceUser`], or if a member is no user.
    ReplaceTeam(Team),
    /// A team goes; refused as for [`Change::ReplaceUser`].
    RemoveTeam(Arc<str>),
    /// A new token; refused as [`crate::StoreError::Exists`] if the identity is taken, as a key is.
    AddToken(ApiToken),
    /// A token is worth nothing any more; refused as [`crate::StoreError::Missing`] if there is none.
    RevokeToken(Arc<str>),
    /// A new key, which signs from now on, while keys that were made before `keep_from` go.
    AddKey {
        /// The key.
        key: SigningKey,
        /// Older ones go.
        keep_from: Timestamp,
    },
}
