//! `GET /api/v1/audit`: who did what, the newest first.

use access::{AuditQuery, Audited};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{enveloped, shown_time};
use crate::Server;
use crate::error::ApiError;
use crate::parameters::Parameters;

/// Entries unless the request says otherwise, and at most.
const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

pub(crate) async fn list(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let limit = parameters.limit("limit")?;
    let limit = limit.map_or(LIMIT_DEFAULT, |limit| {
        u32::try_from(limit).unwrap_or(LIMIT_MAX)
    });
    let before = parameters.get("before").map(|text| {
        text.parse::<u64>().map_err(|_| {
            ApiError::parameter("before", format_args!("{text:?} is no number of an entry"))
        })
    });
    let query = AuditQuery {
        before: before.transpose()?,
        limit: limit.min(LIMIT_MAX),
    };
    let entries = server.ports().access.audit(query).await?;
    let entries: Value = entries.iter().map(shown).collect();
    Ok(enveloped(StatusCode::OK, &entries))
}

fn shown(audited: &Audited) -> Value {
    let entry = &audited.entry;
    json!({
        // A text, since numbers in JSON are floats to many.
        "id": audited.id.to_string(),
        "at": shown_time(entry.at),
        "who": entry.who,
        "address": entry.address,
        "action": entry.action,
        "object": entry.object,
        "before": object(&entry.before),
        "after": object(&entry.after),
    })
}

/// What was there, as it was written; null if nothing was.
fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
