//! `/auth/…`: logging in and out with a password, for programs (tokens) and for browsers (a cookie), and one's own account.

use access::{Change, SessionKind, SessionToken, Subject};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::sessions::Granted;
use super::visitor::{Proof, Visitor, address};
use super::{Audit, cookie, passwords, sessions};
use crate::error::{ApiError, ErrorType};
use crate::{Server, answer, guard, json_body};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refreshing {
    refresh_token: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaving {
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    current_password: Option<String>,
    new_password: String,
}

/// `POST /auth/login`
pub(crate) async fn login(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let user = verified(&server, request).await?;
    Ok(tokens(&sessions::grant(&server, &user).await?))
}

/// `POST /auth/session`
pub(crate) async fn session(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    guard::require_same_origin(&server, request.headers(), "log in")?;
    let extensions = request.extensions().clone();
    let user = verified(&server, request).await?;
    let token = sessions::begin(&server, &user, SessionKind::Cookie).await?;
    let cookie = cookie::enter(&server, &extensions, &token.text());
    Ok(([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response())
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, ApiError> {
    let body: Refreshing = json_body::read(&server, request).await?;
    let shown = SessionToken::parse(&body.refresh_token).ok_or_else(|| {
        ApiError::new(
            ErrorType::Unauthorized,
            "the refresh token is worth nothing: log in",
        )
    })?;
    Ok(tokens(&sessions::refresh(&server, &shown, &visitor).await?))
}

/// `POST /auth/logout`: a body is not needed.
pub(crate) async fn logout(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    guard::require_same_origin(&server, request.headers(), "log out")?;
    let extensions = request.extensions().clone();
    let headers = request.headers();
    let of_cookie = cookie::session(headers).and_then(|text| SessionToken::parse(&text));
    let has_body = headers.contains_key(header::CONTENT_TYPE);
    let body: Leaving = match has_body {
        true => json_body::read(&server, request).await?,
        false => Leaving::default(),
    };
    let of_body = body
        .refresh_token
        .and_then(|text| SessionToken::parse(&text));
    for shown in [of_cookie, of_body].iter().flatten() {
        sessions::end_shown(&server, shown).await?;
    }
    let gone = cookie::leave(&server, &extensions);
    Ok(([(header::SET_COOKIE, gone)], StatusCode::NO_CONTENT).into_response())
}

/// `GET /auth/ways`: how one can come in here, for the login page.
pub(crate) async fn ways(State(server): State<Server>) -> Response {
    let settings = server.access().settings();
    let oidc = settings
        .oidc
        .as_ref()
        .filter(|_| server.ports().provider.is_some());
    let body = json!({
        "password": true,
        "oidc": oidc.map(|oidc| json!({"name": oidc.name})),
        "anonymous": settings.anonymous.map(access::Role::name),
    });
    uncached(body)
}

/// `GET /auth/me`
pub(crate) async fn me(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let known = server.access().known();
    let user = visitor
        .user()
        .and_then(|name| known.directory.users.get(name));
    let teams = known.directory.teams.values();
    let teams = teams.filter(|team| user.is_some_and(|user| team.members.contains(&user.name)));
    let teams: Vec<&str> = teams.map(|team| &*team.name).collect();
    let (kind, name) = match &visitor.principal.subject {
        Subject::User(name) => ("user", name.as_str()),
        Subject::Token { name, .. } => ("token", &**name),
        Subject::Anonymous => ("anonymous", "anonymous"),
        Subject::Anybody | Subject::CommandLine => ("anybody", "anybody"),
    };
    let must_set = user.is_some_and(|user| user.password.is_none() && user.identity.is_none());
    uncached(json!({
        "name": name,
        "kind": kind,
        "role": visitor.principal.scope.name(),
        "teams": teams,
        "must_set_password": must_set,
    }))
}

/// `PUT /auth/password`: one's own; all other sessions end, and whoever has a cookie gets a new one.
pub(crate) async fn password(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, ApiError> {
    let extensions = request.extensions().clone();
    let from = address(&extensions);
    let body: NewPassword = json_body::read(&server, request).await?;
    let name = visitor.user().cloned().ok_or_else(|| {
        ApiError::new(
            ErrorType::Forbidden,
            "only a user has a password: log in as one",
        )
    })?;
    let known = server.access().known();
    let user = known.directory.users.get(&name).cloned();
    let user = user.ok_or_else(|| ApiError::not_found("the user is gone"))?;
    if user.identity.is_some() {
        return Err(ApiError::new(
            ErrorType::Forbidden,
            "your password is kept by the provider with which you log in: change it there",
        ));
    }
    // Before the slow part, and before an answer could tell whether the present one is right.
    access::check_password(&body.new_password).map_err(ApiError::bad_data)?;
    if user.password.is_some() {
        let current = body.current_password.as_deref().unwrap_or("");
        passwords::verify(&server, name.as_str(), current, from, false)
            .await
            .map_err(|error| match error.is(ErrorType::Unauthorized) {
                // Not 401: they are logged in.
                true => ApiError::new(ErrorType::Forbidden, "the current password is wrong"),
                false => error,
            })?;
    }
    let hash = passwords::hash(&server, body.new_password).await?;
    let changed = server.change_access(&visitor, |known| {
        let now = known.directory.users.get(&name).cloned();
        // What was verified above is the password of this epoch.
        let now = now.filter(|now| now.epoch == user.epoch && now.password == user.password);
        let mut now =
            now.ok_or_else(|| ApiError::conflict("your account was changed just now: try again"))?;
        now.password = Some(hash);
        now.epoch += 1;
        let audit = Audit::of("user.password", format!("user:{name}"));
        Ok((Change::ReplaceUser(now.clone()), audit, now))
    });
    let user = changed.await?;
    if !matches!(visitor.proof, Proof::Session { .. }) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let token = sessions::begin(&server, &user, SessionKind::Cookie).await?;
    let cookie = cookie::enter(&server, &extensions, &token.text());
    Ok(([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response())
}

/// The user of a request that shows a name and a password in its body.
async fn verified(server: &Server, request: Request) -> Result<access::User, ApiError> {
    let from = address(request.extensions());
    let body: Login = json_body::read(server, request).await?;
    let user = passwords::verify(server, &body.username, &body.password, from, false).await?;
    logged_in(server, &user, from, "password").await;
    Ok(user)
}

/// Tells the log and the audit log that somebody has logged in.
pub(super) async fn logged_in(
    server: &Server,
    user: &access::User,
    from: Option<std::net::IpAddr>,
    by: &'static str,
) {
    let mut visitor = Visitor::unknown(from);
    visitor.principal.subject = Subject::User(user.name.clone());
    tracing::info!(user = %user.name, address = visitor.shown_address(), by, "logged in");
    let audit = Audit::of("login", format!("user:{}", user.name)).after(json!({"by": by}));
    server.audit(&visitor, audit).await;
}

fn tokens(granted: &Granted) -> Response {
    uncached(json!({
        "access_token": granted.access_token,
        "token_type": "Bearer",
        "expires_in": granted.expires_in.as_secs(),
        "refresh_token": granted.refresh_token.text(),
    }))
}

/// An answer that nobody keeps on the way.
fn uncached(body: serde_json::Value) -> Response {
    let mut response: Response<Body> = answer::json(StatusCode::OK, body.to_string());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
