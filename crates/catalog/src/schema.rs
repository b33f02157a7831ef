//! The version of what is in the file, and the way from each older one.
//!
//! A version's statements stand in `migrations/` and never change once they are released. All that are missing run in
//! one transaction, so that a crash leaves the old version or the new one.

use sqlx::sqlite::SqliteConnection;

use crate::error::Fault;

/// The statements that lead to each version, from 1.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001_first.sql")];

/// The version that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The version of what is there: 0 for an empty file, none for a database that is not ours.
pub(crate) async fn version(connection: &mut SqliteConnection) -> Result<Option<i64>, Fault> {
    const TABLES: &str = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN name = 'schema_version' THEN 1 ELSE 0 END), 0) \
                          FROM sqlite_master WHERE type = 'table'";
    let (tables, own): (i64, i64) = sqlx::query_as(TABLES).fetch_one(&mut *connection).await?;
    if own == 0 {
        return Ok((tables == 0).then_some(0));
    }
    let version = sqlx::query_scalar("SELECT MAX(version) FROM schema_version")
        .fetch_one(connection)
        .await?;
    Ok(version)
}

/// Why a database of this version cannot be used; none if it can, perhaps after [`migrate`].
pub(crate) fn objection(version: Option<i64>) -> Option<String> {
    match version {
        None => Some(
            "it is a database of another program: move it away, or choose another data_dir"
                .to_owned(),
        ),
        Some(version) if version > VERSION => Some(format!(
            "it has version {version}, this program knows versions up to {VERSION}: use a newer program; nothing was changed"
        )),
        Some(_) => None,
    }
}

/// Brings the database to [`VERSION`], within the transaction that is under way.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), Fault> {
    const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
    // Again, since another process may have done it since the file was looked at.
    let present = match version(connection).await? {
        Some(present) if present < VERSION => present,
        Some(VERSION) => return Ok(()),
        other => return Err(Fault::Refused(objection(other).unwrap_or_default())),
    };
    sqlx::query(TABLE).execute(&mut *connection).await?;
    let missing = MIGRATIONS
        .iter()
        .skip(usize::try_from(present).unwrap_or(0));
    for statements in missing {
        sqlx::raw_sql(*statements).execute(&mut *connection).await?;
    }
    sqlx::query("DELETE FROM schema_version")
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
        .bind(VERSION)
        .execute(connection)
        .await?;
    Ok(())
}
