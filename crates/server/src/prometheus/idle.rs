//! Routes of Prometheus about what this program does not do: it scrapes no targets, and its alerts go to no Alertmanager but
//! its own. The lists are empty, and those who read them go on.

use axum::response::Response;

use super::{SUCCESS, finish, ok};

/// `GET /api/v1/targets`
pub(crate) async fn targets() -> Response {
    answer(r#"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#)
}

/// `GET /api/v1/targets/metadata`
pub(crate) async fn target_metadata() -> Response {
    answer("[]")
}

/// `GET /api/v1/scrape_pools`
pub(crate) async fn scrape_pools() -> Response {
    answer(r#"{"scrapePools":[]}"#)
}

/// `GET /api/v1/alertmanagers`
pub(crate) async fn alertmanagers() -> Response {
    answer(r#"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#)
}

/// `GET /api/v1/status/walreplay`: the log is read before anything is answered, so none of it is left.
pub(crate) async fn log_replay() -> Response {
    answer(r#"{"min":0,"max":0,"current":0}"#)
}

fn answer(data: &str) -> Response {
    let mut body = format!("{SUCCESS}{data}");
    finish(&mut body, &[""; 0], &[""; 0]);
    ok(body)
}
