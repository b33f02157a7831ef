//! The handle with which someone outside ends a running evaluation, and sees how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::EvalError;

/// Why an evaluation is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nobody wants the answer any more.
    Cancelled,
    /// The deadline has passed.
    TimedOut,
}

/// A flag that an evaluation polls; clones share it. It also tells what the evaluation has used so far.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    code: AtomicU8,
    samples_read: AtomicU64,
    series: AtomicUsize,
    bytes_peak: AtomicUsize,
}

/// What the evaluations with one handle have used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Samples that were read from the source.
    pub samples_read: u64,
    /// Series that were selected.
    pub series: usize,
    /// Bytes that were held at once, at most.
    pub bytes_peak: usize,
}

const RUNNING: u8 = 0;
const CANCELLED: u8 = 1;
const TIMED_OUT: u8 = 2;

impl Interrupt {
    /// A handle that lets evaluations run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the evaluations that hold this handle to end; the first reason stands.
    pub fn stop(&self, reason: Stop) {
        let code = match reason {
            Stop::Cancelled => CANCELLED,
            Stop::TimedOut => TIMED_OUT,
        };
        // A failure means that a reason is there already.
        let _ = self
            .0
            .code
            .compare_exchange(RUNNING, code, Relaxed, Relaxed);
    }

    /// What was used so far, to be looked at while it runs or after.
    pub fn progress(&self) -> Progress {
        Progress {
            samples_read: self.0.samples_read.load(Relaxed),
            series: self.0.series.load(Relaxed),
            bytes_peak: self.0.bytes_peak.load(Relaxed),
        }
    }

    /// An error if somebody asked to stop.
    pub(crate) fn poll(&self) -> Result<(), EvalError> {
        match self.0.code.load(Relaxed) {
            RUNNING => Ok(()),
            CANCELLED => Err(EvalError::Cancelled),
            _ => Err(EvalError::TimedOut),
        }
    }

    pub(crate) fn count_samples(&self, samples: usize) {
        self.0.samples_read.fetch_add(samples as u64, Relaxed);
    }

    pub(crate) fn count_series(&self, series: usize) {
        self.0.series.fetch_add(series, Relaxed);
    }

    pub(crate) fn note_bytes(&self, bytes: usize) {
        self.0.bytes_peak.fetch_max(bytes, Relaxed);
    }
}
