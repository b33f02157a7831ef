//! What can go wrong while a machine is measured, in words that name the file, the line and the field.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use model::InvalidLabels;
use thiserror::Error;

/// Why a collector has nothing, or less than it should.
#[derive(Debug, Error)]
pub(crate) enum CollectError {
    /// This kernel does not offer what the collector reads; that is no fault.
    #[error("this kernel has no {}", path.display())]
    NoData {
        /// What was looked for.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Some lines of a file cannot be understood; the others were used.
    #[error("{} {first}{}", path.display(), and_more(*more))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The first fault.
        first: Problem,
        /// How many more there are.
        more: usize,
    },
    /// A value of a file cannot be a label.
    #[error("cannot label a point: {0}")]
    Labels(#[from] InvalidLabels),
    /// There was no answer in time; the call is still under way.
    #[error("no answer within {} s", deadline.as_secs_f64())]
    Missed {
        /// How long was waited.
        deadline: Duration,
    },
    /// The system had no thread for it.
    #[error("no thread could be started for it")]
    NotBegun,
    /// The collector has a bug.
    #[error("the collector panicked")]
    Panicked,
}

/// A fault in a text, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} field {field}: {message}")]
pub(crate) struct Problem {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The field in the line, from 1.
    pub(crate) field: usize,
    /// What is wrong.
    pub(crate) message: String,
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " (and 1 more problem)".to_owned(),
        more => format!(" (and {more} more problems)"),
    }
}
