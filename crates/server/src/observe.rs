//! The outermost layer of the routes: counts each request and logs it.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use crate::Server;
use crate::guard::is_probe;
use crate::metrics::InFlight;
use crate::origin::RequestOrigin;

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
        path: shown_path(request.uri().path()).to_owned(),
        client: RequestOrigin::from_extensions(request.extensions()).address,
        started: server.clock().monotonic(),
        status: CLIENT_CLOSED_REQUEST,
        server,
    };
    let response = next.run(request).await;
    observation.status = response.status().as_u16();
    response
}

/// What is known of a request; it is written down when dropped, since a client may hang up at any point.
struct Observation {
    server: Server,
    method: &'static str,
    route: Option<MatchedPath>,
    path: String,
    client: Option<IpAddr>,
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
        let client = self.client.map(tracing::field::display);
        let duration_ms = took.as_secs_f64() * 1000.0;
        // A probe that is told "not yet" has failed nothing, and asks again every second.
        if status_code >= 500 && !is_probe(path) {
            tracing::warn!(
                method,
                path,
                status_code,
                duration_ms,
                client,
                "request failed"
            );
        } else {
            tracing::debug!(
                method,
                path,
                status_code,
                duration_ms,
                client,
                "request answered"
            );
        }
    }
}

/// A path as it may stand in the log: that of the first link holds a secret.
fn shown_path(path: &str) -> &str {
    const LINK: &str = "/auth/link/";
    match path.starts_with(LINK) {
        true => LINK,
        false => path,
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
