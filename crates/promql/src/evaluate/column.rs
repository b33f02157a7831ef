//! The steps of a query, and the values of one series at them.

use std::collections::HashMap;

use model::{Labels, NAME, SampleColumns, is_stale, stale_marker};

use crate::{EvalError, Span};

/// Stands where a series has no value; no computation yields the stale marker's bits.
pub(super) const ABSENT: f64 = stale_marker();

/// Whether a value of a column is one.
pub(super) fn is_present(value: f64) -> bool {
    !is_stale(value)
}

/// Moments at equal distances, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) start: i64,
    pub(super) step: i64,
    pub(super) count: usize,
}

impl Steps {
    pub(super) fn single(at: i64) -> Self {
        Self {
            start: at,
            step: 1,
            count: 1,
        }
    }

    /// From `start` up to `end` inclusive; none if it lies before.
    pub(super) fn range(start: i64, end: i64, step: i64) -> Self {
        let step = step.max(1);
        let count = if end < start {
            0
        } else {
            usize::try_from(end.abs_diff(start) / step.unsigned_abs()).unwrap_or(usize::MAX - 1) + 1
        };
        Self { start, step, count }
    }

    pub(super) fn first_only(self) -> Self {
        Self { count: 1, ..self }
    }

    pub(super) fn at(self, index: usize) -> i64 {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        self.start.saturating_add(self.step.saturating_mul(index))
    }

    pub(super) fn last(self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |index| self.at(index))
    }
}

/// The values of one series, one for each step.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) labels: Labels,
    /// A value or [`ABSENT`].
    pub(super) values: Vec<f64>,
}

impl Column {
    pub(super) fn has_values(&self) -> bool {
        self.values.iter().any(|value| is_present(*value))
    }

    /// The values that are there, with their times.
    pub(super) fn samples(&self, steps: Steps) -> SampleColumns {
        let mut samples = SampleColumns::default();
        for (timestamp, value) in steps.iter().zip(&self.values) {
            if is_present(*value) {
                samples.push(timestamp, *value);
            }
        }
        samples
    }
}

/// The labels without the metric's name.
pub(super) fn without_name(labels: &Labels) -> Labels {
    if labels.get(NAME).is_none() {
        return labels.clone();
    }
    labels.filtered(|name| name != NAME)
}

/// Puts columns of equal labels together and leaves out those without values.
///
/// Errors: two of them have a value at the same step.
pub(super) fn merge(columns: Vec<Column>, span: Span) -> Result<Vec<Column>, EvalError> {
    let mut merged: Vec<Column> = Vec::with_capacity(columns.len());
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(columns.len());
    for column in columns {
        if !column.has_values() {
            continue;
        }
        let next = merged.len();
        let place = *places.entry(column.labels.clone()).or_insert(next);
        if place == next {
            merged.push(column);
            continue;
        }
        for (present, value) in merged[place].values.iter_mut().zip(column.values) {
            if !is_present(value) {
                continue;
            }
            if is_present(*present) {
                return Err(EvalError::same_labels(span));
            }
            *present = value;
        }
    }
    Ok(merged)
}
