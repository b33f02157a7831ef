//! Function calls: which function does what with which arguments.

use std::collections::HashSet;

use model::Labels;

use super::binary::is_unique_without_name;
use super::column::{ABSENT, Column, Point, is_present, merge};
use super::math::pointwise;
use super::pipeline::Pipeline;
use super::range::RangeFunction;
use super::selector::Chosen;
use super::{Evaluation, Scalars};
use crate::ast::{Call, ExprKind};
use crate::plan::Node;
use crate::{EvalError, FloatHistogram, Span};

/// Whether the series of a call's value keep the names of their metrics.
pub(super) fn keeps_name(function: &str) -> bool {
    matches!(
        function,
        "last_over_time"
            | "first_over_time"
            | "label_replace"
            | "label_join"
            | "sort"
            | "sort_desc"
            | "sort_by_label"
            | "sort_by_label_desc"
            | "info"
    )
}

/// A number of a histogram, such as its count.
fn of_histogram(name: &str) -> Option<fn(&FloatHistogram) -> f64> {
    Some(match name {
        "histogram_count" => |histogram| histogram.count,
        "histogram_sum" => |histogram| histogram.sum,
        "histogram_avg" => FloatHistogram::avg,
        "histogram_stddev" => FloatHistogram::stddev,
        "histogram_stdvar" => FloatHistogram::stdvar,
        _ => return None,
    })
}

impl<'a> Evaluation<'a> {
    /// A call that gives an instant vector.
    pub(super) fn call<'p>(
        &'p self,
        call: &'p Call,
        node: &'p Node<'_>,
    ) -> Result<Pipeline<'p>, EvalError> {
        let name = call.function.name;
        if let Some(function) = RangeFunction::find(name) {
            let pipeline = self.range_pipeline(function, call, node)?;
            let ranges = call.arguments.iter();
            let mut ranges =
                ranges.filter(|argument| argument.value_type() == crate::ValueType::Matrix);
            let unique =
                keeps_name(name) || self.drops_names_late() || ranges.all(is_unique_without_name);
            return if unique {
                Ok(pipeline)
            } else {
                self.without_doubles(&pipeline, node.span())
            };
        }
        if let Some(function) = of_histogram(name) {
            return self.unnamed_pipeline(
                node,
                &node.inputs[0],
                move |mut column| {
                    let Some(histograms) = column.histograms.take() else {
                        return column;
                    };
                    for (value, histogram) in column.values.iter_mut().zip(histograms) {
                        *value = histogram.map_or(ABSENT, |histogram| function(&histogram));
                    }
                    column
                },
                Kind::OnlyHistograms,
            );
        }
        match name {
            "timestamp" => self.timestamps(node),
            "start_timestamp" => match node.inputs[0].expr.kind {
                ExprKind::VectorSelector(_) => {
                    self.moments_of_samples(node, &node.inputs[0], Chosen::Start)
                }
                _ => Pipeline::of(Vec::new(), &self.budget),
            },
            _ => match pointwise(name) {
                Some(function) if !node.inputs.is_empty() => {
                    let scalars = self.scalars(&node.inputs[1..])?;
                    let compute = move |mut column: Column| {
                        column.histograms = None;
                        let mut at_step = vec![0.0; scalars.len()];
                        for (step, value) in column.values.iter_mut().enumerate() {
                            if !is_present(*value) {
                                continue;
                            }
                            for (scalar, column) in at_step.iter_mut().zip(&scalars) {
                                *scalar = column[step];
                            }
                            *value = function(*value, &at_step);
                        }
                        column
                    };
                    self.unnamed_pipeline(node, &node.inputs[0], compute, Kind::Any)
                }
                _ => self.whole(node, self.whole_call(call, node)?),
            },
        }
    }

    /// Columns that are changed and lose their metric's name.
    pub(super) fn unnamed_pipeline<'p>(
        &'p self,
        node: &'p Node<'_>,
        input: &'p Node<'_>,
        compute: impl Fn(Column) -> Column + Sync + 'p,
        kind: Kind,
    ) -> Result<Pipeline<'p>, EvalError> {
        let pipeline = self.pipeline(input)?.map(move |column| {
            if kind == Kind::OnlyHistograms && column.histograms.is_none() {
                return Ok(None);
            }
            let column = self.unnamed(compute(column)).tidied();
            if !column.has_values() {
                return Ok(None);
            }
            self.count(node, &column);
            Ok(Some(column))
        });
        self.merged_without_names(pipeline, input, node)
    }

    /// Without their names some series may have become one.
    fn merged_without_names<'p>(
        &'p self,
        pipeline: Pipeline<'p>,
        input: &Node<'_>,
        node: &Node<'_>,
    ) -> Result<Pipeline<'p>, EvalError> {
        if self.drops_names_late() || is_unique_without_name(input.expr) {
            return Ok(pipeline);
        }
        let columns = self.collect(&pipeline)?;
        let list = merge(columns.list, node.span(), self.interrupt)?;
        drop(columns.held);
        Pipeline::of(list, &self.budget)
    }

    /// Refuses columns of equal labels.
    fn without_doubles<'p>(
        &'p self,
        pipeline: &Pipeline<'_>,
        span: Span,
    ) -> Result<Pipeline<'p>, EvalError> {
        let columns = self.collect(pipeline)?;
        let mut seen: HashSet<&Labels> = HashSet::with_capacity(columns.list.len());
        if !columns
            .list
            .iter()
            .all(|column| seen.insert(&column.labels))
        {
            return Err(EvalError::same_labels(span));
        }
        drop(columns.held);
        Pipeline::of(columns.list, &self.budget)
    }

    fn timestamps<'p>(&'p self, node: &'p Node<'_>) -> Result<Pipeline<'p>, EvalError> {
        let input = &node.inputs[0];
        if matches!(input.expr.kind, ExprKind::VectorSelector(_)) {
            return self.moments_of_samples(node, input, Chosen::Timestamp);
        }
        let steps = node.steps;
        let times = move |mut column: Column| {
            for step in 0..column.values.len() {
                if column.is_present_at(step) {
                    column.set(step, Some(Point::Float(steps.at(step) as f64 / 1000.0)));
                }
            }
            column
        };
        self.unnamed_pipeline(node, input, times, Kind::Any)
    }

    fn moments_of_samples<'p>(
        &'p self,
        node: &'p Node<'_>,
        input: &'p Node<'_>,
        chosen: Chosen,
    ) -> Result<Pipeline<'p>, EvalError> {
        let pipeline = self.selector_pipeline(input, chosen)?;
        let count = input.count;
        let repeats = input.repeats();
        let pipeline = pipeline.map(move |column| {
            let column = self.unnamed(column);
            self.count(node, &column);
            Ok(Some(match repeats {
                true => column.repeated(count),
                false => column,
            }))
        });
        self.merged_without_names(pipeline, input, node)
    }

    /// A call whose value is computed as a whole.
    fn whole_call(&self, call: &Call, node: &Node<'_>) -> Result<Vec<Column>, EvalError> {
        match call.function.name {
            "absent" => self.absent(node),
            "absent_over_time" => self.absent_over_time(node),
            "vector" => Ok(vec![Column::floats(
                Labels::empty(),
                self.scalar(&node.inputs[0])?.to_vec(),
            )]),
            "label_replace" => self.label_replace(call, node),
            "label_join" => self.label_join(call, node),
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => self.sort(call, node),
            "histogram_quantile" => self.histogram_quantile(call, node),
            "histogram_quantiles" => self.histogram_quantiles(call, node),
            "histogram_fraction" => self.histogram_fraction(call, node),
            "info" => self.info(call, node),
            name => {
                let Some(function) = pointwise(name).filter(|_| node.inputs.is_empty()) else {
                    return Err(not_supported(call, node.span()));
                };
                // Without an argument the functions of dates take the time of the step.
                let value = |at: i64| function(at as f64 / 1000.0, &[]);
                let values = node.steps.iter().map(value).collect();
                Ok(vec![Column::floats(Labels::empty(), values)])
            }
        }
    }

    /// A call that gives a scalar.
    pub(super) fn scalar_call<'p>(
        &'p self,
        call: &Call,
        node: &Node<'_>,
    ) -> Result<Scalars<'p>, EvalError> {
        let steps = node.steps;
        let (start, end) = (self.query.steps.start, self.query.end);
        let step = if self.query.is_range {
            self.query.steps.step
        } else {
            0
        };
        let constant = |millis: i64| Scalars::new(&self.budget, steps, |_| millis as f64 / 1000.0);
        match call.function.name {
            "time" => Scalars::new(&self.budget, steps, |at| at as f64 / 1000.0),
            "pi" => Scalars::new(&self.budget, steps, |_| std::f64::consts::PI),
            "start" => constant(start),
            "end" => constant(end),
            "range" => constant(end.saturating_sub(start)),
            "step" => constant(step),
            "scalar" => {
                let mut values = Scalars::new(&self.budget, steps, |_| f64::NAN)?;
                let mut counts = vec![0_u32; steps.count];
                self.stream(&node.inputs[0], &mut |column| {
                    for (step, value) in column.values.iter().enumerate() {
                        if is_present(*value) {
                            counts[step] = counts[step].saturating_add(1);
                            values[step] = if counts[step] == 1 { *value } else { f64::NAN };
                        }
                    }
                    Ok(())
                })?;
                Ok(values)
            }
            _ => Err(not_supported(call, node.span())),
        }
    }

    pub(super) fn scalars<'p>(&'p self, nodes: &[Node<'_>]) -> Result<Vec<Scalars<'p>>, EvalError> {
        let mut scalars = Vec::with_capacity(nodes.len());
        for node in nodes {
            scalars.push(self.scalar(node)?);
        }
        Ok(scalars)
    }
}

/// Which columns a function looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    OnlyHistograms,
}

fn not_supported(call: &Call, span: Span) -> EvalError {
    let name = call.function.name;
    EvalError::unsupported(span, format!("function {name}() is not supported"))
}
