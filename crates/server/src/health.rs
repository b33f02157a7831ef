//! Whether the server lives, is ready, and how well its parts work.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{ComponentHealth, HealthState};

use crate::{Server, answer, json};

/// `GET /health`: the worst state of all parts.
pub(crate) async fn health(State(server): State<Server>) -> Response {
    let parts = parts(&server);
    let mut body = String::new();
    push_overview(&mut body, &server, &parts);
    body.push('}');
    answer::json(status(&parts), body)
}

/// `GET /health/detailed`: each part with its state, age and reason.
pub(crate) async fn detailed(State(server): State<Server>) -> Response {
    let parts = parts(&server);
    let now = server.clock().now();
    let mut body = String::new();
    push_overview(&mut body, &server, &parts);
    body.push_str(r#","ready":"#);
    json::push_display(&mut body, readiness(&server).is_ok());
    body.push_str(r#","components":["#);
    for (index, part) in parts.iter().enumerate() {
        json::separate(&mut body, index);
        body.push_str(r#"{"component":"#);
        json::push_string(&mut body, part.component);
        body.push_str(r#","status":""#);
        body.push_str(part.state.as_str());
        body.push_str(r#"","since":"#);
        json::push_timestamp(&mut body, part.since);
        body.push_str(r#","age_seconds":"#);
        json::push_number(&mut body, now.since(part.since).as_secs_f64());
        body.push_str(r#","reason":"#);
        json::push_string(&mut body, &part.reason);
        body.push('}');
    }
    body.push_str("]}");
    answer::json(status(&parts), body)
}

/// `GET /health/live` and `/-/healthy`: the process answers.
pub(crate) async fn live() -> Response {
    answer::text(StatusCode::OK, "Campanile is alive.\n")
}

/// `GET /health/ready` and `/-/ready`: traffic may come.
pub(crate) async fn ready(State(server): State<Server>) -> Response {
    match readiness(&server) {
        Ok(()) => answer::text(StatusCode::OK, "Campanile is ready.\n"),
        Err(missing) => answer::text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("Campanile is not ready: {missing}.\n"),
        ),
    }
}

/// Those of the program, and the server's own.
fn parts(server: &Server) -> Vec<ComponentHealth> {
    let mut parts = (server.ports().health)();
    parts.extend(server.health());
    parts
}

fn readiness(server: &Server) -> Result<(), String> {
    if server.is_draining() {
        return Err("it is shutting down".to_owned());
    }
    (server.ports().ready)()
}

/// A degraded server still works, so only an unhealthy one is 503.
fn status(parts: &[ComponentHealth]) -> StatusCode {
    match worst(parts) {
        HealthState::Healthy | HealthState::Degraded => StatusCode::OK,
        HealthState::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn worst(parts: &[ComponentHealth]) -> HealthState {
    let states = parts.iter().map(|part| part.state);
    states.max().unwrap_or(HealthState::Healthy)
}

fn push_overview(body: &mut String, server: &Server, parts: &[ComponentHealth]) {
    body.push_str(r#"{"status":""#);
    body.push_str(worst(parts).as_str());
    body.push_str(r#"","timestamp":"#);
    json::push_timestamp(body, server.clock().now());
    body.push_str(r#","version":"#);
    json::push_string(body, &server.build().version);
}
