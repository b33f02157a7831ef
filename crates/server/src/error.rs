//! The one form in which a request is refused: Prometheus' `errorType` and a message, with the right HTTP status.

use std::time::Duration;

use access::StoreError;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::answer;
use crate::json;

/// Seconds after which to try again when the server has no room: most requests are answered by then.
const RETRY_SECONDS: u64 = 5;

/// Prometheus' words for what went wrong, and whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorType {
    BadData,
    Execution,
    Timeout,
    Canceled,
    Internal,
    Unavailable,
    /// Unavailable until someone allows it, so that nothing is won by trying again.
    Disabled,
    NotFound,
    /// Nobody knows who it is.
    Unauthorized,
    /// It is known who it is, and they may not.
    Forbidden,
    /// More than a limit of the rate allows.
    TooManyRequests,
}

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    kind: ErrorType,
    status: StatusCode,
    message: String,
    /// Seconds after which to try again.
    retry_after: Option<u64>,
}

impl ErrorType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
            Self::Unavailable | Self::Disabled => "unavailable",
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::TooManyRequests => "too_many_requests",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout | Self::Unavailable | Self::Disabled => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            // As Prometheus; nobody reads it, but it is counted.
            Self::Canceled => StatusCode::from_u16(499).expect("invariant: 499 is a valid status"),
        }
    }
}

impl ApiError {
    /// A refusal with the status that belongs to its type.
    pub(crate) fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            message: message.into(),
            retry_after: (kind == ErrorType::Unavailable).then_some(RETRY_SECONDS),
        }
    }

    /// The request is wrong.
    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorType::BadData, message)
    }

    /// A parameter is wrong.
    pub(crate) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {reason}"))
    }

    /// The server has no room now; the same request may succeed later.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Unavailable, message)
    }

    /// The server is at fault.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Internal, message)
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// It came too soon after others; the same request may succeed after `wait`.
    pub(crate) fn too_many_requests(message: impl Into<String>, wait: Duration) -> Self {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            retry_after: Some(whole.max(1)),
            ..Self::new(ErrorType::TooManyRequests, message)
        }
    }

    /// It does not fit what is there already.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::bad_data(message).with_status(StatusCode::CONFLICT)
    }

    /// There is nothing of this name.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorType::NotFound, message)
    }

    /// What is wrong and what would be right.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The status with which it is answered.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether it is of this type.
    pub(crate) fn is(&self, kind: ErrorType) -> bool {
        self.kind == kind
    }

    /// Its type as Prometheus names it.
    pub(crate) fn type_name(&self) -> &'static str {
        self.kind.as_str()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = String::from(r#"{"status":"error","errorType":""#);
        body.push_str(self.kind.as_str());
        body.push_str(r#"","error":"#);
        json::push_string(&mut body, &self.message);
        body.push('}');
        let mut response = answer::json(self.status, body);
        if let Some(seconds) = self.retry_after {
            let seconds = header::HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<model::SourceError> for ApiError {
    fn from(error: model::SourceError) -> Self {
        let kind = match error {
            model::SourceError::Storage(_) => ErrorType::Internal,
            model::SourceError::Limit(_) => ErrorType::Execution,
            model::SourceError::Busy(_) => ErrorType::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(_) => Self::not_found(error.to_string()),
            StoreError::Unavailable(_) => Self::unavailable(error.to_string()),
            StoreError::Exists(_)
            | StoreError::LastAdmin
            | StoreError::Stale
            | StoreError::Full(_) => Self::conflict(error.to_string()),
        }
    }
}
