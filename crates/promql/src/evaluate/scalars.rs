//! The values of a scalar expression: one for each step, counted as held for as long as they exist.

use std::ops::{Deref, DerefMut};

use super::budget::{Budget, Held};
use crate::EvalError;
use crate::plan::Steps;

/// A scalar's value at each step.
#[derive(Debug)]
pub(super) struct Scalars<'b> {
    values: Vec<f64>,
    held: Held<'b>,
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
        let mut held = budget.nothing();
        held.add(0, steps.count)?;
        let values = steps.iter().map(value).collect();
        Ok(Self { values, held })
    }

    /// The values, held until the answer is dropped.
    pub(super) fn into_values(self) -> Vec<f64> {
        self.held.keep();
        self.values
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
