//! `GET /auth/link/{secret}`: how the first admin comes in, by a link that the program prints where only its owner reads.
//!
//! The secret is held in memory only. It is good once and for a day, and not at all once an admin has a password.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use access::{Change, Role, SecretHash, SessionKind, Subject, User, UserName};
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;

use super::visitor::{EVERYTHING, Visitor};
use super::{Audit, Known, cookie, layer, page, sessions};
use crate::Server;
use crate::error::ApiError;
use crate::parameters::path_name;

/// For how long the link is good.
const GOOD_FOR: Duration = Duration::from_hours(24);

/// How the first admin is named.
const ADMIN: &str = "admin";

/// What became of the link.
pub(super) struct FirstLink {
    made: Duration,
    used: Mutex<bool>,
}

impl FirstLink {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            made: now,
            used: Mutex::new(false),
        }
    }

    /// Whether it is good now; it is not any more afterwards.
    fn take(&self, now: Duration) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_sub(self.made) < GOOD_FOR && !std::mem::replace(&mut *used, true)
    }

    fn give_back(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// `GET /auth/link/{secret}`
pub(crate) async fn enter(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    secret: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let refused = |message: &str| page::failed(StatusCode::FORBIDDEN, message, "../../");
    let settings = server.access().settings();
    let expected = settings.first_link.as_ref();
    let shown = path_name(secret).unwrap_or_default();
    let is_right = expected.is_some_and(|expected| SecretHash::of(expected.reveal()).is_of(&shown));
    // Whoever only looks whether there is something does not use it up.
    if !is_right || *request.method() != Method::GET {
        return refused("This link is none of this server's.");
    }
    let link = &server.access().first_link;
    if !link.take(server.clock().monotonic()) {
        return refused(
            "This link was used before, or is older than a day. The next start of the server prints another one, as long as no admin has a password.",
        );
    }
    match begin(&server, visitor).await {
        Ok(token) => {
            let cookie = cookie::enter(&server, request.extensions(), &token);
            // They have no password yet, and would be locked out when the session ends.
            let mut response = layer::see_other("../../password");
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => {
            link.give_back();
            refused(&format!("The link cannot be used: {}.", error.message()))
        }
    }
}

/// Begins a session of the admin, who is made if there is none; returns what the cookie holds.
async fn begin(server: &Server, mut visitor: Visitor) -> Result<String, ApiError> {
    let name: UserName = ADMIN.parse().map_err(ApiError::internal)?;
    visitor.principal.subject = Subject::User(name.clone());
    visitor.principal.scope = EVERYTHING;
    let now = server.clock().now();
    let made = server.change_access(&visitor, |known| {
        if has_admin_with_password(known) {
            return Err(ApiError::conflict("an admin has a password already"));
        }
        let audit = Audit::of("login.link", format!("user:{name}"));
        let Some(user) = known.directory.users.get(&name) else {
            let user = User {
                name: name.clone(),
                role: Role::Admin,
                password: None,
                identity: None,
                is_disabled: false,
                epoch: User::first_epoch(),
                created: now,
            };
            return Ok((Change::AddUser(user.clone()), audit, user));
        };
        if user.role == Role::Admin && !user.is_disabled && user.identity.is_none() {
            return Ok((Change::Nothing, audit, user.clone()));
        }
        // Whoever may start the server may make its admin. Who has come to that name by the provider is somebody else.
        let mut user = user.clone();
        user.identity = None;
        user.role = Role::Admin;
        user.is_disabled = false;
        user.password = None;
        user.epoch += 1;
        Ok((Change::ReplaceUser(user.clone()), audit, user))
    });
    let user = made.await?;
    tracing::info!(user = %user.name, address = visitor.shown_address(), "the link of the first start was used");
    Ok(sessions::begin(server, &user, SessionKind::Cookie)
        .await?
        .text())
}

fn has_admin_with_password(known: &Known) -> bool {
    let mut users = known.directory.users.values();
    users
        .any(|user| !user.is_disabled && user.password.is_some() && known.role(user) == Role::Admin)
}
