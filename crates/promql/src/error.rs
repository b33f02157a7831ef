//! What can be wrong with a query, before and during its evaluation.

use model::SourceError;
use thiserror::Error;

use crate::{Position, Span};

/// A text that is no PromQL expression; shown as Prometheus shows it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{position}: parse error: {message}")]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Where the wrong part starts.
    pub position: Position,
    /// Where it ends.
    pub end: Position,
}

impl ParseError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            position: span.start,
            end: span.end,
        }
    }
}

/// Why an evaluation gives no answer.
#[derive(Debug, Error)]
pub enum EvalError {
    /// The expression is valid, but uses something that does not exist yet.
    #[error("{position}: {message}")]
    Unsupported {
        /// What is not there.
        message: String,
        /// Where it stands.
        position: Position,
    },
    /// The expression makes no sense here, whatever the data.
    #[error("{position}: {message}")]
    BadQuery {
        /// What is wrong.
        message: String,
        /// Where it stands.
        position: Position,
    },
    /// The data do not fit the expression, such as two series that become one.
    #[error("{message}")]
    Execution {
        /// What happened, in Prometheus' words.
        message: String,
        /// The expression that it is about.
        position: Position,
    },
    /// A limit was reached.
    #[error("{message}")]
    Limit {
        /// Which one.
        limit: QueryLimit,
        /// Its name, what was reached and how to raise it.
        message: String,
    },
    /// Someone asked to end the query.
    #[error("query was canceled in expression evaluation")]
    Cancelled,
    /// Its time was over.
    #[error("query timed out in expression evaluation")]
    TimedOut,
    /// The samples could not be read.
    #[error(transparent)]
    Source(SourceError),
}

/// What bounds a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryLimit {
    /// Samples that are held at once.
    Samples,
    /// Series that are selected, or held at once.
    Series,
    /// Bytes that the query holds at once.
    Memory,
    /// A limit of the source, such as the memory for all queries.
    Source,
}

impl EvalError {
    pub(crate) fn limit(limit: QueryLimit, message: String) -> Self {
        Self::Limit { limit, message }
    }

    pub(crate) fn unsupported(span: Span, message: impl Into<String>) -> Self {
        Self::Unsupported {
            message: message.into(),
            position: span.start,
        }
    }

    pub(crate) fn bad_query(span: Span, message: impl Into<String>) -> Self {
        Self::BadQuery {
            message: message.into(),
            position: span.start,
        }
    }

    pub(crate) fn execution(span: Span, message: impl Into<String>) -> Self {
        Self::Execution {
            message: message.into(),
            position: span.start,
        }
    }

    /// Two series of one vector have become one.
    pub(crate) fn same_labels(span: Span) -> Self {
        Self::execution(span, "vector cannot contain metrics with the same labelset")
    }
}

impl From<SourceError> for EvalError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Limit(text) => Self::limit(QueryLimit::Source, text),
            other => Self::Source(other),
        }
    }
}
