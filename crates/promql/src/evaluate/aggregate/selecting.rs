//! `topk`, `bottomk`, `limitk` and `limit_ratio`: aggregations that choose series and keep them as they are.

use std::cmp::Ordering;

use model::Labels;

use super::{Groups, parameter_span, vector_input};
use crate::EvalError;
use crate::ast::{Aggregate, AggregateOperator};
use crate::evaluate::column::{ABSENT, Column, Point};
use crate::evaluate::{Evaluation, hash, rank};
use crate::plan::Node;

/// A series that is among the chosen.
struct Candidate {
    value: f64,
    point: Point,
    series: usize,
}

/// A candidate takes the memory of so many samples.
const CANDIDATE_SAMPLES: usize = size_of::<Candidate>() / size_of::<model::Sample>();

/// The chosen of a group at a step, as a heap with the worst on top.
///
/// Of equal values it depends on the heap which one goes, so this one moves its elements as Go's does.
#[derive(Default)]
struct Best {
    heap: Vec<Candidate>,
}

/// Whether the first of two values is the first to go.
type IsWorse = fn(f64, f64) -> bool;

impl Best {
    /// Puts a candidate among the chosen if there are less than `size`, or if it is better than the worst; whether
    /// there is one more now.
    fn offer(&mut self, candidate: Candidate, size: usize, is_worse: Option<IsWorse>) -> bool {
        if self.heap.len() < size {
            self.heap.push(candidate);
            if let Some(is_worse) = is_worse {
                self.rise(is_worse);
            }
            return true;
        }
        let Some((is_worse, worst)) = is_worse.zip(self.heap.first_mut()) else {
            return false;
        };
        let better = !candidate.value.is_nan()
            && (worst.value.is_nan() || is_worse(worst.value, candidate.value));
        if better {
            *worst = candidate;
            self.sink(is_worse);
        }
        false
    }

    fn worse(&self, is_worse: IsWorse, one: usize, other: usize) -> bool {
        let (one, other) = (self.heap[one].value, self.heap[other].value);
        one.is_nan() || is_worse(one, other)
    }

    fn rise(&mut self, is_worse: IsWorse) {
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let above = (at - 1) / 2;
            if !self.worse(is_worse, at, above) {
                break;
            }
            self.heap.swap(at, above);
            at = above;
        }
    }

    fn sink(&mut self, is_worse: IsWorse) {
        let mut at = 0;
        loop {
            let mut below = 2 * at + 1;
            if below >= self.heap.len() {
                break;
            }
            if below + 1 < self.heap.len() && self.worse(is_worse, below + 1, below) {
                below += 1;
            }
            if !self.worse(is_worse, below, at) {
                break;
            }
            self.heap.swap(at, below);
            at = below;
        }
    }

    /// The chosen, the best first.
    fn into_sorted(mut self, order: fn(f64, f64) -> Ordering) -> Vec<Candidate> {
        self.heap.sort_by(|a, b| order(a.value, b.value));
        self.heap
    }
}

/// A series of which something may be chosen.
struct Chosen {
    labels: Labels,
    drop_name: bool,
}

impl Evaluation<'_> {
    /// At each step the best so many series of each group; for one step, best first.
    pub(super) fn select(
        &self,
        aggregate: &Aggregate,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let steps = node.steps;
        let sizes = self.sizes(node)?;
        let limitk = aggregate.operator == AggregateOperator::Limitk;
        let (is_worse, order): (Option<IsWorse>, fn(f64, f64) -> Ordering) =
            match aggregate.operator {
                AggregateOperator::Topk => (Some(|a, b| a < b), rank::descending),
                AggregateOperator::Bottomk => (Some(|a, b| a > b), rank::ascending),
                _ => (None, |_, _| Ordering::Equal),
            };
        let input = vector_input(node);
        let mut series: Vec<Chosen> = Vec::new();
        let mut held = self.budget.nothing();
        let mut groups = Groups::new(&aggregate.grouping);
        self.stream(input, &mut |column| {
            let new = || -> Vec<Best> { steps.iter().map(|_| Best::default()).collect() };
            let (heaps, is_new) = groups.of(&column, new);
            let mut grown = if is_new { steps.count } else { 0 };
            for (step, heap) in heaps.iter_mut().enumerate() {
                let value = match column.point(step) {
                    None => continue,
                    Some(Point::Float(value)) => value,
                    Some(Point::Histogram(_)) if limitk => 0.0,
                    Some(Point::Histogram(_)) => {
                        self.note_ignored(aggregate.operator, input.span());
                        continue;
                    }
                };
                let Some(point) = column.point(step) else {
                    continue;
                };
                let candidate = Candidate {
                    value,
                    point,
                    series: series.len(),
                };
                grown += usize::from(heap.offer(candidate, sizes[step], is_worse));
            }
            series.push(Chosen {
                labels: column.labels,
                drop_name: column.drop_name,
            });
            held.add(1, grown * CANDIDATE_SAMPLES)
        })?;
        let groups = groups.groups.into_iter().map(|group| group.value);
        self.chosen_columns(&series, groups.collect(), order, node)
    }

    /// The chosen samples as columns, in the order in which they are met: step by step, the best first.
    fn chosen_columns(
        &self,
        series: &[Chosen],
        groups: Vec<Vec<Best>>,
        order: fn(f64, f64) -> Ordering,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let steps = node.steps;
        let mut places: Vec<Option<usize>> = vec![None; series.len()];
        let mut columns: Vec<Column> = Vec::new();
        let mut held = self.budget.nothing();
        for heaps in groups {
            for (step, heap) in heaps.into_iter().enumerate() {
                for candidate in heap.into_sorted(order) {
                    let place = match places[candidate.series] {
                        Some(place) => place,
                        None => {
                            held.add(1, steps.count)?;
                            self.interrupt.poll()?;
                            let chosen = &series[candidate.series];
                            columns.push(Column {
                                drop_name: chosen.drop_name,
                                ..Column::floats(chosen.labels.clone(), vec![ABSENT; steps.count])
                            });
                            places[candidate.series] = Some(columns.len() - 1);
                            columns.len() - 1
                        }
                    };
                    columns[place].set(step, Some(candidate.point));
                }
            }
        }
        Ok(columns)
    }

    /// `limit_ratio(ratio, vector)`: about that part of the series, always the same ones; with a ratio below 0 those
    /// that the positive ratio 1 + r leaves out.
    pub(super) fn limit_ratio(
        &self,
        aggregate: &Aggregate,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let mut ratios = self.parameter(node)?;
        if ratios.iter().any(|ratio| ratio.is_nan()) {
            return Err(EvalError::execution(node.span(), "Ratio value is NaN"));
        }
        for ratio in ratios.iter_mut() {
            let capped = ratio.clamp(-1.0, 1.0);
            if capped != *ratio {
                let text = format!(
                    "ratio value should be between -1 and 1, got {}, capping to {capped}",
                    rank::shown(*ratio)
                );
                self.annotations.warn(parameter_span(aggregate, node), text);
                *ratio = capped;
            }
        }
        let mut held = self.budget.nothing();
        let mut columns = Vec::new();
        self.stream(vector_input(node), &mut |mut column| {
            let share = hash::share(&column.labels);
            for (step, ratio) in ratios.iter().enumerate() {
                let drawn = match *ratio >= 0.0 {
                    true => share < *ratio,
                    false => share >= 1.0 + ratio,
                };
                if !drawn {
                    column.set(step, None);
                }
            }
            if column.has_values() {
                held.add(1, column.weight())?;
                columns.push(column);
            }
            Ok(())
        })?;
        Ok(columns)
    }

    /// How many series are chosen at each step.
    fn sizes(&self, node: &Node<'_>) -> Result<Vec<usize>, EvalError> {
        let span = node.span();
        let mut sizes = Vec::with_capacity(node.steps.count);
        for value in self.parameter(node)?.iter().copied() {
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
