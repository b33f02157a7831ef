//! What monitors went through, one row for each change of state.

use model::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::Fault;
use crate::text::{cut, number};

/// A state's name is a word; a cause is shown in messages and lists.
const STATE_CHARACTERS_MAX: usize = 64;
const CAUSE_CHARACTERS_MAX: usize = 1_000;

/// A monitor's change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorTransition {
    /// Whose.
    pub monitor: String,
    /// From 1, without gaps, for each monitor.
    pub number: u64,
    /// The state before, by name.
    pub from: String,
    /// The state after, by name.
    pub to: String,
    /// When it was found.
    pub at: Timestamp,
    /// Since when the new state holds, which may be before it was found.
    pub since: Timestamp,
    /// Why, in words.
    pub cause: String,
}

/// Keeps a transition; one that is there already, whatever its cause, is left alone.
///
/// Errors: another one of the same monitor has its number.
pub(crate) async fn add(
    connection: &mut AnyConnection,
    transition: &MonitorTransition,
) -> Result<(), Fault> {
    const ADD: &str = "INSERT INTO transitions \
         (monitor, number, from_state, to_state, found_at, holds_since, cause) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (monitor, number) DO NOTHING";
    let added = sqlx::query(ADD)
        .bind(&transition.monitor)
        .bind(number("transition", transition.number)?)
        .bind(cut(&transition.from, STATE_CHARACTERS_MAX))
        .bind(cut(&transition.to, STATE_CHARACTERS_MAX))
        .bind(transition.at.as_millis())
        .bind(transition.since.as_millis())
        .bind(cut(&transition.cause, CAUSE_CHARACTERS_MAX))
        .execute(&mut *connection)
        .await?;
    if added.rows_affected() > 0 {
        return Ok(());
    }
    const SAME: &str = "SELECT COUNT(*) FROM transitions WHERE monitor = $1 AND number = $2 \
         AND from_state = $3 AND to_state = $4 AND found_at = $5 AND holds_since = $6";
    let same: i64 = sqlx::query_scalar(SAME)
        .bind(&transition.monitor)
        .bind(number("transition", transition.number)?)
        .bind(cut(&transition.from, STATE_CHARACTERS_MAX))
        .bind(cut(&transition.to, STATE_CHARACTERS_MAX))
        .bind(transition.at.as_millis())
        .bind(transition.since.as_millis())
        .fetch_one(connection)
        .await?;
    match same {
        0 => Err(Fault::Refused(format!(
            "monitor {:?} has another transition {} already; the next one has a number above {0}",
            transition.monitor, transition.number
        ))),
        _ => Ok(()),
    }
}

/// Forgets all of a monitor, which may then begin at 1 again.
pub(crate) async fn delete(connection: &mut AnyConnection, monitor: &str) -> Result<(), Fault> {
    sqlx::query("DELETE FROM transitions WHERE monitor = $1")
        .bind(monitor)
        .execute(connection)
        .await?;
    Ok(())
}

/// Those of a monitor that were found at `from` or later and before `until`, the newest first, at most `limit`.
pub(crate) async fn list(
    connection: &mut AnyConnection,
    monitor: &str,
    from: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<MonitorTransition>, Fault> {
    const LIST: &str = "SELECT monitor, number, from_state, to_state, found_at, holds_since, cause \
         FROM transitions WHERE monitor = $1 AND found_at >= $2 AND found_at < $3 \
         ORDER BY number DESC LIMIT $4";
    let rows = sqlx::query(LIST)
        .bind(monitor)
        .bind(from.as_millis())
        .bind(until.as_millis())
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(transition).collect()
}

/// Those of all monitors, by name and number, that come after a monitor's `number`, at most `limit`.
pub(crate) async fn list_all(
    connection: &mut AnyConnection,
    monitor: &str,
    number: u64,
    limit: u32,
) -> Result<Vec<MonitorTransition>, Fault> {
    const LIST: &str = "SELECT monitor, number, from_state, to_state, found_at, holds_since, cause \
         FROM transitions WHERE (monitor, number) > ($1, $2) ORDER BY monitor, number LIMIT $3";
    let rows = sqlx::query(LIST)
        .bind(monitor)
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(transition).collect()
}

fn transition(row: &AnyRow) -> Result<MonitorTransition, Fault> {
    let number: i64 = row.try_get("number")?;
    Ok(MonitorTransition {
        monitor: row.try_get("monitor")?,
        number: u64::try_from(number)
            .map_err(|_| Fault::Damaged(format!("a transition has number {number}")))?,
        from: row.try_get("from_state")?,
        to: row.try_get("to_state")?,
        at: Timestamp::from_millis(row.try_get("found_at")?),
        since: Timestamp::from_millis(row.try_get("holds_since")?),
        cause: row.try_get("cause")?,
    })
}
