//! One request of a check: the first, or one that follows a redirect. Redirects are followed as browsers do.
//!
//! Secrets stay at home: what the user has written into the request, headers and body, is not told to another host, nor in
//! clear text after https, not even when a later redirect leads back.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST,
    HeaderMap, HeaderName, HeaderValue, PRAGMA, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use uptime::HttpCheck;

use super::fault::Fault;
use super::reference;
use super::target::Target;

/// Headers of the user that hold no secret and go along to any host.
const HARMLESS: [HeaderName; 6] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    PRAGMA,
    USER_AGENT,
];

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("campanile/", env!("CARGO_PKG_VERSION")));

/// Bodies are wanted as they are: a keyword cannot be found in a compressed one.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// A request that is to be made.
#[derive(Debug)]
pub(crate) struct Hop<'a> {
    check: &'a HttpCheck,
    url: Uri,
    pub(crate) target: Target,
    pub(crate) method: Method,
    /// Whether the user's headers come along that may be secrets.
    is_trusted: bool,
    has_body: bool,
}

impl<'a> Hop<'a> {
    /// The request that the monitor asks for; none if its URL is no absolute one of http or https.
    pub(crate) fn first(check: &'a HttpCheck) -> Option<Self> {
        Some(Self {
            check,
            url: check.url.clone(),
            target: Target::of(&check.url)?,
            method: check.method.clone(),
            is_trusted: true,
            has_body: !check.body.is_empty(),
        })
    }

    /// Where an answer sends us; none if it is no redirect.
    pub(crate) fn location(status: StatusCode, headers: &HeaderMap) -> Option<&HeaderValue> {
        let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
        headers.get(http::header::LOCATION).filter(|_| is_redirect)
    }

    /// The request that follows a redirect.
    ///
    /// Errors: what cannot or must not be followed.
    pub(crate) fn follow(&self, status: StatusCode, location: &HeaderValue) -> Result<Self, Fault> {
        let from = &self.target;
        let refuse = |why: &str| Err(Fault::target(format!("{from} redirects {why}")));
        let Some(url) = reference::resolve(&self.url, location.as_bytes()) else {
            return refuse("to something that is no URL");
        };
        let Some(target) = Target::of(&url) else {
            return refuse("to a URL that is neither http nor https");
        };
        let becomes_get = match status.as_u16() {
            301 | 302 => self.method == Method::POST,
            303 => self.method != Method::HEAD && self.method != Method::GET,
            _ => false,
        };
        let is_trusted = self.is_trusted && target.may_share_secrets_of(from);
        let has_body = self.has_body && !becomes_get;
        if has_body && !is_trusted {
            return refuse(&format!(
                "a request with a body to {target}; a body is not told to another host, so this is not followed"
            ));
        }
        let method = if becomes_get {
            Method::GET
        } else {
            self.method.clone()
        };
        Ok(Self {
            check: self.check,
            url,
            target,
            method,
            is_trusted,
            has_body,
        })
    }

    /// The request as it is sent.
    ///
    /// Errors: a host that cannot stand in a header.
    pub(crate) fn request(&self) -> Result<Request<Full<Bytes>>, Fault> {
        let body = if self.has_body {
            Full::from(self.check.body.clone())
        } else {
            Full::default()
        };
        let path = self.url.path_and_query().cloned();
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        let headers = request.headers_mut();
        headers.reserve(6 + self.check.headers.len());
        for (name, value) in &self.check.headers {
            let is_of_body = name == CONTENT_TYPE && !self.has_body && !self.check.body.is_empty();
            let is_told = self.is_trusted || HARMLESS.contains(name);
            if is_told && !is_of_body {
                headers.append(name, value.clone());
            }
        }
        if !headers.contains_key(HOST) {
            let host = self.target.host_header();
            let host =
                host.ok_or_else(|| Fault::target(format!("{} is no name of a host", self.target)))?;
            headers.insert(HOST, host);
        }
        headers.entry(USER_AGENT).or_insert(AGENT);
        headers.entry(ACCEPT).or_insert(ANYTHING);
        headers.entry(ACCEPT_ENCODING).or_insert(IDENTITY);
        headers.insert(CONNECTION, CLOSE);
        Ok(request)
    }
}

#[cfg(test)]
mod tests;
