//! The outermost layer: counts each request, logs it, and gives its answer the headers that all answers have.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::Server;
use crate::guard::is_probe;
use crate::metrics::InFlight;

/// The status under which a request is counted whose client went away before the answer, as nginx names it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

pub(crate) async fn observe(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Response {
    let _in_flight = InFlight::enter(&server.own().requests_in_flight);
    let mut observation = Observation {
        method: method_label(request.method()),
        route: request.extensions().get::<MatchedPath>().cloned(),
        path: request.uri().path().to_owned(),
        started: server.clock().monotonic(),
        status: CLIENT_CLOSED_REQUEST,
        server,
    };
    let mut response = next.run(request).await;
    observation.status = response.status().as_u16();
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// What is known of a request; it is written down when dropped, since a client may hang up at any point.
struct Observation {
    server: Server,
    method: &'static str,
    route: Option<MatchedPath>,
    path: String,
    started: Duration,
    status: u16,
}

impl Drop for Observation {
    fn drop(&mut self) {
        let took = self.server.clock().monotonic().saturating_sub(self.started);
        let route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str);
        let own = self.server.own();
        own.observe_request(self.method, route, self.status, took);
        let (method, path, status_code) = (self.method, self.path.as_str(), self.status);
        let duration_ms = took.as_secs_f64() * 1000.0;
        // A probe that is told "not yet" has failed nothing, and asks again every second.
        if status_code >= 500 && !is_probe(path) {
            tracing::warn!(method, path, status_code, duration_ms, "request failed");
        } else {
            tracing::debug!(method, path, status_code, duration_ms, "request answered");
        }
    }
}

/// The method as a label: a client may invent methods, but not labels.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
