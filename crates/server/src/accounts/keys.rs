//! `POST /api/v1/keys/rotate`: a new key signs from now on; what older ones have signed holds until it is over.

use access::Change;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::enveloped;
use crate::Server;
use crate::auth::Audit;
use crate::auth::visitor::Visitor;
use crate::error::ApiError;

pub(crate) async fn rotate(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, ApiError> {
    let settings = server.access().settings();
    if settings.jwt_secret.is_some() {
        return Err(ApiError::conflict(
            "the key stands in the configuration, as auth.jwt_secret: change it there",
        ));
    }
    let now = server.clock().now();
    let policy = settings.token_policy();
    let rotated = server.change_access(&visitor, |known| {
        let change = known.directory.rotation(now, policy);
        let change = change.map_err(|error| ApiError::conflict(error.to_string()))?;
        let Change::AddKey { key, .. } = &change else {
            return Err(ApiError::internal("a rotation brings a key"));
        };
        let id = key.id.clone();
        let audit = Audit::of("key.rotate", format!("key:{id}"));
        Ok((change, audit, id))
    });
    let id = rotated.await?;
    Ok(enveloped(StatusCode::CREATED, &json!({"kid": &*id})))
}
