//! The audit log: who did what, in the order in which it was done.

use access::{AuditEntry, AuditQuery, Audited};
use model::Timestamp;
use sqlx::{AnyConnection, Row};

use super::row;
use crate::error::Fault;
use crate::prune::ROWS_MAX;
use crate::text::cut;

/// The most that one question is answered with.
const ENTRIES_MAX: u32 = 1_000;

/// Names and addresses, in characters.
const TEXT_CHARACTERS_MAX: usize = 1_000;

/// How something was or is, in characters: a team of a thousand members fits.
const OBJECT_CHARACTERS_MAX: usize = 100_000;

pub(super) async fn add(
    connection: &mut AnyConnection,
    id: i64,
    entry: &AuditEntry,
) -> Result<(), Fault> {
    const ADD: &str = "INSERT INTO audit (id, done_at, who, address, action, object, object_before, object_after) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    sqlx::query(ADD)
        .bind(id)
        .bind(entry.at.as_millis())
        .bind(cut(&entry.who, TEXT_CHARACTERS_MAX))
        .bind(cut(&entry.address, TEXT_CHARACTERS_MAX))
        .bind(cut(&entry.action, TEXT_CHARACTERS_MAX))
        .bind(cut(&entry.object, TEXT_CHARACTERS_MAX))
        .bind(cut(&entry.before, OBJECT_CHARACTERS_MAX))
        .bind(cut(&entry.after, OBJECT_CHARACTERS_MAX))
        .execute(connection)
        .await?;
    Ok(())
}

/// The newest first.
pub(super) async fn list(
    connection: &mut AnyConnection,
    query: &AuditQuery,
) -> Result<Vec<Audited>, Fault> {
    const LIST: &str = "SELECT id, done_at, who, address, action, object, object_before, object_after FROM audit \
                        WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let before = query
        .before
        .map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let rows = sqlx::query(LIST)
        .bind(before)
        .bind(i64::from(query.limit.min(ENTRIES_MAX)))
        .fetch_all(connection)
        .await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        entries.push(Audited {
            id: row::unsigned(row, "id")?,
            entry: AuditEntry {
                at: Timestamp::from_millis(row.try_get("done_at")?),
                who: row.try_get("who")?,
                address: row.try_get("address")?,
                action: row.try_get("action")?,
                object: row.try_get("object")?,
                before: row.try_get("object_before")?,
                after: row.try_get("object_after")?,
            },
        });
    }
    Ok(entries)
}

/// Removes entries that are older than `before` and what is more than `keep_at_most`; tells how many went.
pub(super) async fn prune(
    connection: &mut AnyConnection,
    before: Timestamp,
    keep_at_most: u64,
) -> Result<u64, Fault> {
    const OLD: &str = "DELETE FROM audit WHERE id IN (\
         SELECT id FROM audit WHERE done_at < $1 ORDER BY done_at, id LIMIT $2)";
    const SURPLUS: &str = "DELETE FROM audit WHERE id IN (\
         SELECT id FROM audit WHERE id <= $1 ORDER BY id LIMIT $2)";
    let old = sqlx::query(OLD)
        .bind(before.as_millis())
        .bind(ROWS_MAX)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    // The greatest number that is one too many.
    let surplus: Option<i64> =
        sqlx::query_scalar("SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET $1")
            .bind(i64::try_from(keep_at_most).unwrap_or(i64::MAX))
            .fetch_optional(&mut *connection)
            .await?;
    let surplus = sqlx::query(SURPLUS)
        .bind(surplus.unwrap_or(-1))
        .bind(ROWS_MAX.saturating_sub_unsigned(old))
        .execute(connection)
        .await?
        .rows_affected();
    Ok(old + surplus)
}
