//! The values of a scalar expression: one for each step, counted as held for as long as they exist.

use std::ops::{Deref, DerefMut};

use super::budget::Budget;
use super::column::Steps;
use crate::EvalError;

/// A scalar's value at each step.
#[derive(Debug)]
pub(super) struct Scalars<'b> {
    values: Vec<f64>,
    held: usize,
    budget: &'b Budget,
}

impl<'b> Scalars<'b> {
    /// Values by the time of their step in milliseconds.
    ///
    /// Errors: so many cannot be held.
    pub(super) fn new(
        budget: &'b Budget,
        steps: Steps,
        value: impl Fn(i64) -> f64,
    ) -> Result<Self, EvalError> {
        budget.hold(0, steps.count)?;
        Ok(Self {
            values: steps.iter().map(value).collect(),
            held: steps.count,
            budget,
        })
    }

    /// The values for somebody who accounts for them from now on.
    pub(super) fn into_values(mut self) -> Vec<f64> {
        std::mem::take(&mut self.values)
    }
}

impl Deref for Scalars<'_> {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.values
    }
}

impl DerefMut for Scalars<'_> {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }
}

impl Drop for Scalars<'_> {
    fn drop(&mut self) {
        self.budget.release(0, self.held);
    }
}
