//! What is refused before any handler: too many requests at once, foreign hosts, and writes by foreign web pages.
//!
//! Without access control a browser is the way in: a page that its owner visits can send requests to 127.0.0.1. It
//! cannot read the answers (there are no CORS headers) unless its own name resolves to 127.0.0.1 (DNS rebinding);
//! then the `Host` header still has that name. And it can write without reading; then the browser says so in
//! `Sec-Fetch-Site`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::ApiError;
use crate::{Server, cors};

pub(crate) async fn guard(State(server): State<Server>, request: Request, next: Next) -> Response {
    if let Err(error) = admit(&server, &request) {
        return error.into_response();
    }
    if is_probe(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_slot) = server.request_slots().try_acquire_owned() else {
        let limit = server.config().concurrent_requests;
        return ApiError::unavailable(format!(
            "{limit} requests, as many as are allowed at once, are being answered: try again later"
        ))
        .into_response();
    };
    next.run(request).await
}

fn admit(server: &Server, request: &Request) -> Result<(), ApiError> {
    let hosts = &server.config().hosts;
    if !hosts.is_empty() {
        let host = host(request.uri(), request.headers()).unwrap_or("");
        let external = server.external_url();
        let mut known = hosts.iter().map(String::as_str).chain(external.host());
        if !known.any(|known| known.eq_ignore_ascii_case(host)) {
            return Err(ApiError::bad_data(format!(
                "this server is not known as {host:?}: ask it by one of the names {}",
                hosts.join(", ")
            ))
            .with_status(StatusCode::MISDIRECTED_REQUEST));
        }
    }
    let writes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if writes && is_from_foreign_page(server, request.headers()) {
        return Err(
            ApiError::bad_data("a web page of another site may not send this request")
                .with_status(StatusCode::FORBIDDEN),
        );
    }
    Ok(())
}

/// The host that was asked for, without port, an IPv6 address in its brackets.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let named = headers.get(header::HOST)?.to_str().ok()?;
    let authority = uri
        .authority()
        .map_or(named, |authority| authority.as_str());
    Some(without_port(authority))
}

fn without_port(authority: &str) -> &str {
    let port = authority
        .rfind(':')
        .filter(|colon| !authority[*colon..].contains(']'));
    port.map_or(authority, |colon| &authority[..colon])
}

/// An authority as browsers write it: without the port that its scheme has anyway.
fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

/// Whether it is asked how the server is: a busy server that did not answer that would be restarted.
pub(crate) fn is_probe(path: &str) -> bool {
    path.starts_with("/health") || matches!(path, "/-/healthy" | "/-/ready")
}

/// Refuses what a page of another site has sent, where [`guard`] is not enough: for a way that gives answers, since no
/// browser keeps those from it, and for one that destroys, since browsers leave out `Sec-Fetch-Site` where the address is
/// neither this machine's nor encrypted. `what` is that the page wants.
///
/// The ports count: what else listens on this machine is another site. Behind a proxy that does not pass on `Host`, or not
/// its port, the page's site is that of the external URL.
pub(crate) fn require_same_origin(
    server: &Server,
    headers: &HeaderMap,
    what: &str,
) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or("");
    if server.external_url().is_origin(origin) || is_named_origin(server, headers) {
        return Ok(());
    }
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let named = named.unwrap_or("");
    let (scheme, own) = origin.split_once("://").unwrap_or_default();
    let is_same =
        without_default_port(scheme, own).eq_ignore_ascii_case(without_default_port(scheme, named));
    if is_same && !named.is_empty() {
        return Ok(());
    }
    Err(ApiError::bad_data(format!(
        "a page of {origin:?} may not {what} of {named:?}: behind a proxy, external_url names the page's site"
    ))
    .with_status(StatusCode::FORBIDDEN))
}

/// Where people reach the server, if that is not its own address.
#[derive(Debug)]
pub(crate) struct ExternalUrl {
    /// Scheme, host and port, such as `https://watch.example.org`, as a browser writes it; empty if there is none.
    origin: String,
    /// The path below which we are found, from a slash to a slash.
    path: String,
}

impl ExternalUrl {
    /// Reads an absolute URL; of an empty one, or one without a host, nothing is known.
    pub(crate) fn new(url: &str) -> Self {
        let uri: Uri = url.parse().unwrap_or_default();
        let origin = match (uri.scheme_str(), uri.authority()) {
            (Some(scheme), Some(authority)) => {
                let authority = without_default_port(scheme, authority.as_str());
                format!("{scheme}://{authority}")
            }
            _ => String::new(),
        };
        let mut path = match origin.is_empty() {
            true => String::new(),
            false => uri.path().to_owned(),
        };
        // It stands in the attributes of a cookie.
        if !path.ends_with('/') || path.contains([';', ',']) {
            path = format!("{}/", path.split([';', ',']).next().unwrap_or(""));
        }
        Self { origin, path }
    }

    /// What stands before each of our paths where people reach them, such as `/campanile`; empty at the root.
    pub(crate) fn base_path(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// The path below which we are found, from a slash to a slash.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Scheme, host and port; none if they are not known.
    pub(crate) fn origin(&self) -> Option<&str> {
        (!self.origin.is_empty()).then_some(self.origin.as_str())
    }

    /// Whether a request asks for the very host of an `https://` address.
    pub(crate) fn is_secure_site(&self, headers: &HeaderMap) -> bool {
        let own = self.origin.strip_prefix("https://");
        let named = headers.get(header::HOST);
        let named = named.and_then(|host| host.to_str().ok());
        own.is_some_and(|own| {
            named
                .is_some_and(|named| without_default_port("https", named).eq_ignore_ascii_case(own))
        })
    }

    fn is_origin(&self, origin: &str) -> bool {
        !self.origin.is_empty() && self.origin.eq_ignore_ascii_case(origin)
    }

    fn host(&self) -> Option<&str> {
        let (_, authority) = self.origin.split_once("://")?;
        Some(without_port(authority))
    }
}

impl Default for ExternalUrl {
    fn default() -> Self {
        Self::new("")
    }
}

fn is_from_foreign_page(server: &Server, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    let is_foreign = site.is_some_and(|site| site == "cross-site" || site == "same-site");
    is_foreign && !is_named_origin(server, headers)
}

/// Whether it is a page of a site that `auth.cors_origins` names.
fn is_named_origin(server: &Server, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    origin.is_some_and(|origin| cors::allows(&server.cors_origins(), origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_without_its_port() {
        for (named, expected) in [
            ("localhost", "localhost"),
            ("localhost:9595", "localhost"),
            ("[::1]:9595", "[::1]"),
            ("[::1]", "[::1]"),
            ("evil.example:80", "evil.example"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, named.parse().unwrap());
            assert_eq!(host(&Uri::from_static("/"), &headers), Some(expected));
        }
        assert_eq!(host(&Uri::from_static("/"), &HeaderMap::new()), None);
    }
}
