//! Pages of other sites that may read our answers: those that `auth.cors_origins` names, and no others.
//!
//! A browser asks first (the preflight) and reads only what the headers allow. Credentials come along, so there is no `*`:
//! whoever may is named. An origin that is not named gets no header, and so its page gets no answer.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use thiserror::Error;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::Server;

/// For so long a browser need not ask again, as the most of them allow at all.
const PREFLIGHT_KEPT: Duration = Duration::from_secs(7200);

/// What a page may read of an answer beside its body.
const EXPOSED: [HeaderName; 3] = [
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// Scheme, host and port of a site, as a browser writes them: `https://grafana.example.org`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebOrigin(Box<str>);

/// What is written is no origin.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{text:?} is no origin ({reason}); write scheme, host and port, such as https://grafana.example.org"
)]
pub struct InvalidOrigin {
    text: String,
    reason: &'static str,
}

impl WebOrigin {
    fn is(&self, origin: &str) -> bool {
        self.0.eq_ignore_ascii_case(origin)
    }
}

impl FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = |reason| {
            let text = text.to_owned();
            Err(InvalidOrigin { text, reason })
        };
        if text.contains('*') {
            return invalid("credentials come along, so each origin must be named");
        }
        let Ok(uri) = text.parse::<Uri>() else {
            return invalid("it is no URL");
        };
        let (Some(scheme @ ("http" | "https")), Some(authority)) =
            (uri.scheme_str(), uri.authority())
        else {
            return invalid("it begins with neither http:// nor https://");
        };
        let is_bare =
            matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('#');
        if !is_bare || authority.as_str().contains('@') {
            return invalid("it has more than scheme, host and port");
        }
        let default = if scheme == "http" { ":80" } else { ":443" };
        let authority = authority.as_str();
        let authority = authority.strip_suffix(default).unwrap_or(authority);
        let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
        Ok(Self(origin.into()))
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a page of this origin may read answers.
pub(crate) fn allows(origins: &[WebOrigin], origin: &HeaderValue) -> bool {
    let origin = origin.to_str().unwrap_or("");
    origins.iter().any(|known| known.is(origin))
}

/// Answers preflights, and marks the answers that named origins may read.
pub(crate) fn layer(server: Server) -> CorsLayer {
    let named = AllowOrigin::predicate(move |origin, _| allows(&server.cors_origins(), origin));
    CorsLayer::new()
        .allow_origin(named)
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_ENCODING,
            header::CONTENT_TYPE,
            HeaderName::from_static("x-requested-with"),
        ])
        .expose_headers(EXPOSED)
        .max_age(PREFLIGHT_KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_a_browser_writes_it() {
        for (text, shown) in [
            ("https://Grafana.example.org", "https://grafana.example.org"),
            (
                "https://grafana.example.org/",
                "https://grafana.example.org",
            ),
            ("https://a.example.org:443", "https://a.example.org"),
            ("http://a.example.org:3000", "http://a.example.org:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            let origin: WebOrigin = text.parse().unwrap();
            assert_eq!(origin.to_string(), shown);
            assert!(allows(&[origin], &HeaderValue::from_str(shown).unwrap()));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "*",
            "null",
            "",
            "grafana.example.org",
            "https://*.example.org",
            "ftp://a.example.org",
            "https://a.example.org/path",
            "https://a.example.org?x",
            "https://u:p@a.example.org",
        ] {
            let error = text.parse::<WebOrigin>().unwrap_err().to_string();
            assert!(error.contains("write scheme, host and port"), "{error}");
        }
    }
}
