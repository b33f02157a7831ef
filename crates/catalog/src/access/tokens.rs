//! Tokens for machines, and the keys that sign our own.

use std::collections::HashMap;
use std::sync::Arc;

use access::{ApiToken, Directory, SigningKey};
use model::Timestamp;
use sqlx::{AnyConnection, Row};

use super::{exists, full, missing, row};
use crate::error::Fault;
use crate::text::{check_name, cut};

/// What a token is for, and who made it, in characters.
const NAME_CHARACTERS_MAX: usize = 1_000;

pub(super) async fn add(connection: &mut AnyConnection, token: &ApiToken) -> Result<(), Fault> {
    const SAME: &str = "SELECT COUNT(*) FROM tokens WHERE id = $1";
    const ADD: &str = "INSERT INTO tokens (id, name, scope, hash, created_by, created_at, expires_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    check_name("a token", &token.id)?;
    let same: i64 = sqlx::query_scalar(SAME)
        .bind(token.id.as_ref())
        .fetch_one(&mut *connection)
        .await?;
    if same > 0 {
        return Err(exists("token", &token.id));
    }
    let tokens: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM tokens")
        .fetch_one(&mut *connection)
        .await?;
    if usize::try_from(tokens).unwrap_or(0) >= Directory::TOKENS_MAX {
        return Err(full(Directory::TOKENS_MAX, "tokens"));
    }
    sqlx::query(ADD)
        .bind(token.id.as_ref())
        .bind(cut(&token.name, NAME_CHARACTERS_MAX))
        .bind(token.scope.name())
        .bind(token.hash.as_bytes().as_slice())
        .bind(cut(&token.created_by, NAME_CHARACTERS_MAX))
        .bind(token.created.as_millis())
        .bind(token.expires.map(Timestamp::as_millis))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn revoke(connection: &mut AnyConnection, id: &str) -> Result<(), Fault> {
    let revoked = sqlx::query("DELETE FROM tokens WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    match revoked.rows_affected() {
        0 => Err(missing("token", id)),
        _ => Ok(()),
    }
}

/// Adds a key after those that were made before `keep_from` have gone.
pub(super) async fn add_key(
    connection: &mut AnyConnection,
    key: &SigningKey,
    keep_from: Timestamp,
) -> Result<(), Fault> {
    const ADD: &str = "INSERT INTO signing_keys (id, secret, created_at) VALUES ($1, $2, $3) \
                       ON CONFLICT (id) DO NOTHING";
    check_name("a key", &key.id)?;
    sqlx::query("DELETE FROM signing_keys WHERE created_at < $1")
        .bind(keep_from.as_millis())
        .execute(&mut *connection)
        .await?;
    let added = sqlx::query(ADD)
        .bind(key.id.as_ref())
        .bind(key.secret.as_ref())
        .bind(key.created.as_millis())
        .execute(connection)
        .await?;
    match added.rows_affected() {
        0 => Err(exists("key", &key.id)),
        _ => Ok(()),
    }
}

pub(super) async fn load(
    connection: &mut AnyConnection,
) -> Result<HashMap<Arc<str>, ApiToken>, Fault> {
    const LOAD: &str =
        "SELECT id, name, scope, hash, created_by, created_at, expires_at FROM tokens";
    let rows = sqlx::query(LOAD).fetch_all(connection).await?;
    let mut tokens = HashMap::with_capacity(rows.len());
    for row in &rows {
        let scope: String = row.try_get("scope")?;
        let expires: Option<i64> = row.try_get("expires_at")?;
        let token = ApiToken {
            id: row::text(row, "id")?,
            name: row::text(row, "name")?,
            scope: row::word(&scope)?,
            hash: row::hash(row, "hash")?,
            created_by: row::text(row, "created_by")?,
            created: Timestamp::from_millis(row.try_get("created_at")?),
            expires: expires.map(Timestamp::from_millis),
        };
        tokens.insert(Arc::clone(&token.id), token);
    }
    Ok(tokens)
}

pub(super) async fn load_keys(
    connection: &mut AnyConnection,
) -> Result<HashMap<Arc<str>, SigningKey>, Fault> {
    let rows = sqlx::query("SELECT id, secret, created_at FROM signing_keys")
        .fetch_all(connection)
        .await?;
    let mut keys = HashMap::with_capacity(rows.len());
    for row in &rows {
        let secret: Vec<u8> = row.try_get("secret")?;
        let key = SigningKey {
            id: row::text(row, "id")?,
            secret: secret.into(),
            created: Timestamp::from_millis(row.try_get("created_at")?),
        };
        keys.insert(Arc::clone(&key.id), key);
    }
    Ok(keys)
}
