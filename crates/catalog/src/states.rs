//! States: opaque bytes by kind and key, such as ("monitor", "shop"). Only their owner knows what they mean.

use sqlx::AnyConnection;

use crate::error::Fault;

/// The largest state in bytes. A hundred thousand alerts of a kilobyte, all on their way to a receiver, take less; what is
/// larger is a mistake of its owner. SQLite itself keeps a gigabyte.
pub(crate) const STATE_BYTES_MAX: usize = 256 * 1024 * 1024;

pub(crate) async fn put(
    connection: &mut AnyConnection,
    kind: &str,
    key: &str,
    bytes: &[u8],
) -> Result<(), Fault> {
    const PUT: &str = "INSERT INTO states (kind, name, content) VALUES ($1, $2, $3) \
                       ON CONFLICT (kind, name) DO UPDATE SET content = excluded.content";
    sqlx::query(PUT)
        .bind(kind)
        .bind(key)
        .bind(bytes)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete(
    connection: &mut AnyConnection,
    kind: &str,
    key: &str,
) -> Result<(), Fault> {
    sqlx::query("DELETE FROM states WHERE kind = $1 AND name = $2")
        .bind(kind)
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn get(
    connection: &mut AnyConnection,
    kind: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, Fault> {
    let bytes = sqlx::query_scalar("SELECT content FROM states WHERE kind = $1 AND name = $2")
        .bind(kind)
        .bind(key)
        .fetch_optional(connection)
        .await?;
    Ok(bytes)
}

/// All of a kind, sorted by key.
pub(crate) async fn of_kind(
    connection: &mut AnyConnection,
    kind: &str,
) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let states = sqlx::query_as("SELECT name, content FROM states WHERE kind = $1 ORDER BY name")
        .bind(kind)
        .fetch_all(connection)
        .await?;
    Ok(states)
}
