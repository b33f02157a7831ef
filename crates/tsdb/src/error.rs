//! Why a store cannot be opened, changed or closed.

use std::io;
use std::path::PathBuf;

use model::{AppendError, StorageError};
use thiserror::Error;

use crate::log::LogFailure;

/// Why a store cannot be opened, changed or closed.
#[derive(Debug, Error)]
pub enum Error {
    /// Another process has the directory open.
    #[error("{path} is in use by another server: stop it, or choose another data_dir")]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// A file was written by a version that this one does not know.
    #[error(
        "{path} has format version {version}, this program reads version {known}: use the program that wrote it, or move the file away"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The version that is known.
        known: u32,
    },
    /// The disk refused.
    #[error("cannot {action} {path}: {source}")]
    Disk {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is almost full; the rest is kept for retention and merging.
    #[error(
        "disk of {path} is almost full: {free} bytes are free, {needed} are needed to take samples"
    )]
    Full {
        /// A directory on it.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
    },
    /// A block is broken.
    #[error("{0}")]
    Block(String),
    /// The log could not be written, earlier or now.
    #[error("{0}")]
    Log(String),
    /// The store was closed, or is being closed.
    #[error("the store is closed")]
    Closed,
    /// It cannot be done as it was asked for.
    #[error("{0}")]
    Refused(String),
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Storage(reason) | AppendError::TooLarge(reason) => Self::Log(reason),
        }
    }
}

impl From<LogFailure> for Error {
    fn from(failure: LogFailure) -> Self {
        Self::Log(failure.to_string())
    }
}

impl From<Error> for StorageError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(reason) => Self::Refused(reason),
            error => Self::Storage(error.to_string()),
        }
    }
}
