//! `/api/v1/status/runtimeinfo`, `/flags` and `/config`: how the program was started and configured.
//!
//! What Prometheus tells of Go's runtime has no counterpart here and is empty or zero.

use axum::extract::State;
use axum::response::Response;

use super::{SUCCESS, finish, ok};
use crate::{Server, json};

/// `GET /api/v1/status/runtimeinfo`
pub(crate) async fn runtime(State(server): State<Server>) -> Response {
    let status = (server.ports().status)();
    let mut body = String::from(SUCCESS);
    for (name, moment) in [
        ("{\"startTime", status.started),
        (",\"serverTime", server.clock().now()),
        (",\"lastConfigTime", status.configured),
    ] {
        body.push_str(name);
        body.push_str("\":");
        json::push_moment(&mut body, moment);
    }
    for (name, text) in [
        ("CWD", status.directory.as_str()),
        ("hostname", &status.host),
        ("storageRetention", &status.retention),
        ("GOGC", ""),
        ("GODEBUG", ""),
    ] {
        body.push(',');
        json::push_string(&mut body, name);
        body.push(':');
        json::push_string(&mut body, text);
    }
    body.push_str(r#","reloadConfigSuccess":"#);
    json::push_display(&mut body, status.is_last_configuration);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    json::push_display(&mut body, format_args!(r#","GOMAXPROCS":{threads}"#));
    body.push_str(r#","corruptionCount":0,"goroutineCount":0,"GOMEMLIMIT":0}"#);
    finish(&mut body, &[""; 0], &[""; 0]);
    ok(body)
}

/// `GET /api/v1/status/flags`: every setting, whether a flag, a variable, the file or nobody gave it.
pub(crate) async fn flags(State(server): State<Server>) -> Response {
    let status = (server.ports().status)();
    let mut body = String::from(SUCCESS);
    json::push_texts(&mut body, &status.settings);
    finish(&mut body, &[""; 0], &[""; 0]);
    ok(body)
}

/// `GET /api/v1/status/config`: the file, without secrets.
pub(crate) async fn config(State(server): State<Server>) -> Response {
    let status = (server.ports().status)();
    let mut body = String::from(SUCCESS);
    let fields = [("yaml", status.configuration.as_str())];
    json::push_pairs(&mut body, fields.into_iter());
    finish(&mut body, &[""; 0], &[""; 0]);
    ok(body)
}
