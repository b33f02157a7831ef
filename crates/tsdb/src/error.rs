//! Why a store cannot be opened or closed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a store cannot be opened or closed.
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
        "{path} has format version {version}, this program reads version {known}: use a newer program"
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
    /// The log could not be written, earlier or now.
    #[error("cannot write to the log: {0}")]
    Log(String),
}
