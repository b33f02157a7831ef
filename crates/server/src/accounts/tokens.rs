//! `/api/v1/tokens`: what machines show instead of a password. The text of a token is in one answer only, when it is made.

use access::{ApiToken, Change, Directory, Scope};
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{enveloped, shown_time};
use crate::auth::Audit;
use crate::auth::visitor::Visitor;
use crate::error::ApiError;
use crate::parameters::path_name;
use crate::{Server, json_body};

/// Characters of a token's name.
const NAME_CHARACTERS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    scope: String,
    expires_in: Option<String>,
    expires: Option<String>,
}

/// `GET /api/v1/tokens`
pub(crate) async fn list(State(server): State<Server>) -> Response {
    let known = server.access().known();
    let now = server.clock().now();
    let mut tokens: Vec<&ApiToken> = known.directory.tokens.values().collect();
    tokens.sort_by_key(|token| (token.created, &token.id));
    let tokens: Value = tokens.iter().map(|token| shown(token, now)).collect();
    enveloped(StatusCode::OK, &tokens)
}

/// `POST /api/v1/tokens`
pub(crate) async fn add(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, ApiError> {
    let body: NewToken = json_body::read(&server, request).await?;
    check_name(&body.name)?;
    let scope: Scope = body.scope.parse().map_err(ApiError::bad_data)?;
    let now = server.clock().now();
    let expires = expiry(&body, now)?;
    let (id, text) = ApiToken::generate();
    let token = ApiToken {
        id,
        name: body.name.into(),
        scope,
        hash: ApiToken::hash_of(&text),
        created_by: visitor.principal.name().into(),
        created: now,
        expires,
    };
    let added = server.change_access(&visitor, |known| {
        let tokens = known.directory.tokens.len();
        if tokens >= Directory::TOKENS_MAX {
            let message =
                format!("there are {tokens} tokens, as many as there may be: revoke some");
            return Err(ApiError::conflict(message));
        }
        let audit = Audit::of("token.add", format!("token:{}", token.id)).after(shown(&token, now));
        Ok((Change::AddToken(token.clone()), audit, token))
    });
    let mut answer = shown(&added.await?, now);
    answer["token"] = text.into();
    Ok(enveloped(StatusCode::CREATED, &answer))
}

/// `DELETE /api/v1/tokens/{id}`
pub(crate) async fn revoke(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = path_name(id)?;
    let now = server.clock().now();
    let revoked = server.change_access(&visitor, |known| {
        let token = known.directory.tokens.get(&*id);
        let token =
            token.ok_or_else(|| ApiError::not_found(format!("there is no token {id:?}")))?;
        let audit = Audit::of("token.revoke", format!("token:{id}")).before(shown(token, now));
        Ok((Change::RevokeToken(token.id.clone()), audit, ()))
    });
    revoked.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let characters = name.chars().count();
    if !(1..=NAME_CHARACTERS_MAX).contains(&characters) || name.chars().any(char::is_control) {
        return Err(ApiError::bad_data(format!(
            "a token's name has 1 to {NAME_CHARACTERS_MAX} characters, and no control characters"
        )));
    }
    Ok(())
}

/// From when on a new token is worth nothing.
fn expiry(body: &NewToken, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let expires = match (&body.expires_in, &body.expires) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(ApiError::bad_data(
                "expires_in and expires are one thing: give one",
            ));
        }
        (Some(text), None) => {
            let length = model::duration::parse(text);
            let length =
                length.map_err(|error| ApiError::bad_data(format!("expires_in: {error}")))?;
            let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millis(now.as_millis().saturating_add(millis))
        }
        (None, Some(text)) => wire::time::parse_time(text)
            .map_err(|error| ApiError::bad_data(format!("expires: {error}")))?,
    };
    if expires <= now {
        return Err(ApiError::bad_data("the token would have expired already"));
    }
    // What comes later cannot be written as RFC 3339.
    if expires.as_millis() > 253_402_300_799_000 {
        return Err(ApiError::bad_data(
            "the token would expire after the year 9999: leave expires out",
        ));
    }
    Ok(Some(expires))
}

/// A token without its secret.
fn shown(token: &ApiToken, now: Timestamp) -> Value {
    json!({
        "id": &*token.id,
        "name": &*token.name,
        "scope": token.scope.name(),
        "created_by": &*token.created_by,
        "created": shown_time(token.created),
        "expires": token.expires.map(shown_time),
        "is_expired": !token.is_good_at(now),
    })
}
