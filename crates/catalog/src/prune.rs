//! What is old or too much goes, a bounded number of rows at a time.
//!
//! A pending notification stays whatever its age, for someone still has to send it. The newest entry of the journal and
//! the last transition of each monitor stay too, since the next ones count on from their numbers.

use model::Timestamp;
use sqlx::AnyConnection;

use crate::error::Fault;

/// How many rows of a table go in one transaction: few enough that nobody waits for it longer than for a sync.
pub(crate) const ROWS_MAX: i64 = 1_000;

/// Removes what is older than `before` and what is more than `keep_at_most` in its table; tells how many rows went.
pub(crate) async fn prune(
    connection: &mut AnyConnection,
    before: Timestamp,
    keep_at_most: u64,
) -> Result<u64, Fault> {
    // By age and by number apart, so that each finds its index; pending ones have no end.
    const OLD: &str = "DELETE FROM notifications WHERE id IN (\
         SELECT id FROM notifications WHERE finished_at < $1 \
         AND id < (SELECT MAX(id) FROM notifications) ORDER BY finished_at LIMIT $2)";
    const SURPLUS: &str = "DELETE FROM notifications WHERE id IN (\
         SELECT id FROM notifications WHERE id <= $1 AND finished_at IS NOT NULL \
         AND id < (SELECT MAX(id) FROM notifications) ORDER BY id LIMIT $2)";
    const TRANSITIONS: &str = "DELETE FROM transitions WHERE (monitor, number) IN (\
         SELECT monitor, number FROM transitions AS old WHERE found_at < $1 \
         AND number < (SELECT MAX(number) FROM transitions AS own WHERE own.monitor = old.monitor) \
         ORDER BY found_at LIMIT $2)";
    let keep = i64::try_from(keep_at_most).unwrap_or(i64::MAX);

    let old = sqlx::query(OLD)
        .bind(before.as_millis())
        .bind(ROWS_MAX)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    // The greatest number that is one too many.
    let surplus: Option<i64> =
        sqlx::query_scalar("SELECT id FROM notifications ORDER BY id DESC LIMIT 1 OFFSET $1")
            .bind(keep)
            .fetch_optional(&mut *connection)
            .await?;
    let surplus = sqlx::query(SURPLUS)
        .bind(surplus.unwrap_or(-1))
        .bind(ROWS_MAX.saturating_sub_unsigned(old))
        .execute(&mut *connection)
        .await?
        .rows_affected();
    let notifications = old + surplus;

    let surplus: Option<i64> = sqlx::query_scalar(
        "SELECT found_at FROM transitions ORDER BY found_at DESC LIMIT 1 OFFSET $1",
    )
    .bind(keep)
    .fetch_optional(&mut *connection)
    .await?;
    let surplus = surplus.map_or(i64::MIN, |found_at| found_at.saturating_add(1));
    let transitions = sqlx::query(TRANSITIONS)
        .bind(before.as_millis().max(surplus))
        .bind(ROWS_MAX)
        .execute(connection)
        .await?;
    Ok(notifications + transitions.rows_affected())
}
