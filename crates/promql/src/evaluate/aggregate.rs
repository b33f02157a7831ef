//! Aggregations: one accumulator per group, to which the columns of the vector are added as they stream by.

mod accumulators;
mod selecting;

use std::collections::HashMap;

use model::{InvalidLabels, Labels, LabelsBuilder, NAME};

use super::column::{ABSENT, Column, Point};
use super::rank;
use super::{Evaluation, Scalars};
use crate::ast::{Aggregate, AggregateOperator, Grouping};
use crate::plan::Node;
use crate::printer::format_float;
use crate::{EvalError, Span};
use accumulators::{Accumulator, Average, Count, Extreme, Present, Total, Values, Variance};

impl Evaluation<'_> {
    /// The groups in the order of their first series.
    pub(super) fn aggregate(
        &self,
        aggregate: &Aggregate,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        use AggregateOperator::{
            Avg, Bottomk, Count as CountAll, CountValues, Group, LimitRatio, Limitk, Max, Min,
            Quantile, Stddev, Stdvar, Sum, Topk,
        };
        match aggregate.operator {
            Sum => self.fold(aggregate, node, Total::new),
            Avg => self.fold(aggregate, node, Average::new),
            Min => self.fold(aggregate, node, |count| {
                Extreme::new(count, |new, old| new < old)
            }),
            Max => self.fold(aggregate, node, |count| {
                Extreme::new(count, |new, old| new > old)
            }),
            CountAll => self.fold(aggregate, node, Count::new),
            Group => self.fold(aggregate, node, Present::new),
            Stdvar => self.fold(aggregate, node, |count| Variance::new(count, false)),
            Stddev => self.fold(aggregate, node, |count| Variance::new(count, true)),
            Quantile => {
                let quantiles = self.parameter(node)?;
                self.warn_of_quantiles(parameter_span(aggregate, node), &quantiles);
                self.fold(aggregate, node, |_| Values::new(quantiles.to_vec()))
            }
            Topk | Bottomk | Limitk => self.select(aggregate, node),
            LimitRatio => self.limit_ratio(aggregate, node),
            CountValues => self.count_values(aggregate, node),
        }
    }

    fn fold<A: Accumulator>(
        &self,
        aggregate: &Aggregate,
        node: &Node<'_>,
        new: impl Fn(usize) -> A,
    ) -> Result<Vec<Column>, EvalError> {
        let input = vector_input(node);
        let steps = node.steps;
        let mut groups = Groups::new(&aggregate.grouping);
        let mut held = self.budget.nothing();
        self.stream(input, &mut |column| {
            let (group, is_new) = groups.of(&column, || new(steps.count));
            let of_group = if is_new { steps.count } else { 0 };
            let noting = self.noting(input.span(), column.labels.metric_name());
            if A::IGNORES_HISTOGRAMS && column.histograms.is_some() {
                self.note_ignored(aggregate.operator, input.span());
            }
            let more = group.add(&column, &noting);
            if of_group + more > 0 {
                held.add(usize::from(is_new), of_group + more)?;
            }
            Ok(())
        })?;
        let noting = self.noting(input.span(), "");
        let mut columns = Vec::with_capacity(groups.groups.len());
        for group in groups.groups {
            self.interrupt.poll()?;
            let (values, histograms) = group.value.finish(&noting);
            let column = Column {
                labels: group.labels,
                drop_name: group.drop_name,
                values,
                histograms,
            };
            columns.push(column.tidied());
        }
        Ok(columns)
    }

    fn note_ignored(&self, operator: AggregateOperator, span: Span) {
        let text = format!("ignored histogram in {} aggregation", operator.as_str());
        self.annotations.inform(span, text);
    }

    /// The scalar parameter at each step.
    fn parameter<'p>(&'p self, node: &Node<'_>) -> Result<Scalars<'p>, EvalError> {
        match &node.inputs[..] {
            [parameter, _] => self.scalar(parameter),
            _ => Err(EvalError::bad_query(
                node.span(),
                "the aggregation needs a parameter",
            )),
        }
    }

    /// Warns of quantiles that are none.
    pub(super) fn warn_of_quantiles(&self, span: Span, quantiles: &[f64]) {
        for q in quantiles {
            if let Some(text) = rank::quantile_warning(*q) {
                self.annotations.warn(span, text);
            }
        }
    }

    /// `count_values("label", vector)`: how many series have each value, which becomes a label.
    fn count_values(
        &self,
        aggregate: &Aggregate,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let steps = node.steps;
        let name = aggregate.parameter.as_ref().map_or("", super::string);
        if name.is_empty() {
            let message = format!("invalid label name {name:?}");
            return Err(EvalError::execution(node.span(), message));
        }
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut columns: Vec<Column> = Vec::new();
        let mut held = self.budget.nothing();
        self.stream(vector_input(node), &mut |column| {
            for step in 0..steps.count {
                let shown = match column.point(step) {
                    Some(Point::Float(value)) => format_float(value),
                    Some(Point::Histogram(histogram)) => histogram.to_string(),
                    None => continue,
                };
                let labels = counted_labels(&aggregate.grouping, &column.labels, name, &shown)
                    .map_err(|error| EvalError::execution(node.span(), error.to_string()))?;
                let next = columns.len();
                let place = *places.entry(labels.clone()).or_insert(next);
                if place == next {
                    held.add(1, steps.count)?;
                    held.add_bytes(labels.as_packed().len())?;
                    columns.push(Column::floats(labels, vec![ABSENT; steps.count]));
                }
                let count = &mut columns[place].values[step];
                *count = if super::column::is_present(*count) {
                    *count + 1.0
                } else {
                    1.0
                };
            }
            self.interrupt.poll()
        })?;
        Ok(columns)
    }
}

/// The vector that is aggregated, after the parameter if there is one.
fn vector_input<'n, 'e>(node: &'n Node<'e>) -> &'n Node<'e> {
    &node.inputs[node.inputs.len() - 1]
}

fn parameter_span(aggregate: &Aggregate, node: &Node<'_>) -> Span {
    let parameter = aggregate.parameter.as_ref();
    parameter.map_or(node.span(), |parameter| parameter.span)
}

fn counted_labels(
    grouping: &Grouping,
    labels: &Labels,
    name: &str,
    shown: &str,
) -> Result<Labels, InvalidLabels> {
    let mut builder = LabelsBuilder::from_labels(&group_labels(grouping, labels));
    // `without` may drop the new label again.
    if !grouping.without || !grouping.labels.iter().any(|label| label == name) {
        builder.set(name, shown);
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
    groups: Vec<GroupOf<A>>,
}

struct GroupOf<A> {
    labels: Labels,
    /// Whether the first series had a name that is to go.
    drop_name: bool,
    value: A,
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
    fn of(&mut self, column: &Column, new: impl FnOnce() -> A) -> (&mut A, bool) {
        let labels = group_labels(self.grouping, &column.labels);
        let next = self.groups.len();
        let place = *self.places.entry(labels.clone()).or_insert(next);
        if place == next {
            self.groups.push(GroupOf {
                labels,
                drop_name: column.drop_name,
                value: new(),
            });
        }
        (&mut self.groups[place].value, place == next)
    }
}
