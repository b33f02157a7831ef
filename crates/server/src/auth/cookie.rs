//! The cookies that we give a browser: never read by scripts, never sent from other sites' forms, and only below our own path.

use std::time::Duration;

use axum::http::{Extensions, HeaderMap, HeaderValue, header};

use crate::Server;
use crate::origin::RequestOrigin;

/// The cookie of a session.
const SESSION: &str = "campanile_session";

/// Bytes of a cookie's value beyond which it is none of ours.
const VALUE_BYTES_MAX: usize = 256;

/// Whether a request came encrypted, to us or to a trusted proxy.
pub(crate) fn is_https(extensions: &Extensions) -> bool {
    let origin = extensions.get::<RequestOrigin>();
    origin.is_some_and(|origin| origin.is_https)
}

/// The value of the session's cookie; the first counts if there are several.
pub(crate) fn session(headers: &HeaderMap) -> Option<String> {
    value(headers, SESSION)
}

/// The value of a cookie.
pub(crate) fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    (value.len() <= VALUE_BYTES_MAX).then(|| value.to_owned())
}

/// A header that gives a browser the cookie of a session for as long as one may stay unused.
pub(crate) fn enter(server: &Server, extensions: &Extensions, token: &str) -> HeaderValue {
    let keep = server.access().settings().session_lifetime;
    set(server, extensions, SESSION, token, keep, "")
}

/// A header that takes it away again.
pub(crate) fn leave(server: &Server, extensions: &Extensions) -> HeaderValue {
    set(server, extensions, SESSION, "", Duration::ZERO, "")
}

/// A header that sets a cookie for so long, below `below` of our own path (such as `auth/oidc`); a time of zero deletes it.
///
/// `Lax`, not `Strict`: with that, a link in a mail would lead to the login. What writes is guarded by the origin besides.
pub(crate) fn set(
    server: &Server,
    extensions: &Extensions,
    name: &str,
    value: &str,
    keep: Duration,
    below: &str,
) -> HeaderValue {
    let external = server.external_url();
    let mut text = format!("{name}={value}; Path={}{below}", external.path());
    text.push_str("; HttpOnly; SameSite=Lax; Max-Age=");
    text.push_str(&keep.as_secs().to_string());
    if is_https(extensions) {
        text.push_str("; Secure");
    }
    HeaderValue::try_from(text)
        .expect("invariant: names, secrets and paths of URLs are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            "a=1; xcampanile_session=no".parse().unwrap(),
        );
        assert_eq!(session(&headers), None);
        headers.append(
            header::COOKIE,
            "b; campanile_session=yes; c=3".parse().unwrap(),
        );
        headers.append(header::COOKIE, "campanile_session=late".parse().unwrap());
        assert_eq!(session(&headers).as_deref(), Some("yes"));
        let long = format!("campanile_session={}", "x".repeat(300));
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, long.parse().unwrap());
        assert_eq!(session(&headers), None);
    }
}
