//! How many samples a query holds, and the limit on that.

use std::cell::Cell;

use crate::EvalError;

/// Counts samples as they are read and held.
#[derive(Debug)]
pub(super) struct Budget {
    samples_max: usize,
    held: Cell<usize>,
    read: Cell<u64>,
}

impl Budget {
    pub(super) fn new(samples_max: usize) -> Self {
        Self {
            samples_max,
            held: Cell::new(0),
            read: Cell::new(0),
        }
    }

    /// Accounts for samples of one series that were read; they are held only until the next.
    pub(super) fn read(&self, samples: usize) -> Result<(), EvalError> {
        self.read.set(self.read.get() + samples as u64);
        self.check(samples)
    }

    /// Accounts for samples that stay in memory.
    pub(super) fn hold(&self, samples: usize) -> Result<(), EvalError> {
        self.check(samples)?;
        self.held.set(self.held.get() + samples);
        Ok(())
    }

    /// Accounts for samples that were held and are dropped.
    pub(super) fn release(&self, samples: usize) {
        self.held.set(self.held.get().saturating_sub(samples));
    }

    pub(super) fn samples_read(&self) -> u64 {
        self.read.get()
    }

    /// Whether so many more samples may be held for a moment.
    pub(super) fn check(&self, samples: usize) -> Result<(), EvalError> {
        let total = self.held.get().saturating_add(samples);
        if total <= self.samples_max {
            return Ok(());
        }
        Err(EvalError::Limit(format!(
            "query processing would load too many samples into memory: {total} samples, at most {} are allowed: raise query.max_samples",
            self.samples_max
        )))
    }
}
