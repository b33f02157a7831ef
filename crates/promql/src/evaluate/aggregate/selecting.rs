//! `topk`, `bottomk` and `limitk`: aggregations that choose series and keep them as they are.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use model::Labels;

use super::Groups;
use crate::ast::{Aggregate, AggregateOperator};
use crate::evaluate::column::{ABSENT, Column, Steps, is_present};
use crate::evaluate::{Evaluation, rank};
use crate::{EvalError, Span};

/// A series that is among the chosen; the greatest is the first to go.
struct Candidate {
    value: f64,
    labels: Labels,
    series: usize,
    order: fn(f64, f64) -> Ordering,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of equal values that with the lesser labels stays, so that the choice at a step does not depend on others.
        let by_value = (self.order)(self.value, other.value);
        by_value.then_with(|| self.labels.cmp(&other.labels))
    }
}

/// A candidate takes the memory of so many samples.
const CANDIDATE_SAMPLES: usize = size_of::<Candidate>() / size_of::<model::Sample>();

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl Evaluation<'_> {
    /// At each step the best so many series of each group; for one step, best first.
    pub(super) fn select(
        &self,
        aggregate: &Aggregate,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let sizes = self.sizes(aggregate, span, steps)?;
        let order: fn(f64, f64) -> Ordering = match aggregate.operator {
            AggregateOperator::Topk => rank::descending,
            AggregateOperator::Bottomk => rank::ascending,
            _ => |_, _| Ordering::Equal,
        };
        let mut series: Vec<Labels> = Vec::new();
        let mut held = 0;
        let mut groups = Groups::new(&aggregate.grouping);
        self.stream(&aggregate.expr, steps, &mut |column| {
            let new = || -> Vec<BinaryHeap<Candidate>> {
                steps.iter().map(|_| BinaryHeap::new()).collect()
            };
            let (heaps, is_new) = groups.of(&column.labels, new);
            let mut grown = if is_new { steps.count } else { 0 };
            for (step, value) in column.values.iter().enumerate() {
                if !is_present(*value) {
                    continue;
                }
                let candidate = Candidate {
                    value: *value,
                    labels: column.labels.clone(),
                    series: series.len(),
                    order,
                };
                let heap = &mut heaps[step];
                if heap.len() < sizes[step] {
                    heap.push(candidate);
                    grown += 1;
                } else if let Some(mut worst) = heap.peek_mut()
                    && candidate < *worst
                {
                    *worst = candidate;
                }
            }
            series.push(column.labels);
            held += grown * CANDIDATE_SAMPLES;
            self.budget.hold(1, grown * CANDIDATE_SAMPLES)
        })?;
        let groups = groups.groups.into_iter().map(|(_, heaps)| heaps);
        let count = series.len();
        let chosen = self.chosen_columns(series, groups.collect(), steps);
        self.budget.release(count, held);
        chosen
    }

    /// The chosen samples as columns, in the order in which they are met: step by step, the best first.
    fn chosen_columns(
        &self,
        series: Vec<Labels>,
        groups: Vec<Vec<BinaryHeap<Candidate>>>,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut places: Vec<Option<usize>> = vec![None; series.len()];
        let mut columns: Vec<Column> = Vec::new();
        for heaps in groups {
            for (step, heap) in heaps.into_iter().enumerate() {
                for candidate in heap.into_sorted_vec() {
                    let place = match places[candidate.series] {
                        Some(place) => place,
                        None => {
                            self.budget.hold(1, steps.count)?;
                            self.interrupt.poll()?;
                            columns.push(Column {
                                labels: series[candidate.series].clone(),
                                values: vec![ABSENT; steps.count],
                            });
                            places[candidate.series] = Some(columns.len() - 1);
                            columns.len() - 1
                        }
                    };
                    columns[place].values[step] = candidate.value;
                }
            }
        }
        let count = columns.len();
        self.budget.release(count, count * steps.count);
        Ok(columns)
    }

    /// How many series are chosen at each step.
    fn sizes(
        &self,
        aggregate: &Aggregate,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<usize>, EvalError> {
        let mut sizes = Vec::with_capacity(steps.count);
        for value in self.parameter(aggregate, span, steps)?.iter().copied() {
            if value.is_nan() {
                return Err(EvalError::execution(span, "Parameter value is NaN"));
            }
            if value >= i64::MAX as f64 || value <= i64::MIN as f64 {
                let flows = if value > 0.0 {
                    "overflows"
                } else {
                    "underflows"
                };
                let shown = crate::printer::format_float(value);
                let message = format!("Scalar value {shown} {flows} int64");
                return Err(EvalError::execution(span, message));
            }
            sizes.push(value.max(0.0) as usize);
        }
        Ok(sizes)
    }
}
