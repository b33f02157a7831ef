//! How many samples a query holds, and the limits on that: the query's own, and that of all questions together.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Reservation;

use super::column::Column;
use crate::{EvalError, Interrupt, Limits, QueryLimit};

/// What a held sample takes: its value while it is computed with, its time and value in the answer.
const SAMPLE_BYTES: usize = 16;

/// What a held series takes beside: its labels, as a rule of its own, the entry in a list or a map, its allocations.
const COLUMN_BYTES: usize = 320;

/// The part of it that is for the labels.
const LABELS_BYTES: usize = 200;

/// Counts samples as they are read and held, by any thread.
#[derive(Debug)]
pub(super) struct Budget {
    samples_max: usize,
    series_max: usize,
    bytes_max: usize,
    held: AtomicUsize,
    series: AtomicUsize,
    /// Bytes of what is held, and of what is selected.
    bytes: AtomicUsize,
    read: AtomicU64,
    /// Who wants to know how much it is.
    interrupt: Interrupt,
    /// Memory for what is held.
    holding: Mutex<Reservation>,
    memory: model::Budget,
}

/// Something that is held; dropping it gives the memory back.
#[derive(Debug)]
pub(super) struct Held<'b> {
    budget: &'b Budget,
    series: usize,
    samples: usize,
    /// Bytes of what is neither.
    others: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits, memory: &model::Budget, interrupt: &Interrupt) -> Self {
        Self {
            samples_max: limits.samples_max,
            series_max: limits.series_max,
            bytes_max: limits.bytes_max,
            held: AtomicUsize::new(0),
            series: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            interrupt: interrupt.clone(),
            read: AtomicU64::new(0),
            holding: Mutex::new(memory.reservation()),
            memory: memory.clone(),
        }
    }

    /// Memory for the samples of one series, for a thread that reads one after another.
    pub(super) fn reading(&self) -> Reservation {
        self.memory.reservation()
    }

    /// Accounts for samples of one series that were read, which are held only until the next, and for what takes as
    /// much memory as so many more.
    pub(super) fn read(
        &self,
        samples: usize,
        beside: usize,
        reading: &mut Reservation,
    ) -> Result<(), EvalError> {
        self.read.fetch_add(samples as u64, Relaxed);
        self.interrupt.count_samples(samples);
        self.check(samples)?;
        self.reads(samples.saturating_add(beside), reading)
    }

    /// Accounts for samples of one series that were computed, and not read; they too are held only until the next.
    pub(super) fn reads(&self, samples: usize, reading: &mut Reservation) -> Result<(), EvalError> {
        let bytes = samples.saturating_mul(SAMPLE_BYTES);
        self.check_bytes(bytes)?;
        Ok(reading.grow_to(bytes)?)
    }

    /// Accounts for series that the source has selected in all selections so far; it holds their memory itself.
    pub(super) fn selected(
        &self,
        series: usize,
        all: usize,
        bytes: usize,
    ) -> Result<(), EvalError> {
        self.interrupt.count_series(series);
        self.check_series("select", all)?;
        self.check_bytes(bytes)?;
        self.bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }

    /// Nothing held yet.
    pub(super) fn nothing(&self) -> Held<'_> {
        Held {
            budget: self,
            series: 0,
            samples: 0,
            others: 0,
        }
    }

    pub(super) fn samples_read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// The memory for what is still held, for whoever holds it from now on.
    pub(super) fn into_reservation(self) -> Reservation {
        self.holding
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many more samples may be held for a moment.
    pub(super) fn check(&self, samples: usize) -> Result<(), EvalError> {
        let total = self.held.load(Relaxed).saturating_add(samples);
        if total > self.samples_max {
            let message = format!(
                "query processing would load too many samples into memory: {total} samples, at most {} are allowed: raise query.max_samples",
                self.samples_max
            );
            return Err(EvalError::limit(QueryLimit::Samples, message));
        }
        Ok(())
    }

    fn check_series(&self, verb: &str, series: usize) -> Result<(), EvalError> {
        if self.series_max > 0 && series > self.series_max {
            let message = format!(
                "query processing would {verb} too many series: {series} series, at most {} are allowed: name more labels, or raise query.max_series",
                self.series_max
            );
            return Err(EvalError::limit(QueryLimit::Series, message));
        }
        Ok(())
    }

    fn check_bytes(&self, more: usize) -> Result<(), EvalError> {
        let bytes = self.bytes.load(Relaxed).saturating_add(more);
        if self.bytes_max > 0 && bytes > self.bytes_max {
            let message = format!(
                "query processing would hold too much in memory: {bytes} bytes, at most {} are allowed: ask for fewer series or a shorter range, or raise query.max_memory",
                self.bytes_max
            );
            return Err(EvalError::limit(QueryLimit::Memory, message));
        }
        self.interrupt.note_bytes(bytes);
        Ok(())
    }

    fn holding(&self) -> MutexGuard<'_, Reservation> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Accounts for series that stay in memory, with so many samples in all.
    ///
    /// Errors: they are more than may be held, and nothing has changed.
    pub(super) fn add(&mut self, series: usize, samples: usize) -> Result<(), EvalError> {
        let budget = self.budget;
        budget.check(samples)?;
        budget.check_series("hold", budget.series.load(Relaxed).saturating_add(series))?;
        self.grow(bytes(series, samples))?;
        budget.held.fetch_add(samples, Relaxed);
        budget.series.fetch_add(series, Relaxed);
        self.series += series;
        self.samples += samples;
        Ok(())
    }

    /// Accounts for a series that stays in memory, with its values and labels.
    ///
    /// Errors: as [`Held::add`].
    pub(super) fn add_column(&mut self, column: &Column) -> Result<(), EvalError> {
        self.add(1, column.weight())?;
        // Usual labels are among what each column takes; functions can make long ones.
        let labels = column.labels.as_packed().len();
        match labels.checked_sub(LABELS_BYTES) {
            Some(long) => self.add_bytes(long),
            None => Ok(()),
        }
    }

    /// Accounts for something else that stays in memory.
    ///
    /// Errors: as [`Held::add`].
    pub(super) fn add_bytes(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.grow(bytes)?;
        self.others += bytes;
        Ok(())
    }

    fn grow(&self, bytes: usize) -> Result<(), EvalError> {
        let budget = self.budget;
        budget.check_bytes(bytes)?;
        budget.holding().grow(bytes)?;
        budget.bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }

    /// Leaves it held as long as the answer is.
    pub(super) fn keep(mut self) {
        self.series = 0;
        self.samples = 0;
        self.others = 0;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let bytes = bytes(self.series, self.samples).saturating_add(self.others);
        if bytes == 0 {
            return;
        }
        self.budget.held.fetch_sub(self.samples, Relaxed);
        self.budget.series.fetch_sub(self.series, Relaxed);
        self.budget.bytes.fetch_sub(bytes, Relaxed);
        self.budget.holding().shrink(bytes);
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

    fn budget(memory: &model::Budget, limits: Limits) -> Budget {
        Budget::new(&limits, memory, &Interrupt::new())
    }

    #[test]
    fn what_is_held_counts_in_the_memory_for_questions_until_the_answer_is_dropped() {
        let memory = model::Budget::new(10_000_000);
        let budget = budget(&memory, Limits::default());
        let mut kept = budget.nothing();
        kept.add(1_000, 100_000).unwrap();
        assert!(memory.reserved() >= 100_000 * SAMPLE_BYTES);
        let mut dropped = budget.nothing();
        dropped.add(1_000, 100_000).unwrap();
        drop(dropped);
        kept.keep();
        let reservation = budget.into_reservation();
        assert_eq!(reservation.bytes(), bytes(1_000, 100_000));
        drop(reservation);
        assert_eq!(memory.reserved(), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_as_too_large_or_as_too_much_at_a_time() {
        let memory = model::Budget::new(10_000_000);
        let budget = budget(&memory, Limits::default());
        let refused = budget.nothing().add(1, 1_000_000).unwrap_err();
        assert!(refused.to_string().contains("limits.memory"));
        let read = budget.read(1_000_000, 0, &mut budget.reading());
        assert!(matches!(read, Err(EvalError::Limit { .. })));
        let mut others = memory.reservation();
        others.grow(6_000_000).unwrap();
        let refused = budget.nothing().add(10_000, 10_000).unwrap_err();
        assert!(matches!(refused, EvalError::Source(SourceError::Busy(_))));
        drop(others);
        budget.nothing().add(10_000, 10_000).unwrap();
    }

    #[test]
    fn each_limit_of_a_query_is_named_when_it_is_reached() {
        let memory = model::Budget::default();
        for (limits, key) in [
            (
                Limits {
                    samples_max: 10,
                    ..Limits::default()
                },
                "query.max_samples",
            ),
            (
                Limits {
                    series_max: 1,
                    ..Limits::default()
                },
                "query.max_series",
            ),
            (
                Limits {
                    bytes_max: 700,
                    ..Limits::default()
                },
                "query.max_memory",
            ),
        ] {
            let budget = budget(&memory, limits);
            let mut held = budget.nothing();
            held.add(1, 8).unwrap();
            let refused = held.add(1, 8).unwrap_err().to_string();
            assert!(refused.contains(key), "{refused}");
        }
    }
}
