//! The one form in which a request is refused: Prometheus' `errorType` and a message, with the right HTTP status.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::answer;
use crate::json;

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
}

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    kind: ErrorType,
    status: StatusCode,
    message: String,
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
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout | Self::Unavailable | Self::Disabled => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
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

    /// What is wrong and what would be right.
    pub(crate) fn message(&self) -> &str {
        &self.message
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
        if self.kind == ErrorType::Unavailable {
            let seconds = header::HeaderValue::from_static("5");
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
