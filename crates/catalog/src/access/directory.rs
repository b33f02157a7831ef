//! The directory as a whole: its revision, and all of it as of one moment.

use access::Directory;
use sqlx::AnyConnection;

use super::{teams, tokens, users};
use crate::error::Fault;

/// What a change is numbered with.
pub(super) struct Numbers {
    pub(super) revision: u64,
    pub(super) audit: i64,
}

/// Numbers the next change, and lets no other one begin until this one is committed or undone.
pub(super) async fn advance(
    connection: &mut AnyConnection,
    changes_directory: bool,
) -> Result<Numbers, Fault> {
    const ADVANCE: &str = "UPDATE directory SET revision = revision + $1, last_audit = last_audit + 1 \
                           WHERE id = 1 RETURNING revision, last_audit";
    let (revision, audit): (i64, i64) = sqlx::query_as(ADVANCE)
        .bind(i64::from(changes_directory))
        .fetch_one(connection)
        .await?;
    let revision = unsigned(revision)?;
    Ok(Numbers { revision, audit })
}

/// Lets no change begin until the transaction ends.
pub(super) async fn lock(connection: &mut AnyConnection) -> Result<(), Fault> {
    sqlx::query("UPDATE directory SET revision = revision WHERE id = 1")
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn revision(connection: &mut AnyConnection) -> Result<u64, Fault> {
    let revision = sqlx::query_scalar("SELECT revision FROM directory WHERE id = 1")
        .fetch_one(connection)
        .await?;
    unsigned(revision)
}

/// All of it, within a transaction that reads.
pub(super) async fn load(connection: &mut AnyConnection) -> Result<Directory, Fault> {
    Ok(Directory {
        revision: revision(connection).await?,
        users: users::load(connection).await?,
        teams: teams::load(connection).await?,
        tokens: tokens::load(connection).await?,
        keys: tokens::load_keys(connection).await?,
    })
}

fn unsigned(revision: i64) -> Result<u64, Fault> {
    u64::try_from(revision)
        .map_err(|_| Fault::Damaged(format!("the directory has revision {revision}")))
}
