//! Users, and whether somebody is left who can administer.

use std::collections::BTreeMap;

use access::{Directory, StoreError, User, UserName};
use model::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{exists, full, missing, row, sessions};
use crate::error::Fault;
use crate::text::{check_name, number};

pub(super) async fn add(connection: &mut AnyConnection, user: &User) -> Result<(), Fault> {
    const ADD: &str = "INSERT INTO users (name, role, password, identity, is_disabled, epoch, created_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    if epoch(connection, &user.name).await?.is_some() {
        return Err(exists("user", user.name.as_str()));
    }
    if count(connection).await? >= Directory::USERS_MAX {
        return Err(full(Directory::USERS_MAX, "users"));
    }
    check_identity(connection, user).await?;
    write(connection, ADD, user).await
}

pub(super) async fn replace(connection: &mut AnyConnection, user: &User) -> Result<(), Fault> {
    const REPLACE: &str = "UPDATE users SET role = $2, password = $3, identity = $4, is_disabled = $5, epoch = $6, \
                           created_at = $7 WHERE name = $1";
    let Some(epoch) = epoch(connection, &user.name).await? else {
        return Err(missing("user", user.name.as_str()));
    };
    let next = number("epoch", user.epoch)?;
    if next < epoch {
        return Err(Fault::Condition(StoreError::Stale));
    }
    check_identity(connection, user).await?;
    let had_admin = has_admin(connection).await?;
    write(connection, REPLACE, user).await?;
    check_admin(connection, had_admin).await?;
    if next > epoch {
        sessions::end_all(connection, user.name.as_str(), None).await?;
    }
    Ok(())
}

pub(super) async fn remove(connection: &mut AnyConnection, name: &UserName) -> Result<(), Fault> {
    if epoch(connection, name).await?.is_none() {
        return Err(missing("user", name.as_str()));
    }
    let had_admin = has_admin(connection).await?;
    sessions::end_all(connection, name.as_str(), None).await?;
    sqlx::query("DELETE FROM team_members WHERE member = $1")
        .bind(name.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM users WHERE name = $1")
        .bind(name.as_str())
        .execute(&mut *connection)
        .await?;
    check_admin(connection, had_admin).await
}

pub(super) async fn load(
    connection: &mut AnyConnection,
) -> Result<BTreeMap<UserName, User>, Fault> {
    const LOAD: &str =
        "SELECT name, role, password, identity, is_disabled, epoch, created_at FROM users";
    let rows = sqlx::query(LOAD).fetch_all(connection).await?;
    let users = rows.iter().map(user);
    users
        .map(|user| user.map(|user| (user.name.clone(), user)))
        .collect()
}

/// A user's epoch; none if there is no such user.
pub(super) async fn epoch(
    connection: &mut AnyConnection,
    name: &UserName,
) -> Result<Option<i64>, Fault> {
    let epoch = sqlx::query_scalar("SELECT epoch FROM users WHERE name = $1")
        .bind(name.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(epoch)
}

/// Whether somebody can administer, by themselves or by a team.
pub(super) async fn has_admin(connection: &mut AnyConnection) -> Result<bool, Fault> {
    const ADMINS: &str = "SELECT COUNT(*) FROM users WHERE is_disabled = 0 AND (role = 'admin' OR name IN (\
         SELECT member FROM team_members JOIN teams ON teams.name = team_members.team WHERE teams.role = 'admin'))";
    let admins: i64 = sqlx::query_scalar(ADMINS).fetch_one(connection).await?;
    Ok(admins > 0)
}

/// Errors: somebody could administer before, and nobody can now.
pub(super) async fn check_admin(
    connection: &mut AnyConnection,
    had_admin: bool,
) -> Result<(), Fault> {
    match had_admin && !has_admin(connection).await? {
        true => Err(Fault::Condition(StoreError::LastAdmin)),
        false => Ok(()),
    }
}

/// Errors: their identity elsewhere is another user's already.
async fn check_identity(connection: &mut AnyConnection, user: &User) -> Result<(), Fault> {
    const OTHERS: &str = "SELECT COUNT(*) FROM users WHERE identity = $1 AND name <> $2";
    let Some(identity) = &user.identity else {
        return Ok(());
    };
    check_name("an identity", identity)?;
    let others: i64 = sqlx::query_scalar(OTHERS)
        .bind(identity.as_ref())
        .bind(user.name.as_str())
        .fetch_one(connection)
        .await?;
    match others {
        0 => Ok(()),
        _ => Err(exists("identity", identity)),
    }
}

async fn count(connection: &mut AnyConnection) -> Result<usize, Fault> {
    let users: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users")
        .fetch_one(connection)
        .await?;
    Ok(usize::try_from(users).unwrap_or(0))
}

async fn write(
    connection: &mut AnyConnection,
    statement: &'static str,
    user: &User,
) -> Result<(), Fault> {
    sqlx::query(statement)
        .bind(user.name.as_str())
        .bind(user.role.name())
        .bind(user.password.as_deref())
        .bind(user.identity.as_deref())
        .bind(i64::from(user.is_disabled))
        .bind(number("epoch", user.epoch)?)
        .bind(user.created.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

fn user(row: &AnyRow) -> Result<User, Fault> {
    let role: String = row.try_get("role")?;
    let is_disabled: i64 = row.try_get("is_disabled")?;
    Ok(User {
        name: row::user_name(row, "name")?,
        role: row::word(&role)?,
        password: row::optional_text(row, "password")?,
        identity: row::optional_text(row, "identity")?,
        is_disabled: is_disabled != 0,
        epoch: row::unsigned(row, "epoch")?,
        created: Timestamp::from_millis(row.try_get("created_at")?),
    })
}
