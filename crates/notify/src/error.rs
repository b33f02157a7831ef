//! What can go wrong on the way to a person, and whether another attempt makes sense.

use std::time::Duration;

use thiserror::Error;

/// Why an attempt failed; its message holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SendError {
    /// What went wrong, for people.
    pub message: String,
    /// Whether another attempt makes sense.
    pub class: Class,
}

/// Whether another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may succeed later.
    Temporary {
        /// How long the other side asked to wait.
        retry_after: Option<Duration>,
    },
    /// The same message would be refused again.
    Permanent,
}

/// Why a notification cannot be made a message; the next attempt would end the same way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RenderError {
    /// What went wrong, for people.
    pub message: String,
}

impl SendError {
    pub(crate) fn temporary(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            class: Class::Temporary { retry_after: None },
        }
    }

    pub(crate) fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            class: Class::Permanent,
        }
    }
}

impl RenderError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { message }
    }
}
