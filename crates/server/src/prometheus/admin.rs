//! `/api/v1/admin/tsdb/…`: deleting series, giving their room back, and snapshots.
//!
//! Whoever may send these requests may destroy everything, so they are off unless `storage.admin_api` says otherwise. One
//! of them runs at a time, to its end even if nobody waits for it any more.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use model::{StorageAdmin, StorageError};

use super::labels::{read_scope, read_selectors};
use super::{SUCCESS, finish, ok};
use crate::auth::Audit;
use crate::auth::visitor::Visitor;
use crate::error::{ApiError, ErrorType};
use crate::guard::require_same_origin;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::{Server, json};

/// `POST /api/v1/admin/tsdb/delete_series`
pub(crate) async fn delete_series(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, ApiError> {
    admit(&server, request.headers())?;
    let parameters = Parameters::read(&server, request).await?;
    let selectors: Vec<String> = parameters.all("match[]").map(str::to_owned).collect();
    if selectors.is_empty() {
        return Err(ApiError::parameter("match[]", "at least one is needed"));
    }
    let scope = read_scope(&parameters, None)?;
    let asked = serde_json::json!({
        "match[]": selectors,
        "start": parameters.get("start"),
        "end": parameters.get("end"),
    });
    alone(&server, move |storage| {
        let selectors = read_selectors(&selectors, &Caller::default())?;
        Ok(storage.delete(&selectors, scope.start, scope.end)?)
    })
    .await?;
    let audit = Audit::of("series.delete", "store").before(asked);
    server.audit(&visitor, audit).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/v1/admin/tsdb/clean_tombstones`
pub(crate) async fn clean_tombstones(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    admit(&server, &headers)?;
    alone(&server, |storage| Ok(storage.clean_tombstones()?)).await?;
    let audit = Audit::of("store.clean_tombstones", "store");
    server.audit(&visitor, audit).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/v1/admin/tsdb/snapshot`
pub(crate) async fn snapshot(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, ApiError> {
    admit(&server, request.headers())?;
    let parameters = Parameters::read(&server, request).await?;
    let skip_head = parameters.boolean("skip_head")?.unwrap_or(false);
    let name = alone(&server, move |storage| Ok(storage.snapshot(skip_head)?)).await?;
    let audit = Audit::of("store.snapshot", "store").after(serde_json::json!({"name": name}));
    server.audit(&visitor, audit).await;
    let mut body = String::from(SUCCESS);
    json::push_pairs(&mut body, [("name", name.as_str())].into_iter());
    finish(&mut body, &[""; 0], &[""; 0]);
    Ok(ok(body))
}

/// The configuration may change while the program runs, so each request looks anew.
fn admit(server: &Server, headers: &HeaderMap) -> Result<(), ApiError> {
    if server.has_admin_api() {
        return require_same_origin(server, headers, "change the store");
    }
    Err(ApiError::new(
        ErrorType::Disabled,
        "admin APIs disabled: set storage.admin_api: true in the configuration, for as long as they are needed",
    ))
}

/// Lets `work` run on a thread of its own if no other such work is under way; nothing stops it before its end.
async fn alone<T: Send + 'static>(
    server: &Server,
    work: impl FnOnce(&dyn StorageAdmin) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let slot = server.admin_slot().try_acquire_owned().map_err(|_| {
        ApiError::unavailable("the store is being changed by another request: try again later")
    })?;
    let storage = server.ports().storage.clone();
    let held = move || {
        let _slot = slot;
        work(&*storage)
    };
    server.blocking(held).await?
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        let kind = match error {
            StorageError::Storage(_) => ErrorType::Unavailable,
            StorageError::Refused(_) => ErrorType::Execution,
        };
        Self::new(kind, error.to_string())
    }
}
