//! `/api/v1/users`

use std::sync::Arc;

use access::{Change, Directory, Role, User, UserName};
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{enveloped, shown_time};
use crate::auth::visitor::Visitor;
use crate::auth::{Audit, Known, hash_password};
use crate::error::ApiError;
use crate::parameters::path_name;
use crate::{Server, json_body};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
    role: String,
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedUser {
    role: Option<String>,
    is_disabled: Option<bool>,
    password: Option<String>,
}

/// `GET /api/v1/users`
pub(crate) async fn list(State(server): State<Server>) -> Response {
    let known = server.access().known();
    let users = known.directory.users.values();
    let users: Value = users.map(|user| shown(&known, user)).collect();
    enveloped(StatusCode::OK, &users)
}

/// `GET /api/v1/users/{name}`
pub(crate) async fn one(
    State(server): State<Server>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let name = user_name(name)?;
    let known = server.access().known();
    let user = existing(&known.directory, &name)?;
    Ok(enveloped(StatusCode::OK, &shown(&known, user)))
}

/// `POST /api/v1/users`
pub(crate) async fn add(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, ApiError> {
    let body: NewUser = json_body::read(&server, request).await?;
    let name: UserName = body.name.parse().map_err(ApiError::bad_data)?;
    let role: Role = body.role.parse().map_err(ApiError::bad_data)?;
    let user = User {
        name,
        role,
        password: hashed(&server, body.password).await?,
        identity: None,
        is_disabled: false,
        epoch: User::first_epoch(),
        created: server.clock().now(),
    };
    let added = server.change_access(&visitor, |known| {
        let users = known.directory.users.len();
        if users >= Directory::USERS_MAX {
            let message = format!("there are {users} users, as many as there may be");
            return Err(ApiError::conflict(message));
        }
        let audit = audit("user.add", &user).after(described(&user));
        Ok((Change::AddUser(user.clone()), audit, user.clone()))
    });
    let user = added.await?;
    let known = server.access().known();
    Ok(enveloped(StatusCode::CREATED, &shown(&known, &user)))
}

/// `PATCH /api/v1/users/{name}`
pub(crate) async fn change(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = user_name(name)?;
    let body: ChangedUser = json_body::read(&server, request).await?;
    let role = body.role.map(|role| role.parse::<Role>()).transpose();
    let role = role.map_err(ApiError::bad_data)?;
    existing(&server.access().known().directory, &name)?;
    let password = hashed(&server, body.password).await?;
    let changed = server.change_access(&visitor, |known| {
        let before = existing(&known.directory, &name)?;
        let mut user = before.clone();
        let mut shrinks = password.is_some();
        if let Some(role) = role {
            shrinks |= role < user.role;
            user.role = role;
        }
        if let Some(is_disabled) = body.is_disabled {
            shrinks |= is_disabled && !user.is_disabled;
            user.is_disabled = is_disabled;
        }
        let action = match password {
            Some(_) => "user.passwd",
            None => "user.change",
        };
        if password.is_some() {
            user.password = password;
        }
        user.epoch += u64::from(shrinks);
        let audit = audit(action, &user);
        let audit = audit.before(described(before)).after(described(&user));
        Ok((Change::ReplaceUser(user.clone()), audit, user))
    });
    let user = changed.await?;
    let known = server.access().known();
    Ok(enveloped(StatusCode::OK, &shown(&known, &user)))
}

/// `DELETE /api/v1/users/{name}`
pub(crate) async fn remove(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let name = user_name(name)?;
    let removed = server.change_access(&visitor, |known| {
        let user = existing(&known.directory, &name)?;
        let audit = audit("user.remove", user).before(described(user));
        Ok((Change::RemoveUser(name.clone()), audit, ()))
    });
    removed.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn user_name(name: Result<Path<String>, PathRejection>) -> Result<UserName, ApiError> {
    path_name(name)?.parse().map_err(ApiError::bad_data)
}

fn existing<'a>(directory: &'a Directory, name: &UserName) -> Result<&'a User, ApiError> {
    let user = directory.users.get(name);
    user.ok_or_else(|| ApiError::not_found(format!("there is no user {name:?}")))
}

async fn hashed(server: &Server, password: Option<String>) -> Result<Option<Arc<str>>, ApiError> {
    match password {
        Some(password) => Ok(Some(hash_password(server, password).await?)),
        None => Ok(None),
    }
}

fn audit(action: &'static str, user: &User) -> Audit {
    Audit::of(action, format!("user:{}", user.name))
}

/// A user for the audit log.
fn described(user: &User) -> Value {
    json!({
        "role": user.role.name(),
        "has_password": user.password.is_some(),
        "is_disabled": user.is_disabled,
    })
}

/// A user for those who administer.
fn shown(known: &Known, user: &User) -> Value {
    let teams = known.directory.teams.values();
    let teams = teams.filter(|team| team.members.contains(&user.name));
    let teams: Vec<&str> = teams.map(|team| &*team.name).collect();
    json!({
        "name": user.name.as_str(),
        "role": user.role.name(),
        "effective_role": known.role(user).name(),
        "teams": teams,
        "has_password": user.password.is_some(),
        "identity": user.identity.as_deref(),
        "is_disabled": user.is_disabled,
        "created": shown_time(user.created),
    })
}
