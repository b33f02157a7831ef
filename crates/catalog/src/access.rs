//! Who may come in, kept in the catalog: its [`AccessStore`].
//!
//! Whoever changes the directory first moves its revision on. The row of the revision is a lock: on PostgreSQL the next one
//! waits there until the change is committed or undone, and on SQLite there is one writer anyway. So what a change is
//! judged by cannot change under it.

mod audit;
mod directory;
mod row;
mod sessions;
mod teams;
mod tokens;
mod users;

use std::sync::Arc;
use std::time::Duration;

use access::{
    AccessStore, Answer, AuditEntry, AuditQuery, Audited, Change, Directory, Session,
    SessionChange, StoreError,
};
use model::Timestamp;
use sqlx::AnyConnection;

use crate::catalog::Catalog;
use crate::error::{Error, Fault};
use crate::writer::Durability;

impl Catalog {
    /// How long entries of the audit log are kept at least, unless somebody wants it otherwise.
    pub const AUDIT_AGE: Duration = Duration::from_secs(90 * 24 * 3600);

    /// As many entries of the audit log are kept at most, unless somebody wants it otherwise: half a gigabyte of usual ones.
    pub const AUDIT_ENTRIES: u64 = 1_000_000;

    /// Removes entries of the audit log that are older than `before`, or more than `keep_at_most`.
    ///
    /// At most 1000 go in one call, the oldest first; the answer is how many went, so 0 means that all is done.
    /// Errors: as for [`Catalog::commit`].
    pub async fn prune_audit(&self, before: Timestamp, keep_at_most: u64) -> Result<u64, Error> {
        let pruned = async {
            let mut transaction = self.begin(Durability::Synced).await?;
            let result = audit::prune(&mut transaction.connection, before, keep_at_most).await;
            transaction.end(result).await
        };
        let rows = self.written(self.patiently(pruned).await)?;
        self.count_pruned(rows);
        Ok(rows)
    }

    async fn change_access(&self, change: Change, entry: AuditEntry) -> Result<u64, Fault> {
        let mut transaction = self.begin(Durability::Synced).await?;
        let result = apply(&mut transaction.connection, &change, &entry).await;
        transaction.end(result).await
    }

    async fn change_sessions(&self, change: SessionChange) -> Result<(), Fault> {
        let mut transaction = self.begin(Durability::Synced).await?;
        let result = apply_to_sessions(&mut transaction.connection, &change).await;
        transaction.end(result).await
    }
}

impl AccessStore for Catalog {
    fn revision(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let revision = async { directory::revision(&mut *self.reader().await?).await };
            self.read(self.patiently(revision).await).map_err(refusal)
        })
    }

    fn directory(&self) -> Answer<'_, Directory> {
        Box::pin(async move {
            let directory = async {
                let mut reader = self.reader_of_one_moment().await?;
                let directory = directory::load(&mut reader).await?;
                reader.rollback().await?;
                Ok(directory)
            };
            self.read(self.patiently(directory).await).map_err(refusal)
        })
    }

    fn apply(&self, change: Change, entry: AuditEntry) -> Answer<'_, u64> {
        Box::pin(async move {
            match self.patiently(self.change_access(change, entry)).await {
                Err(Fault::Condition(condition)) => Err(condition),
                result => self.written(result).map_err(refusal),
            }
        })
    }

    fn session(&self, id: Arc<str>) -> Answer<'_, Option<Session>> {
        Box::pin(async move {
            let session = async { sessions::get(&mut *self.reader().await?, &id).await };
            self.read(self.patiently(session).await).map_err(refusal)
        })
    }

    fn apply_to_sessions(&self, change: SessionChange) -> Answer<'_, ()> {
        Box::pin(async move {
            match self.patiently(self.change_sessions(change)).await {
                Err(Fault::Condition(condition)) => Err(condition),
                result => self.written(result).map_err(refusal),
            }
        })
    }

    fn audit(&self, query: AuditQuery) -> Answer<'_, Vec<Audited>> {
        Box::pin(async move {
            let entries = async { audit::list(&mut *self.reader().await?, &query).await };
            self.read(self.patiently(entries).await).map_err(refusal)
        })
    }
}

async fn apply(
    connection: &mut AnyConnection,
    change: &Change,
    entry: &AuditEntry,
) -> Result<u64, Fault> {
    let numbers = directory::advance(connection, *change != Change::Nothing).await?;
    match change {
        Change::Nothing => {}
        Change::AddUser(user) => users::add(connection, user).await?,
        Change::ReplaceUser(user) => users::replace(connection, user).await?,
        Change::RemoveUser(name) => users::remove(connection, name).await?,
        Change::AddTeam(team) => teams::add(connection, team).await?,
        Change::ReplaceTeam(team) => teams::replace(connection, team).await?,
        Change::RemoveTeam(name) => teams::remove(connection, name).await?,
        Change::AddToken(token) => tokens::add(connection, token).await?,
        Change::RevokeToken(id) => tokens::revoke(connection, id).await?,
        Change::AddKey { key, keep_from } => tokens::add_key(connection, key, *keep_from).await?,
    }
    audit::add(connection, numbers.audit, entry).await?;
    Ok(numbers.revision)
}

async fn apply_to_sessions(
    connection: &mut AnyConnection,
    change: &SessionChange,
) -> Result<(), Fault> {
    match change {
        SessionChange::Begin(session) => {
            directory::lock(connection).await?;
            sessions::begin(connection, session).await
        }
        SessionChange::Continue { from, session } => {
            sessions::go_on(connection, *from, session).await
        }
        SessionChange::End(id) => sessions::end(connection, id).await,
        SessionChange::EndAll { user, except } => {
            sessions::end_all(connection, user.as_str(), except.as_deref()).await
        }
        SessionChange::Prune(before) => sessions::prune(connection, *before).await,
    }
}

/// Without the place, which is in the catalog's health.
fn refusal(error: Error) -> StoreError {
    StoreError::Unavailable(match error {
        Error::Unavailable { reason, .. } | Error::Unusable { reason, .. } => reason,
        Error::Refused(reason) => reason,
        error @ Error::Missing { .. } => error.to_string(),
    })
}

/// What a change is refused for, as the fault that undoes its transaction.
fn exists(what: &str, name: &str) -> Fault {
    Fault::Condition(StoreError::Exists(format!("{what} {name:?}")))
}

fn missing(what: &str, name: &str) -> Fault {
    Fault::Condition(StoreError::Missing(format!("{what} {name:?}")))
}

fn full(count: usize, what: &str) -> Fault {
    Fault::Condition(StoreError::Full(format!("{count} {what}")))
}
