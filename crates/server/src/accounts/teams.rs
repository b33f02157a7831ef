//! `/api/v1/teams`

use std::collections::BTreeSet;

use access::{Change, Directory, Role, Team, UserName};
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::enveloped;
use crate::auth::Audit;
use crate::auth::visitor::Visitor;
use crate::error::ApiError;
use crate::parameters::path_name;
use crate::{Server, json_body};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTeam {
    name: String,
    role: Option<String>,
    #[serde(default)]
    members: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedTeam {
    /// Present and null takes the role away.
    #[serde(default, deserialize_with = "present")]
    role: Option<Option<String>>,
    members: Option<Vec<String>>,
}

/// `GET /api/v1/teams`
pub(crate) async fn list(State(server): State<Server>) -> Response {
    let known = server.access().known();
    let teams: Value = known.directory.teams.values().map(shown).collect();
    enveloped(StatusCode::OK, &teams)
}

/// `POST /api/v1/teams`
pub(crate) async fn add(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, ApiError> {
    let body: NewTeam = json_body::read(&server, request).await?;
    // A team's name has the form of a user's.
    let name: UserName = body.name.parse().map_err(ApiError::bad_data)?;
    let team = Team {
        name: name.as_str().into(),
        role: role(body.role)?,
        members: members(body.members)?,
    };
    let added = server.change_access(&visitor, |known| {
        let teams = known.directory.teams.len();
        if teams >= Directory::USERS_MAX {
            let message = format!("there are {teams} teams, as many as there may be");
            return Err(ApiError::conflict(message));
        }
        let audit = audit("team.add", &team.name).after(shown(&team));
        Ok((Change::AddTeam(team.clone()), audit, team))
    });
    Ok(enveloped(StatusCode::CREATED, &shown(&added.await?)))
}

/// `PATCH /api/v1/teams/{name}`
pub(crate) async fn change(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = path_name(name)?;
    let body: ChangedTeam = json_body::read(&server, request).await?;
    let new_role = body.role.map(role).transpose()?;
    let new_members = body.members.map(members).transpose()?;
    let changed = server.change_access(&visitor, |known| {
        let before = existing(&known.directory, &name)?;
        let mut team = before.clone();
        team.role = new_role.unwrap_or(team.role);
        team.members = new_members.unwrap_or(team.members);
        let audit = audit("team.change", &name);
        let audit = audit.before(shown(before)).after(shown(&team));
        Ok((Change::ReplaceTeam(team.clone()), audit, team))
    });
    Ok(enveloped(StatusCode::OK, &shown(&changed.await?)))
}

/// `DELETE /api/v1/teams/{name}`
pub(crate) async fn remove(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let name = path_name(name)?;
    let removed = server.change_access(&visitor, |known| {
        let team = existing(&known.directory, &name)?;
        let audit = audit("team.remove", &name).before(shown(team));
        Ok((Change::RemoveTeam(team.name.clone()), audit, ()))
    });
    removed.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn existing<'a>(directory: &'a Directory, name: &str) -> Result<&'a Team, ApiError> {
    let team = directory.teams.get(name);
    team.ok_or_else(|| ApiError::not_found(format!("there is no team {name:?}")))
}

fn role(text: Option<String>) -> Result<Option<Role>, ApiError> {
    let role = text.map(|text| text.parse()).transpose();
    role.map_err(ApiError::bad_data)
}

fn members(names: Vec<String>) -> Result<BTreeSet<UserName>, ApiError> {
    let members: Result<_, String> = names.iter().map(|name| name.parse()).collect();
    members.map_err(ApiError::bad_data)
}

fn audit(action: &'static str, name: &str) -> Audit {
    Audit::of(action, format!("team:{name}"))
}

fn shown(team: &Team) -> Value {
    let members: Vec<&str> = team.members.iter().map(UserName::as_str).collect();
    json!({
        "name": &*team.name,
        "role": team.role.map(Role::name),
        "members": members,
    })
}

/// Tells a field that is null from one that is not there.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
