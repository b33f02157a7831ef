//! The headers that tell a browser what it must not do with an answer, whatever the answer is.
//!
//! A handler that sets one of them by itself knows better: the pages have a content policy of their own, and files that
//! never change may be kept. What says nothing else is kept by nobody, since it may be for one person only.

use std::time::Duration;

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What every answer gets that has not set it itself.
const ALWAYS: [(HeaderName, &str); 8] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    // Nothing of it is an active document but the pages.
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), \
         midi=(), payment=(), usb=()",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Adds them; under https also for how long a browser is to come by https only, unless that is zero.
pub(crate) fn set(headers: &mut HeaderMap, hsts: Option<Duration>) {
    for (name, value) in &ALWAYS {
        let value = HeaderValue::from_static(value);
        headers.entry(name).or_insert(value);
    }
    let hsts = hsts.filter(|max_age| !max_age.is_zero());
    if let Some(max_age) = hsts
        && let Ok(value) = HeaderValue::try_from(format!("max-age={}", max_age.as_secs()))
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}
