//! How often somebody may ask: so many requests in a second, minute or hour, and as many at once.
//!
//! There are three classes, since they cost different things: logins cost guesses at passwords, ingestion costs disk, queries
//! cost memory. Who has shown credentials is counted as who he is, wherever he comes from; everybody else by his address, and
//! at a login everybody is. The ports of a house share an address, so what everybody may do there is not little.

mod limiter;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use access::Subject;
use arc_swap::ArcSwap;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse as _, Response};
use thiserror::Error;

use crate::auth::visitor::Visitor;
use crate::error::ApiError;
use crate::origin::{RequestOrigin, neighbourhood};
pub(crate) use limiter::Verdict;
use limiter::{Key, Limiter, Who};

/// So many requests in so much time, and as many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

/// What is written is no rate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no rate; write for example 10/s, 600/m or 5/h, or 0 for none")]
pub struct InvalidRate(String);

/// The rate of each class; none is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Attempts to log in, by address.
    pub login: Option<Rate>,
    /// Write requests, by token or user, else by address.
    pub ingest: Option<Rate>,
    /// Queries, by token or user, else by address.
    pub query: Option<Rate>,
}

impl Default for RateLimits {
    /// Logins are slowed where somebody guesses and not where somebody mistypes; the rest has limits of its own, on what
    /// runs at once.
    fn default() -> Self {
        Self {
            login: Some(Rate {
                count: 10,
                period: Duration::from_secs(60),
            }),
            ingest: None,
            query: None,
        }
    }
}

impl Rate {
    /// Reads `10/s`, `600/m` or `5/h`; none for `0`, which is no limit.
    ///
    /// Errors: anything else, and more than 1,000,000 in a period.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidRate> {
        let invalid = || InvalidRate(text.to_owned());
        if text == "0" {
            return Ok(None);
        }
        let (count, unit) = text.split_once('/').ok_or_else(invalid)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(invalid()),
        };
        let is_number = count.bytes().all(|digit| digit.is_ascii_digit());
        let count: u32 = count.parse().map_err(|_| invalid())?;
        if !is_number || !(1..=1_000_000).contains(&count) {
            return Err(invalid());
        }
        let period = Duration::from_secs(seconds);
        Ok(Some(Self { count, period }))
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        Self::parse(text)?.ok_or_else(|| InvalidRate(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.period.as_secs() {
            1 => 's',
            60 => 'm',
            _ => 'h',
        };
        write!(formatter, "{}/{unit}", self.count)
    }
}

/// What a request costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Login,
    Ingest,
    Query,
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Login, Self::Ingest, Self::Query];

    /// The class of a route; none for what is not limited.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        if let Some(way) = path.strip_prefix("/auth/") {
            let tries = match *method {
                Method::GET => way.starts_with("link/") || way == "oidc/callback",
                _ => matches!(way, "login" | "session" | "password"),
            };
            return tries.then_some(Self::Login);
        }
        if path == "/federate" {
            return Some(Self::Query);
        }
        let api = path.strip_prefix("/api/v1/")?;
        match api {
            "write" | "metrics/ingest" | "metrics/batch" => Some(Self::Ingest),
            "query" | "query_range" | "query_exemplars" | "series" | "labels" | "read"
            | "format_query" | "parse_query" | "explain_query" => Some(Self::Query),
            _ if api.starts_with("label/") => Some(Self::Query),
            _ if api.starts_with("metrics/query/") || api.starts_with("metrics/latest/") => {
                Some(Self::Query)
            }
            _ => None,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Ingest => "ingest",
            Self::Query => "query",
        }
    }
}

/// The rates, and how much of them everybody has used.
#[derive(Default)]
pub(crate) struct Rates {
    limits: ArcSwap<RateLimits>,
    limiter: Limiter,
}

impl Rates {
    pub(crate) fn set(&self, limits: RateLimits) {
        self.limits.store(Arc::new(limits));
    }

    /// Whether a request may be answered now; none if no limit is on it.
    pub(crate) fn judge(&self, class: Class, request: &Request, now: Duration) -> Option<Verdict> {
        let limits = self.limits.load();
        let rate = match class {
            Class::Login => limits.login,
            Class::Ingest => limits.ingest,
            Class::Query => limits.query,
        }?;
        let who = who(class, request);
        Some(self.limiter.judge(Key { class, who }, rate, now))
    }
}

fn who(class: Class, request: &Request) -> Who {
    let extensions = request.extensions();
    if class != Class::Login {
        let visitor = extensions.get::<Visitor>();
        match visitor.map(|visitor| &visitor.principal.subject) {
            Some(Subject::User(name)) => return Who::User(name.to_string().into()),
            Some(Subject::Token { id, .. }) => return Who::Token(Arc::clone(id)),
            _ => {}
        }
    }
    let origin = extensions.get::<RequestOrigin>();
    let address: Option<IpAddr> = origin.and_then(|origin| origin.address);
    Who::Address(address.map(neighbourhood))
}

impl Verdict {
    /// The answer to a request that comes too early.
    pub(crate) fn refusal(&self, class: Class) -> Response {
        let wait = self.retry_after.unwrap_or_default();
        let seconds = wait.as_nanos().div_ceil(1_000_000_000);
        let message = format!(
            "more than {} of class {}: try again in {seconds} s",
            self.rate,
            class.as_str()
        );
        let mut response = ApiError::too_many_requests(message, wait).into_response();
        self.describe(&mut response);
        response
    }

    /// Says how much is left, under the names of the draft and those that came before it.
    pub(crate) fn describe(&self, response: &mut Response) {
        let reset = self.reset.as_nanos().div_ceil(1_000_000_000) as u64;
        let headers = response.headers_mut();
        for (name, old, value) in [
            (
                "ratelimit-limit",
                "x-ratelimit-limit",
                u64::from(self.rate.count),
            ),
            (
                "ratelimit-remaining",
                "x-ratelimit-remaining",
                u64::from(self.remaining),
            ),
            ("ratelimit-reset", "x-ratelimit-reset", reset),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
            headers.insert(HeaderName::from_static(old), HeaderValue::from(value));
        }
    }
}

#[cfg(test)]
mod tests;
