//! Teams and who is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use access::{Directory, Role, Team};
use sqlx::{AnyConnection, Row};

use super::{exists, full, missing, row, users};
use crate::error::Fault;
use crate::text::check_name;

pub(super) async fn add(connection: &mut AnyConnection, team: &Team) -> Result<(), Fault> {
    check_name("a team", &team.name)?;
    if is_there(connection, &team.name).await? {
        return Err(exists("team", &team.name));
    }
    let teams: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM teams")
        .fetch_one(&mut *connection)
        .await?;
    if usize::try_from(teams).unwrap_or(0) >= Directory::USERS_MAX {
        return Err(full(Directory::USERS_MAX, "teams"));
    }
    sqlx::query("INSERT INTO teams (name, role) VALUES ($1, $2)")
        .bind(team.name.as_ref())
        .bind(team.role.map(Role::name))
        .execute(&mut *connection)
        .await?;
    add_members(connection, team).await
}

pub(super) async fn replace(connection: &mut AnyConnection, team: &Team) -> Result<(), Fault> {
    if !is_there(connection, &team.name).await? {
        return Err(missing("team", &team.name));
    }
    let had_admin = users::has_admin(connection).await?;
    sqlx::query("UPDATE teams SET role = $2 WHERE name = $1")
        .bind(team.name.as_ref())
        .bind(team.role.map(Role::name))
        .execute(&mut *connection)
        .await?;
    remove_members(connection, &team.name).await?;
    add_members(connection, team).await?;
    users::check_admin(connection, had_admin).await
}

pub(super) async fn remove(connection: &mut AnyConnection, name: &str) -> Result<(), Fault> {
    if !is_there(connection, name).await? {
        return Err(missing("team", name));
    }
    let had_admin = users::has_admin(connection).await?;
    remove_members(connection, name).await?;
    sqlx::query("DELETE FROM teams WHERE name = $1")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    users::check_admin(connection, had_admin).await
}

pub(super) async fn load(
    connection: &mut AnyConnection,
) -> Result<BTreeMap<Arc<str>, Team>, Fault> {
    let rows = sqlx::query("SELECT name, role FROM teams")
        .fetch_all(&mut *connection)
        .await?;
    let mut teams = BTreeMap::new();
    for row in &rows {
        let name = row::text(row, "name")?;
        let role: Option<String> = row.try_get("role")?;
        let team = Team {
            name: Arc::clone(&name),
            role: role.as_deref().map(row::word).transpose()?,
            members: BTreeSet::new(),
        };
        teams.insert(name, team);
    }
    let rows = sqlx::query("SELECT team, member FROM team_members")
        .fetch_all(connection)
        .await?;
    for row in &rows {
        let name: String = row.try_get("team")?;
        let team = teams.get_mut(name.as_str());
        let team = team.ok_or_else(|| Fault::Damaged(format!("there is no team {name:?}")))?;
        team.members.insert(row::user_name(row, "member")?);
    }
    Ok(teams)
}

async fn is_there(connection: &mut AnyConnection, name: &str) -> Result<bool, Fault> {
    let teams: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM teams WHERE name = $1")
        .bind(name)
        .fetch_one(connection)
        .await?;
    Ok(teams > 0)
}

/// Errors: a member is no user.
async fn add_members(connection: &mut AnyConnection, team: &Team) -> Result<(), Fault> {
    for member in &team.members {
        if users::epoch(connection, member).await?.is_none() {
            return Err(missing("user", member.as_str()));
        }
        sqlx::query("INSERT INTO team_members (team, member) VALUES ($1, $2)")
            .bind(team.name.as_ref())
            .bind(member.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn remove_members(connection: &mut AnyConnection, team: &str) -> Result<(), Fault> {
    sqlx::query("DELETE FROM team_members WHERE team = $1")
        .bind(team)
        .execute(connection)
        .await?;
    Ok(())
}
