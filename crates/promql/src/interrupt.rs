//! The handle with which someone outside ends a running evaluation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::EvalError;

/// Why an evaluation is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nobody wants the answer any more.
    Cancelled,
    /// The deadline has passed.
    TimedOut,
}

/// A flag that an evaluation polls; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicU8>);

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
            .compare_exchange(RUNNING, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// An error if somebody asked to stop.
    pub(crate) fn poll(&self) -> Result<(), EvalError> {
        match self.0.load(Ordering::Relaxed) {
            RUNNING => Ok(()),
            CANCELLED => Err(EvalError::Cancelled),
            _ => Err(EvalError::TimedOut),
        }
    }
}
