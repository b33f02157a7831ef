//! `/api/v1/status/buildinfo`, by which Grafana decides what it may ask for.
//!
//! Its `version` is read as Prometheus' version. So it says which Prometheus' API this is, followed, as semantic
//! versioning has it, by whose build it is: `3.14.0+campanile.0.1.0`.

use axum::extract::State;
use axum::response::Response;

use super::{SUCCESS, finish, ok};
use crate::{Server, json};

/// The release whose API and language are answered here.
const API_VERSION: &str = "3.14.0";

pub(crate) async fn buildinfo(State(server): State<Server>) -> Response {
    let build = server.build();
    let version = format!("{API_VERSION}+campanile.{}", build.version);
    let mut body = String::from(SUCCESS);
    let fields = [
        ("application", "campanile"),
        ("version", version.as_str()),
        ("revision", &build.revision),
        ("branch", &build.branch),
        ("buildUser", ""),
        ("buildDate", &build.date),
        ("goVersion", ""),
    ];
    json::push_pairs(&mut body, fields.into_iter());
    finish(&mut body, &[""; 0], &[""; 0]);
    ok(body)
}
