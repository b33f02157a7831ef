//! `/api/v1/users`, `teams`, `tokens`, `keys` and `audit`: who may come in, for those who administer it.
//!
//! Each change follows from the directory as it is at that moment, and stands in the audit log with what was there before and is now.

pub(crate) mod audit;
pub(crate) mod keys;
pub(crate) mod teams;
pub(crate) mod tokens;
pub(crate) mod users;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use model::Timestamp;
use serde_json::{Value, json};
use wire::time::format_rfc3339;

use crate::answer;

/// Prometheus' envelope around data.
fn enveloped(status: StatusCode, data: &Value) -> Response {
    let body = json!({"status": "success", "data": data}).to_string();
    let mut response = answer::json(status, body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn shown_time(at: Timestamp) -> String {
    format_rfc3339(at).to_string()
}
