//! Aggregations: one accumulator per group, to which the columns of the vector are added as they stream by.

mod accumulators;
mod selecting;

use std::collections::HashMap;

use model::{InvalidLabels, Labels, LabelsBuilder, NAME};

use super::column::{ABSENT, Column, Steps, is_present};
use super::{Evaluation, Scalars};
use crate::ast::{Aggregate, AggregateOperator, Grouping};
use crate::printer::format_float;
use crate::{EvalError, Span};
use accumulators::{Accumulator, Average, Count, Extreme, Present, Total, Values, Variance};

impl Evaluation<'_> {
    /// The groups in the order of their first series.
    pub(super) fn aggregate(
        &self,
        aggregate: &Aggregate,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        use AggregateOperator::{
            Avg, Bottomk, Count as CountAll, CountValues, Group, LimitRatio, Limitk, Max, Min,
            Quantile, Stddev, Stdvar, Sum, Topk,
        };
        if aggregate.operator.is_experimental() && !self.limits.experimental {
            let name = aggregate.operator.as_str();
            return Err(EvalError::bad_query(
                span,
                format!("{name}() is not enabled"),
            ));
        }
        match aggregate.operator {
            Sum => self.fold(aggregate, steps, Total::new),
            Avg => self.fold(aggregate, steps, Average::new),
            Min => self.fold(aggregate, steps, |count| {
                Extreme::new(count, |new, old| new < old)
            }),
            Max => self.fold(aggregate, steps, |count| {
                Extreme::new(count, |new, old| new > old)
            }),
            CountAll => self.fold(aggregate, steps, Count::new),
            Group => self.fold(aggregate, steps, Present::new),
            Stdvar => self.fold(aggregate, steps, |count| Variance::new(count, false)),
            Stddev => self.fold(aggregate, steps, |count| Variance::new(count, true)),
            Quantile => {
                let quantiles = self.parameter(aggregate, span, steps)?;
                if let Some(parameter) = &aggregate.parameter {
                    self.warn_of_quantiles(parameter.span, &quantiles);
                }
                self.fold(aggregate, steps, |_| Values::new(quantiles.to_vec()))
            }
            Topk | Bottomk | Limitk => self.select(aggregate, span, steps),
            CountValues => self.count_values(aggregate, span, steps),
            LimitRatio => Err(EvalError::unsupported(
                span,
                "aggregation limit_ratio() is not supported yet",
            )),
        }
    }

    fn fold<A: Accumulator>(
        &self,
        aggregate: &Aggregate,
        steps: Steps,
        new: impl Fn(usize) -> A,
    ) -> Result<Vec<Column>, EvalError> {
        let mut groups = Groups::new(&aggregate.grouping);
        let mut held = 0;
        self.stream(&aggregate.expr, steps, &mut |column| {
            let (group, is_new) = groups.of(&column.labels, || new(steps.count));
            if is_new || A::HOLDS_VALUES {
                held += 1;
                self.budget.hold(1, steps.count)?;
            }
            group.add(&column.values);
            Ok(())
        })?;
        self.budget.release(held, held * steps.count);
        let finished = groups.groups.into_iter().map(|(labels, group)| Column {
            labels,
            values: group.finish(),
        });
        Ok(finished.collect())
    }

    /// The scalar parameter at each step.
    fn parameter(
        &self,
        aggregate: &Aggregate,
        span: Span,
        steps: Steps,
    ) -> Result<Scalars<'_>, EvalError> {
        match &aggregate.parameter {
            Some(parameter) => self.scalar(parameter, steps),
            None => Err(EvalError::bad_query(
                span,
                "the aggregation needs a parameter",
            )),
        }
    }

    /// `count_values("label", vector)`: how many series have each value, which becomes a label.
    fn count_values(
        &self,
        aggregate: &Aggregate,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let name = aggregate.parameter.as_ref().map_or("", super::string);
        if name.is_empty() {
            let message = format!("invalid label name {name:?}");
            return Err(EvalError::execution(span, message));
        }
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut columns: Vec<Column> = Vec::new();
        self.stream(&aggregate.expr, steps, &mut |column| {
            for (step, value) in column.values.iter().enumerate() {
                if !is_present(*value) {
                    continue;
                }
                let labels = counted_labels(&aggregate.grouping, &column.labels, name, *value)
                    .map_err(|error| EvalError::execution(span, error.to_string()))?;
                let next = columns.len();
                let place = *places.entry(labels.clone()).or_insert(next);
                if place == next {
                    self.budget.hold(1, steps.count)?;
                    let values = vec![ABSENT; steps.count];
                    columns.push(Column { labels, values });
                }
                let count = &mut columns[place].values[step];
                *count = if is_present(*count) {
                    *count + 1.0
                } else {
                    1.0
                };
            }
            Ok(())
        })?;
        self.budget
            .release(columns.len(), columns.len() * steps.count);
        Ok(columns)
    }
}

fn counted_labels(
    grouping: &Grouping,
    labels: &Labels,
    name: &str,
    value: f64,
) -> Result<Labels, InvalidLabels> {
    let mut builder = LabelsBuilder::from_labels(&group_labels(grouping, labels));
    // `without` may drop the new label again.
    if !grouping.without || !grouping.labels.iter().any(|label| label == name) {
        builder.set(name, &format_float(value));
    }
    builder.build()
}

/// The labels by which a series belongs to a group.
fn group_labels(grouping: &Grouping, labels: &Labels) -> Labels {
    let listed = |name: &str| grouping.labels.iter().any(|label| label == name);
    if grouping.without {
        return labels.filtered(|name| name != NAME && !listed(name));
    }
    if grouping.labels.is_empty() {
        return Labels::empty();
    }
    labels.filtered(listed)
}

/// Something for each group, in the order of their first series.
struct Groups<'g, A> {
    grouping: &'g Grouping,
    places: HashMap<Labels, usize>,
    groups: Vec<(Labels, A)>,
}

impl<'g, A> Groups<'g, A> {
    fn new(grouping: &'g Grouping) -> Self {
        Self {
            grouping,
            places: HashMap::new(),
            groups: Vec::new(),
        }
    }

    /// What the group of a series has, and whether it was made just now.
    fn of(&mut self, labels: &Labels, new: impl FnOnce() -> A) -> (&mut A, bool) {
        let labels = group_labels(self.grouping, labels);
        let next = self.groups.len();
        let place = *self.places.entry(labels.clone()).or_insert(next);
        if place == next {
            self.groups.push((labels, new()));
        }
        (&mut self.groups[place].1, place == next)
    }
}
