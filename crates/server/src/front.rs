//! The outermost layer: what every request passes before it is routed, and every answer before it is sent.
//!
//! 1. Where it comes from is found out once ([`RequestOrigin`]).
//! 2. The path of the external URL is taken off: all routes answer below it, and also without it, for proxies that take it
//!    off by themselves and for probes that know nothing of it.
//! 3. Pages of other sites are answered if `auth.cors_origins` names these (`cors`).
//! 4. The answer gets the headers that keep browsers from doing what nobody meant (`security_headers`).

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use tower::ServiceExt as _;

use crate::origin::{Peer, RequestOrigin};
use crate::{Server, answer, cors, security_headers};

/// All routes, behind the front.
pub(crate) fn wrap(server: Server, routes: Router) -> Router {
    let with_cors = Router::new()
        .fallback_service(routes.clone())
        .layer(cors::layer(server.clone()));
    Router::new().fallback(enter).with_state(Front {
        server,
        routes,
        with_cors,
    })
}

#[derive(Clone)]
struct Front {
    server: Server,
    routes: Router,
    with_cors: Router,
}

async fn enter(State(front): State<Front>, mut request: Request) -> Response {
    let server = &front.server;
    let proxies = server.trusted_proxies();
    let mut origin = RequestOrigin::of(request.extensions(), request.headers(), &proxies);
    let is_https = origin.is_https;
    origin.restore_host(request.headers_mut());
    let external = server.external_url();
    // A proxy that nobody has told us of may have taken the encryption off; then its cookie must not go without.
    let peer = request.extensions().get::<Peer>();
    let is_told = peer.and_then(|peer| peer.address);
    if !is_told.is_some_and(|address| proxies.trusts(address)) {
        origin.is_https |= external.is_secure_site(request.headers());
    }
    drop(proxies);
    request.extensions_mut().insert(origin);
    let base = external.base_path();
    let mut response = if !base.is_empty() && request.uri().path() == base {
        // Relative addresses hold only below a slash.
        to_directory(base, request.uri())
    } else {
        if let Some(uri) = below(base, request.uri()) {
            *request.uri_mut() = uri;
        }
        let routes = match server.cors_origins().is_empty() {
            true => front.routes,
            false => front.with_cors,
        };
        let Ok(response) = routes.oneshot(request).await;
        response
    };
    let hsts = server.config().hsts_max_age;
    security_headers::set(response.headers_mut(), is_https.then_some(hsts));
    response
}

/// A URI without the base path; none if it does not begin with that.
fn below(base: &str, uri: &Uri) -> Option<Uri> {
    if base.is_empty() {
        return None;
    }
    let whole = uri.path_and_query()?.as_str();
    let rest = whole
        .strip_prefix(base)
        .filter(|rest| rest.starts_with('/'))?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

fn to_directory(base: &str, uri: &Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}"));
    let target = format!("{base}/{}", query.unwrap_or_default());
    let mut response = answer::text(StatusCode::PERMANENT_REDIRECT, "");
    if let Ok(target) = HeaderValue::try_from(target) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_base_path_is_taken_off_at_a_slash_only() {
        for (whole, expected) in [
            ("/campanile/", Some("/")),
            ("/campanile/metrics?a=b", Some("/metrics?a=b")),
            (
                "http://a.example.org/campanile/metrics",
                Some("http://a.example.org/metrics"),
            ),
            ("/campanile//evil.example", Some("//evil.example")),
            ("/campanilex/", None),
            ("/campanile?x", None),
            ("/Campanile/", None),
            ("/%63ampanile/", None),
            ("*", None),
        ] {
            let found = below("/campanile", &whole.parse().unwrap());
            let found = found.map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{whole}");
        }
        assert_eq!(below("", &Uri::from_static("/metrics")), None);
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_stood_behind(rest in "/[!-~]{0,40}") {
            let Ok(uri) = format!("/campanile{rest}").parse::<Uri>() else {
                return Ok(());
            };
            let Ok(plain) = rest.parse::<Uri>() else {
                return Ok(());
            };
            let left = below("/campanile", &uri);
            let left = left.map(|uri| uri.path_and_query().unwrap().to_string());
            prop_assert_eq!(left.as_deref(), plain.path_and_query().map(PathAndQuery::as_str));
        }
    }
}
