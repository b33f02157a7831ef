//! `/metrics` and `/metrics/live`: what this program and this machine show about themselves.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use model::HostSummary;
use wire::exposition::{Format, encode};

use crate::error::ApiError;
use crate::{Server, answer, json};

/// `GET /metrics`: own and host metrics in the format that the client prefers.
pub(crate) async fn metrics(
    State(server): State<Server>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let format = Format::negotiate(accept);
    let own = server.clone();
    let body = server
        .blocking(move || {
            let mut families = (own.ports().families)();
            families.extend(own.metrics());
            encode(&families, format)
        })
        .await?;
    let kind = HeaderValue::from_static(format.content_type());
    Ok(answer::typed(StatusCode::OK, kind, body))
}

/// `GET /metrics/live`: the figures of this machine that a person asks for first.
pub(crate) async fn live(State(server): State<Server>) -> Result<Response, ApiError> {
    let host = (server.ports().host)().ok_or_else(|| {
        ApiError::unavailable("this machine's metrics are not collected, or not collected yet")
    })?;
    let mut body = String::new();
    push_host(&mut body, &host);
    Ok(answer::json(StatusCode::OK, body))
}

/// A figure that could not be read is null.
fn push_host(body: &mut String, host: &HostSummary) {
    body.push_str(r#"{"timestamp":"#);
    json::push_timestamp(body, host.timestamp);
    body.push_str(r#","host":"#);
    json::push_string(body, &host.host);
    for (name, value) in [
        ("cpu_percent", host.cpu_percent),
        ("memory_percent", host.memory_percent),
        (
            "memory_used_bytes",
            host.memory_used_bytes.map(|bytes| bytes as f64),
        ),
    ] {
        push_field(body, name, value);
    }
    body.push_str(r#","load":"#);
    match host.load {
        None => body.push_str("null"),
        Some(load) => {
            for (index, value) in load.into_iter().enumerate() {
                body.push(if index == 0 { '[' } else { ',' });
                json::push_number(body, value);
            }
            body.push(']');
        }
    }
    body.push_str(r#","disks":["#);
    for (index, disk) in host.disks.iter().enumerate() {
        json::separate(body, index);
        body.push_str(r#"{"mountpoint":"#);
        json::push_string(body, &disk.mountpoint);
        push_field(body, "used_percent", Some(disk.used_percent));
        push_field(body, "free_bytes", Some(disk.free_bytes as f64));
        body.push('}');
    }
    body.push_str(r#"],"network":["#);
    for (index, device) in host.network.iter().enumerate() {
        json::separate(body, index);
        body.push_str(r#"{"device":"#);
        json::push_string(body, &device.device);
        let (received, sent) = (
            device.receive_bytes_per_second,
            device.transmit_bytes_per_second,
        );
        push_field(body, "receive_bytes_per_second", Some(received));
        push_field(body, "transmit_bytes_per_second", Some(sent));
        body.push('}');
    }
    body.push_str("]}");
}

fn push_field(body: &mut String, name: &str, value: Option<f64>) {
    body.push(',');
    json::push_string(body, name);
    body.push(':');
    json::push_number(body, value.unwrap_or(f64::NAN));
}
