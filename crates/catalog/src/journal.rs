//! The journal of notifications: what is to be sent, each attempt, and what became of it.
//!
//! An entry is written before its notification is sent, and is pending until its outcome is known, once and for all. So
//! what a crash leaves behind is never a page of which nobody knows.

use model::{DeliveryState, NotificationQuery, NotificationRecord, Timestamp};
use sqlx::AnyConnection;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::Fault;
use crate::saved;
use crate::text::{cut, number};

/// The most that one question is answered with. An entry may have a quarter of a megabyte.
const ENTRIES_MAX: u32 = 1_000;

/// Texts for people, in characters.
const TEXT_CHARACTERS_MAX: usize = 1_000;

/// A group's key holds its route and its labels.
const GROUP_KEY_CHARACTERS_MAX: usize = 16_000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, receiver, integration, target, group_key, group_labels, reason, alerts, decided_at, state, \
             attempts, parts_delivered, error, finished_at FROM notifications ",
            $rest
        )
    };
}

/// Keeps a notification as pending; one that is there already is left alone.
pub(crate) async fn intend(
    connection: &mut AnyConnection,
    record: &NotificationRecord,
) -> Result<(), Fault> {
    const INTEND: &str = "INSERT INTO notifications (id, receiver, integration, target, group_key, group_labels, \
         reason, alerts, decided_at, state, attempts, parts_delivered, error, finished_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, '', NULL) ON CONFLICT (id) DO NOTHING";
    sqlx::query(INTEND)
        .bind(number("notification", record.id)?)
        .bind(&record.receiver)
        .bind(cut(&record.integration, TEXT_CHARACTERS_MAX))
        .bind(cut(&record.target, TEXT_CHARACTERS_MAX))
        .bind(cut(&record.group_key, GROUP_KEY_CHARACTERS_MAX))
        .bind(saved::encode_labels(&record.group_labels))
        .bind(cut(&record.reason, TEXT_CHARACTERS_MAX))
        .bind(saved::encode_alerts(&record.alerts))
        .bind(record.decided_at.as_millis())
        .bind(DeliveryState::Pending.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes an attempt; nothing changes any more once the outcome is known.
///
/// Errors: there is no such notification.
pub(crate) async fn attempted(
    connection: &mut AnyConnection,
    id: u64,
    attempts: u32,
    parts_delivered: u32,
    error: &str,
) -> Result<(), Fault> {
    const ATTEMPTED: &str = "UPDATE notifications SET attempts = $2, parts_delivered = $3, error = $4 \
                             WHERE id = $1 AND state = $5";
    let updated = sqlx::query(ATTEMPTED)
        .bind(number("notification", id)?)
        .bind(i64::from(attempts))
        .bind(i64::from(parts_delivered))
        .bind(cut(error, TEXT_CHARACTERS_MAX))
        .bind(DeliveryState::Pending.as_str())
        .execute(&mut *connection)
        .await?;
    must_exist(connection, id, updated.rows_affected()).await
}

/// Notes the outcome; the first one stays.
///
/// Errors: there is no such notification.
pub(crate) async fn finished(
    connection: &mut AnyConnection,
    id: u64,
    state: DeliveryState,
    error: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    const FINISHED: &str = "UPDATE notifications SET state = $2, error = $3, finished_at = $4 \
                            WHERE id = $1 AND state = $5";
    let updated = sqlx::query(FINISHED)
        .bind(number("notification", id)?)
        .bind(state.as_str())
        .bind(cut(error, TEXT_CHARACTERS_MAX))
        .bind(at.as_millis())
        .bind(DeliveryState::Pending.as_str())
        .execute(&mut *connection)
        .await?;
    must_exist(connection, id, updated.rows_affected()).await
}

/// Tells a row that has its outcome from one that is not there, after an update of pending ones.
async fn must_exist(connection: &mut AnyConnection, id: u64, updated: u64) -> Result<(), Fault> {
    if updated > 0 {
        return Ok(());
    }
    let present: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM notifications WHERE id = $1")
        .bind(number("notification", id)?)
        .fetch_one(connection)
        .await?;
    match present {
        0 => Err(Fault::Refused(format!(
            "notification {id} is not in the journal; it is entered before it is sent"
        ))),
        _ => Ok(()),
    }
}

pub(crate) async fn get(
    connection: &mut AnyConnection,
    id: u64,
) -> Result<Option<NotificationRecord>, Fault> {
    let Ok(id) = i64::try_from(id) else {
        return Ok(None);
    };
    let row = sqlx::query(select!("WHERE id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(record).transpose()
}

/// The greatest number that was ever given; 0 before the first.
pub(crate) async fn last_id(connection: &mut AnyConnection) -> Result<u64, Fault> {
    let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM notifications")
        .fetch_one(connection)
        .await?;
    unsigned(last)
}

/// The newest first.
pub(crate) async fn list(
    connection: &mut AnyConnection,
    wanted: &NotificationQuery,
) -> Result<Vec<NotificationRecord>, Fault> {
    let before = wanted
        .before
        .map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let limit = i64::from(wanted.limit.min(ENTRIES_MAX));
    let state = wanted.state.map(DeliveryState::as_str);
    // One statement for each, so that each finds its index.
    let query = match (&wanted.receiver, state) {
        (None, None) => sqlx::query(select!("WHERE id < $1 ORDER BY id DESC LIMIT $2")),
        (Some(_), None) => sqlx::query(select!(
            "WHERE id < $1 AND receiver = $3 ORDER BY id DESC LIMIT $2"
        )),
        (None, Some(_)) => sqlx::query(select!(
            "WHERE id < $1 AND state = $3 ORDER BY id DESC LIMIT $2"
        )),
        (Some(_), Some(_)) => sqlx::query(select!(
            "WHERE id < $1 AND receiver = $3 AND state = $4 ORDER BY id DESC LIMIT $2"
        )),
    };
    let mut query = query.bind(before).bind(limit);
    if let Some(receiver) = &wanted.receiver {
        query = query.bind(receiver);
    }
    if let Some(state) = state {
        query = query.bind(state);
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(record).collect()
}

fn record(row: &AnyRow) -> Result<NotificationRecord, Fault> {
    let state: String = row.try_get("state")?;
    let known = DeliveryState::ALL
        .into_iter()
        .find(|known| known.as_str() == state);
    let finished_at: Option<i64> = row.try_get("finished_at")?;
    let group_labels: String = row.try_get("group_labels")?;
    let alerts: String = row.try_get("alerts")?;
    Ok(NotificationRecord {
        id: unsigned(row.try_get("id")?)?,
        receiver: row.try_get("receiver")?,
        integration: row.try_get("integration")?,
        target: row.try_get("target")?,
        group_key: row.try_get("group_key")?,
        group_labels: saved::parse_labels(&group_labels)?,
        reason: row.try_get("reason")?,
        alerts: saved::parse_alerts(&alerts)?,
        decided_at: Timestamp::from_millis(row.try_get("decided_at")?),
        state: known.ok_or_else(|| Fault::Damaged(format!("a notification is {state:?}")))?,
        attempts: unsigned(row.try_get("attempts")?)?,
        parts_delivered: unsigned(row.try_get("parts_delivered")?)?,
        error: row.try_get("error")?,
        finished_at: finished_at.map(Timestamp::from_millis),
    })
}

/// A number of ours, none of which is negative.
fn unsigned<N: TryFrom<i64>>(number: i64) -> Result<N, Fault> {
    N::try_from(number)
        .map_err(|_| Fault::Damaged(format!("a notification has the number {number}")))
}
