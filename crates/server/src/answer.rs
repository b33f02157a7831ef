//! Finished answers: a body that is already in memory, and its type.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::error::{ApiError, ErrorType};

/// Bytes of a list in one answer. The store tells all that there is, which nothing else bounds.
pub(crate) const LIST_BYTES_MAX: usize = 64 << 20;

/// Whether a list that has grown to so many bytes may grow on; `by` names the parameters that make it shorter.
pub(crate) fn check_length(bytes: usize, bytes_max: usize, by: &str) -> Result<(), ApiError> {
    if bytes > bytes_max {
        return Err(ApiError::new(
            ErrorType::Execution,
            format!("the answer is longer than {bytes_max} bytes: ask for less with {by}"),
        ));
    }
    Ok(())
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: String) -> Response {
    typed(status, HeaderValue::from_static("application/json"), body)
}

/// An answer in plain text.
pub(crate) fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    typed(status, kind, body)
}

/// An answer of some other type.
pub(crate) fn typed(status: StatusCode, kind: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
