//! Why the log could not be written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the log could not be written; everyone who waits gets the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot {action} {path}: {reason}")]
pub(crate) struct LogFailure {
    /// What was tried.
    pub(crate) action: &'static str,
    /// With which file.
    pub(crate) path: PathBuf,
    /// What to make of it.
    pub(crate) kind: FailureKind,
    /// What the system said.
    pub(crate) reason: String,
}

/// What a caller can do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The disk is full: less is to be kept.
    Full,
    /// The device failed.
    Device,
    /// Anything else.
    Other,
}

/// The number of an I/O error in Linux; std has no kind for it.
const EIO: i32 = 5;

impl LogFailure {
    pub(super) fn new(action: &'static str, path: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FailureKind::Full,
            _ if error.raw_os_error() == Some(EIO) => FailureKind::Device,
            _ => FailureKind::Other,
        };
        Self {
            action,
            path: path.to_owned(),
            kind,
            reason: error.to_string(),
        }
    }
}
