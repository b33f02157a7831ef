//! What the rows of several tables have in common: names of roles and users, hashes, numbers without a sign.

use std::sync::Arc;

use access::{SecretHash, UserName};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::Fault;

pub(super) fn text(row: &AnyRow, column: &str) -> Result<Arc<str>, Fault> {
    let text: String = row.try_get(column)?;
    Ok(text.into())
}

pub(super) fn optional_text(row: &AnyRow, column: &str) -> Result<Option<Arc<str>>, Fault> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.map(Arc::from))
}

/// What is written as a word of a closed list.
pub(super) fn word<T: std::str::FromStr<Err = String>>(word: &str) -> Result<T, Fault> {
    word.parse().map_err(Fault::Damaged)
}

pub(super) fn user_name(row: &AnyRow, column: &str) -> Result<UserName, Fault> {
    let name: String = row.try_get(column)?;
    word(&name)
}

pub(super) fn hash(row: &AnyRow, column: &str) -> Result<SecretHash, Fault> {
    let bytes: Vec<u8> = row.try_get(column)?;
    let bytes = <[u8; 32]>::try_from(bytes)
        .map_err(|bytes| Fault::Damaged(format!("a hash has {} bytes", bytes.len())))?;
    Ok(SecretHash::from_bytes(bytes))
}

pub(super) fn unsigned(row: &AnyRow, column: &str) -> Result<u64, Fault> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| Fault::Damaged(format!("{column} is {number}")))
}
