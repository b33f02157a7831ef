//! How many samples a query holds, and the limits on that: the query's own, and that of all questions together.

use std::cell::{Cell, RefCell};

use model::Reservation;

use crate::EvalError;

/// What a held sample takes: its value while it is computed with, its time and value in the answer.
const SAMPLE_BYTES: usize = 16;

/// What a held series takes beside: its labels, as a rule of its own, the entry in a list or a map, its allocations.
const COLUMN_BYTES: usize = 320;

/// Counts samples as they are read and held.
#[derive(Debug)]
pub(super) struct Budget {
    samples_max: usize,
    held: Cell<usize>,
    read: Cell<u64>,
    /// Memory for what is held.
    holding: RefCell<Reservation>,
    /// Memory for the samples of one series.
    reading: RefCell<Reservation>,
}

impl Budget {
    pub(super) fn new(samples_max: usize, memory: &model::Budget) -> Self {
        Self {
            samples_max,
            held: Cell::new(0),
            read: Cell::new(0),
            holding: RefCell::new(memory.reservation()),
            reading: RefCell::new(memory.reservation()),
        }
    }

    /// Accounts for samples of one series that were read; they are held only until the next.
    pub(super) fn read(&self, samples: usize) -> Result<(), EvalError> {
        self.read.set(self.read.get() + samples as u64);
        self.check(samples)?;
        let mut reading = self.reading.borrow_mut();
        Ok(reading.grow_to(samples.saturating_mul(SAMPLE_BYTES))?)
    }

    /// Accounts for series that stay in memory, with so many samples in all.
    pub(super) fn hold(&self, columns: usize, samples: usize) -> Result<(), EvalError> {
        self.check(samples)?;
        self.holding.borrow_mut().grow(bytes(columns, samples))?;
        self.held.set(self.held.get() + samples);
        Ok(())
    }

    /// Accounts for what was held and is dropped.
    pub(super) fn release(&self, columns: usize, samples: usize) {
        self.held.set(self.held.get().saturating_sub(samples));
        self.holding.borrow_mut().shrink(bytes(columns, samples));
    }

    pub(super) fn samples_read(&self) -> u64 {
        self.read.get()
    }

    /// The memory for what is still held, for whoever holds it from now on.
    pub(super) fn into_reservation(self) -> Reservation {
        self.holding.into_inner()
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

fn bytes(columns: usize, samples: usize) -> usize {
    let samples = samples.saturating_mul(SAMPLE_BYTES);
    samples.saturating_add(columns.saturating_mul(COLUMN_BYTES))
}

#[cfg(test)]
mod tests {
    use model::SourceError;

    use super::*;

    #[test]
    fn what_is_held_counts_in_the_memory_for_questions_until_the_answer_is_dropped() {
        let memory = model::Budget::new(10_000_000);
        let budget = Budget::new(usize::MAX, &memory);
        budget.hold(1_000, 100_000).unwrap();
        assert!(memory.reserved() >= 100_000 * SAMPLE_BYTES);
        budget.hold(1_000, 100_000).unwrap();
        budget.release(1_000, 100_000);
        let reservation = budget.into_reservation();
        assert_eq!(reservation.bytes(), bytes(1_000, 100_000));
        drop(reservation);
        assert_eq!(memory.reserved(), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_as_too_large_or_as_too_much_at_a_time() {
        let memory = model::Budget::new(10_000_000);
        let budget = Budget::new(usize::MAX, &memory);
        let refused = budget.hold(1, 1_000_000).unwrap_err();
        assert!(matches!(&refused, EvalError::Limit(text) if text.contains("limits.memory")));
        assert!(matches!(budget.read(1_000_000), Err(EvalError::Limit(_))));
        let mut others = memory.reservation();
        others.grow(8_000_000).unwrap();
        let refused = budget.hold(10_000, 10_000).unwrap_err();
        assert!(matches!(refused, EvalError::Source(SourceError::Busy(_))));
        drop(others);
        budget.hold(10_000, 10_000).unwrap();
    }
}
