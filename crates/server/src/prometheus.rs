//! Prometheus' HTTP API: one file for each group of its routes, and the frame in which all of them answer.

pub(crate) mod admin;
pub(crate) mod buildinfo;
pub(crate) mod exemplars;
pub(crate) mod explain;
pub(crate) mod features;
pub(crate) mod federate;
pub(crate) mod idle;
pub(crate) mod labels;
mod list;
pub(crate) mod metadata;
pub(crate) mod query;
pub(crate) mod read;
mod result;
mod rule;
pub(crate) mod rules;
mod stats;
pub(crate) mod status;
pub(crate) mod syntax;
pub(crate) mod tsdb;
mod unescape;
pub(crate) mod write;

use axum::http::StatusCode;
use axum::response::Response;

use crate::{answer, json};

/// The beginning of a successful answer, up to its data.
pub(crate) const SUCCESS: &str = r#"{"status":"success","data":"#;

/// The type of nearly all answers.
pub(crate) const JSON: &str = "application/json";

/// What Prometheus says when a `limit` cut the answer.
pub(crate) const TRUNCATED: &str = "results truncated due to limit";

/// Ends an answer that is an object, such as one that began with [`SUCCESS`].
pub(crate) fn finish(body: &mut String, warnings: &[impl AsRef<str>], infos: &[impl AsRef<str>]) {
    if !warnings.is_empty() {
        body.push_str(r#","warnings":"#);
        json::push_strings(body, warnings);
    }
    if !infos.is_empty() {
        body.push_str(r#","infos":"#);
        json::push_strings(body, infos);
    }
    body.push('}');
}

pub(crate) fn ok(body: String) -> Response {
    answer::json(StatusCode::OK, body)
}
