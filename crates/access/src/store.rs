//! Where users, teams, tokens, keys, sessions and the audit log are kept.

use std::pin::Pin;
use std::sync::Arc;

use crate::{
    AuditEntry, AuditQuery, Audited, Change, Directory, Session, SessionChange, StoreError,
};

/// What a store answers in its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps who may come in. What it has answered with `Ok` survives the death of the process and the loss of power.
///
/// Several processes may use one: a command beside a running server, servers that share a database.
pub trait AccessStore: Send + Sync {
    /// The directory's revision, which grows with every change whoever makes it; cheap enough to be asked every second.
    fn revision(&self) -> Answer<'_, u64>;

    /// All that is known, as of one moment.
    fn directory(&self) -> Answer<'_, Directory>;

    /// Makes one change and enters it into the audit log, both or neither; the answer is the new revision.
    fn apply(&self, change: Change, entry: AuditEntry) -> Answer<'_, u64>;

    /// A session that was begun and not ended; it may have expired.
    fn session(&self, id: Arc<str>) -> Answer<'_, Option<Session>>;

    /// Makes one change of sessions. It leaves the directory's revision alone.
    fn apply_to_sessions(&self, change: SessionChange) -> Answer<'_, ()>;

    /// Entries of the audit log, the newest first.
    fn audit(&self, query: AuditQuery) -> Answer<'_, Vec<Audited>>;
}
