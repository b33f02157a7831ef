//! Who is logged in.

use access::{Session, SessionChange, SessionKind, StoreError};
use model::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{exists, missing, row, users};
use crate::error::Fault;
use crate::text::{check_name, number};

/// Keeps a new session, and as many of the user's others as there may be beside it.
pub(super) async fn begin(connection: &mut AnyConnection, session: &Session) -> Result<(), Fault> {
    const BEGIN: &str = "INSERT INTO sessions (id, owner, generation, kind, epoch, hash, created_at, expires_at) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";
    const SURPLUS: &str = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE owner = $1 AND id <> $2 \
                           ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4)";
    check_name("a session", &session.id)?;
    let Some(epoch) = users::epoch(connection, &session.user).await? else {
        return Err(missing("user", session.user.as_str()));
    };
    if number("epoch", session.epoch)? != epoch {
        return Err(Fault::Condition(StoreError::Stale));
    }
    let begun = sqlx::query(BEGIN)
        .bind(session.id.as_ref())
        .bind(session.user.as_str())
        .bind(number("generation", session.generation)?)
        .bind(kind_name(session.kind))
        .bind(number("epoch", session.epoch)?)
        .bind(session.hash.as_bytes().as_slice())
        .bind(session.created.as_millis())
        .bind(session.expires.as_millis())
        .execute(&mut *connection)
        .await?;
    if begun.rows_affected() == 0 {
        return Err(exists("session", &session.id));
    }
    sqlx::query(SURPLUS)
        .bind(session.user.as_str())
        .bind(session.id.as_ref())
        .bind(i64::MAX)
        .bind(SessionChange::PER_USER_MAX as i64 - 1)
        .execute(connection)
        .await?;
    Ok(())
}

/// Errors: it is over, or somebody else has gone on with it from there.
pub(super) async fn go_on(
    connection: &mut AnyConnection,
    from: u64,
    session: &Session,
) -> Result<(), Fault> {
    const GO_ON: &str = "UPDATE sessions SET generation = $4, kind = $5, epoch = $6, hash = $7, created_at = $8, \
                         expires_at = $9 WHERE id = $1 AND owner = $2 AND generation = $3";
    let gone_on = sqlx::query(GO_ON)
        .bind(session.id.as_ref())
        .bind(session.user.as_str())
        .bind(number("generation", from)?)
        .bind(number("generation", session.generation)?)
        .bind(kind_name(session.kind))
        .bind(number("epoch", session.epoch)?)
        .bind(session.hash.as_bytes().as_slice())
        .bind(session.created.as_millis())
        .bind(session.expires.as_millis())
        .execute(connection)
        .await?;
    match gone_on.rows_affected() {
        0 => Err(Fault::Condition(StoreError::Stale)),
        _ => Ok(()),
    }
}

pub(super) async fn end(connection: &mut AnyConnection, id: &str) -> Result<(), Fault> {
    sqlx::query("DELETE FROM sessions WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends all of a user, but for one if it is named.
pub(super) async fn end_all(
    connection: &mut AnyConnection,
    user: &str,
    except: Option<&str>,
) -> Result<(), Fault> {
    sqlx::query("DELETE FROM sessions WHERE owner = $1 AND id <> $2")
        .bind(user)
        // No session has an empty identity.
        .bind(except.unwrap_or_default())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn prune(connection: &mut AnyConnection, before: Timestamp) -> Result<(), Fault> {
    sqlx::query("DELETE FROM sessions WHERE expires_at < $1")
        .bind(before.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn get(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<Session>, Fault> {
    const GET: &str = "SELECT id, owner, generation, kind, epoch, hash, created_at, expires_at FROM sessions \
                       WHERE id = $1";
    // A stranger's cookie may say anything; PostgreSQL refuses a NUL.
    if check_name("a session", id).is_err() {
        return Ok(None);
    }
    let row = sqlx::query(GET).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(session).transpose()
}

fn session(row: &AnyRow) -> Result<Session, Fault> {
    let kind: String = row.try_get("kind")?;
    let known = [SessionKind::Cookie, SessionKind::Refresh];
    let known = known.into_iter().find(|known| kind_name(*known) == kind);
    Ok(Session {
        id: row::text(row, "id")?,
        kind: known.ok_or_else(|| Fault::Damaged(format!("a session is {kind:?}")))?,
        user: row::user_name(row, "owner")?,
        epoch: row::unsigned(row, "epoch")?,
        hash: row::hash(row, "hash")?,
        generation: row::unsigned(row, "generation")?,
        created: Timestamp::from_millis(row.try_get("created_at")?),
        expires: Timestamp::from_millis(row.try_get("expires_at")?),
    })
}

const fn kind_name(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Cookie => "cookie",
        SessionKind::Refresh => "refresh",
    }
}
