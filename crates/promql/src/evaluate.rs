//! Expression and samples to an answer: the plan is walked once, and every node gives its values at all steps.
//!
//! What gives an instant vector is either a *pipeline*, whose columns are computed one by one and on all cores
//! (selectors, functions of one vector, operators with a scalar), or is computed whole from columns that are held
//! (matching, sorting). Aggregations consume pipelines, so `sum(rate(x[5m]))` holds one accumulator per group and not
//! the series of `x`.

mod absent;
mod aggregate;
mod annotations;
mod binary;
mod budget;
mod calls;
mod classic;
mod column;
mod date;
mod explain;
mod hash;
mod histogram;
mod info;
mod labels;
mod logarithm;
mod matching;
mod math;
mod noting;
mod pipeline;
mod range;
mod rank;
mod samples;
mod scalars;
mod selector;
mod sort;
mod summation;
mod sums;

use std::time::Duration;

use model::{Sample, SelectedSeries, SeriesSource, Timestamp};

use crate::ast::{Expr, ExprKind};
use crate::function::ValueType;
use crate::plan::{Node, Plan, Steps, millis};
use crate::{
    Answer, EvalError, Features, Interrupt, Limits, SampleValue, Series, Span, Value, VectorSample,
    Window, resolve,
};
use annotations::Annotations;
use budget::{Budget, Held};
use column::{Column, Point, merge, without_name};
use explain::Counts;
pub use explain::{Explained, ExplainedNode, explain};
pub(crate) use info::InfoMatchers;
use noting::Noting;
use pipeline::{Consume, Pipeline, drive};
use samples::Scratch;
use scalars::Scalars;

/// Evaluates an expression at one moment.
///
/// Errors: see [`EvalError`].
pub fn evaluate_instant(
    source: &dyn SeriesSource,
    expr: &Expr,
    at: Timestamp,
    limits: &Limits,
    interrupt: &Interrupt,
) -> Result<Answer, EvalError> {
    let query = Query::instant(at);
    let (answer, _) = run(source, expr, query, limits, interrupt, false)?;
    Ok(answer)
}

/// Evaluates an expression at all steps of a window; the answer is a matrix sorted by labels.
///
/// Errors: as [`evaluate_instant`], and an expression that is no scalar and no instant vector.
pub fn evaluate_range(
    source: &dyn SeriesSource,
    expr: &Expr,
    window: &Window,
    limits: &Limits,
    interrupt: &Interrupt,
) -> Result<Answer, EvalError> {
    let query = Query::range(expr, window)?;
    let (answer, _) = run(source, expr, query, limits, interrupt, false)?;
    Ok(answer)
}

/// At which moments a query is evaluated.
#[derive(Clone, Copy, Debug)]
struct Query {
    steps: Steps,
    is_range: bool,
    /// The end that was asked for, which may lie after the last step.
    end: i64,
}

impl Query {
    fn instant(at: Timestamp) -> Self {
        Self {
            steps: Steps::single(at.as_millis()),
            is_range: false,
            end: at.as_millis(),
        }
    }

    /// The window that lengths of time may name.
    fn window(&self) -> Window {
        let step = if self.is_range { self.steps.step } else { 0 };
        Window {
            start: Timestamp::from_millis(self.steps.start),
            end: Timestamp::from_millis(self.end),
            step: Duration::from_millis(step.unsigned_abs()),
        }
    }

    fn range(expr: &Expr, window: &Window) -> Result<Self, EvalError> {
        let (start, end) = (window.start.as_millis(), window.end.as_millis());
        let step = millis(window.step);
        if end < start {
            return Err(EvalError::bad_query(
                expr.span,
                "the end lies before the start",
            ));
        }
        if step == 0 && start != end {
            return Err(EvalError::bad_query(expr.span, "the step is zero"));
        }
        Ok(Self {
            steps: Steps::range(start, end, step),
            is_range: true,
            end,
        })
    }
}

/// Plans and evaluates; with what each node did, if that is wanted.
fn run(
    source: &dyn SeriesSource,
    expr: &Expr,
    query: Query,
    limits: &Limits,
    interrupt: &Interrupt,
    counting: bool,
) -> Result<(Answer, Option<Explained>), EvalError> {
    let features = Features::new(limits.experimental);
    expr.check_features(&features)
        .map_err(|error| EvalError::BadQuery {
            message: error.message,
            position: error.position,
        })?;
    let expr = resolve(expr, &query.window())?;
    let plan = Plan::new(&expr, query.steps, query.end, limits);
    let budget = Budget::new(limits, &source.budget(), interrupt);
    budget.check(query.steps.count)?;
    interrupt.poll()?;
    let mut selected = Vec::with_capacity(plan.selections.len());
    for selection in &plan.selections {
        let series = source.select(selection)?;
        interrupt.poll()?;
        let (count, bytes) = (series.len(), series.bytes());
        selected.push(series);
        let all = selected.iter().map(|series| series.len()).sum();
        budget.selected(count, all, bytes)?;
    }
    let evaluation = Evaluation {
        limits,
        interrupt,
        query,
        selected,
        budget,
        annotations: Annotations::default(),
        counts: counting.then(|| Counts::new(plan.nodes)),
    };
    let value = match query.is_range {
        true => evaluation.range_value(&plan.root)?,
        false => evaluation.instant_value(&plan.root)?,
    };
    let counts = evaluation.counts.as_ref();
    let explained = counts.map(|counts| Explained::new(&plan, counts, &evaluation.selected));
    Ok((evaluation.answer(value), explained))
}

/// One evaluation of one query.
struct Evaluation<'a> {
    limits: &'a Limits,
    interrupt: &'a Interrupt,
    query: Query,
    /// The series of each selection of the plan.
    selected: Vec<Box<dyn SelectedSeries>>,
    budget: Budget,
    annotations: Annotations,
    /// What each node did, if that is wanted.
    counts: Option<Counts>,
}

/// Columns that are held in memory.
struct Columns<'b> {
    list: Vec<Column>,
    held: Held<'b>,
}

impl<'a> Evaluation<'a> {
    fn answer(self, value: Value) -> Answer {
        let (warnings, infos) = self.annotations.into_texts();
        Answer {
            value,
            warnings,
            infos,
            samples_read: self.budget.samples_read(),
            memory: self.budget.into_reservation(),
        }
    }

    /// Whether metrics' names are dropped at the end and not where the values change.
    fn drops_names_late(&self) -> bool {
        self.limits.experimental
    }

    fn instant_value(&self, root: &Node<'_>) -> Result<Value, EvalError> {
        let timestamp = Timestamp::from_millis(self.query.steps.start);
        Ok(match root.value_type() {
            ValueType::Scalar => {
                let value = self.scalar(root)?[0];
                Value::Scalar(Sample { timestamp, value })
            }
            ValueType::String => Value::String {
                timestamp,
                value: string(root.expr).to_owned(),
            },
            ValueType::Vector => {
                let columns = self.vector(root)?;
                columns.held.keep();
                let columns = self.with_final_names(columns.list, root.span())?;
                let sample = |column: Column| {
                    let value = match column.point(0)? {
                        Point::Float(value) => SampleValue::Float(value),
                        Point::Histogram(histogram) => SampleValue::Histogram(histogram),
                    };
                    Some(VectorSample {
                        labels: column.labels,
                        timestamp,
                        value,
                    })
                };
                Value::Vector(columns.into_iter().filter_map(sample).collect())
            }
            ValueType::Matrix => Value::Matrix(self.matrix(root)?),
        })
    }

    /// The samples of a range vector at the only step.
    fn matrix(&self, root: &Node<'_>) -> Result<Vec<Series>, EvalError> {
        let Some(windows) = root.windows else {
            return Err(wrong_type(root.expr));
        };
        let ranges = self.ranges(root, false, range::extension(root.expr))?;
        let mut held = self.budget.nothing();
        let mut scratch = self.scratch();
        let mut all = Vec::new();
        for index in 0..ranges.len {
            let Some(series) = (ranges.samples)(index, &mut scratch)? else {
                continue;
            };
            let samples = &scratch.samples;
            let inside = windows.over_both(&samples.floats.timestamps, &samples.histograms);
            for (window, histograms) in inside {
                held.add(1, window.samples.len() + histograms.len())?;
                let labels = match series.drop_name {
                    true => without_name(&series.labels),
                    false => series.labels.clone(),
                };
                all.push(Series {
                    labels,
                    floats: model::SampleColumns {
                        timestamps: samples.floats.timestamps[window.samples.clone()].to_vec(),
                        values: samples.floats.values[window.samples].to_vec(),
                    },
                    histograms: samples.histograms[histograms].to_vec(),
                });
            }
        }
        held.keep();
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        if all.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
            return Err(EvalError::same_labels(root.span()));
        }
        Ok(all)
    }

    fn range_value(&self, root: &Node<'_>) -> Result<Value, EvalError> {
        let columns = match root.value_type() {
            ValueType::Scalar => {
                let values = self.scalar(root)?.into_values();
                vec![Column::floats(model::Labels::empty(), values)]
            }
            ValueType::Vector => {
                let columns = self.vector(root)?;
                columns.held.keep();
                self.with_final_names(columns.list, root.span())?
            }
            other => {
                let message = format!(
                    "invalid expression type \"{other}\" for range query, must be Scalar or instant Vector"
                );
                return Err(EvalError::bad_query(root.span(), message));
            }
        };
        let mut series: Vec<Series> = columns
            .into_iter()
            .map(|column| column.into_series(self.query.steps))
            .collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(Value::Matrix(series))
    }

    /// Drops the names that were to be dropped at the end.
    fn with_final_names(
        &self,
        mut columns: Vec<Column>,
        span: Span,
    ) -> Result<Vec<Column>, EvalError> {
        if !columns.iter().any(|column| column.drop_name) {
            return Ok(columns);
        }
        for column in columns.iter_mut().filter(|column| column.drop_name) {
            column.labels = without_name(&column.labels);
        }
        merge(columns, span, self.interrupt)
    }

    /// A column whose values are no longer those of its metric.
    fn unnamed(&self, mut column: Column) -> Column {
        if self.drops_names_late() {
            column.drop_name = true;
        } else {
            column.labels = without_name(&column.labels);
        }
        column
    }

    /// The value of a scalar expression at each step.
    fn scalar<'p>(&'p self, node: &Node<'_>) -> Result<Scalars<'p>, EvalError> {
        self.interrupt.poll()?;
        let values = self.scalar_once(node)?;
        if node.repeats() {
            let value = values[0];
            let asked = Steps {
                count: node.count,
                ..node.steps
            };
            return Scalars::new(&self.budget, asked, |_| value);
        }
        Ok(values)
    }

    fn scalar_once<'p>(&'p self, node: &Node<'_>) -> Result<Scalars<'p>, EvalError> {
        match &node.expr.kind {
            ExprKind::Number(number) => Scalars::new(&self.budget, node.steps, |_| number.0),
            ExprKind::Unary { operator, .. } => {
                let mut values = self.scalar(&node.inputs[0])?;
                binary::apply_sign(*operator, &mut values);
                Ok(values)
            }
            ExprKind::Binary(binary) => self.scalar_binary(binary, node),
            ExprKind::Call(call) => self.scalar_call(call, node),
            _ => Err(wrong_type(node.expr)),
        }
    }

    /// The columns of an instant vector, each with at least one value.
    fn vector<'p>(&'p self, node: &'p Node<'_>) -> Result<Columns<'p>, EvalError> {
        self.interrupt.poll()?;
        let pipeline = self.pipeline(node)?;
        self.collect(&pipeline)
    }

    fn collect<'p>(&'p self, pipeline: &Pipeline<'_>) -> Result<Columns<'p>, EvalError> {
        let mut held = self.budget.nothing();
        let mut list = Vec::new();
        self.drive(pipeline, &mut |column| {
            held.add_column(&column)?;
            list.push(column);
            Ok(())
        })?;
        Ok(Columns { list, held })
    }

    /// Hands the columns of an instant vector over one by one.
    fn stream(&self, node: &Node<'_>, consume: &mut Consume<'_>) -> Result<(), EvalError> {
        let pipeline = self.pipeline(node)?;
        self.drive(&pipeline, consume)
    }

    fn drive(&self, pipeline: &Pipeline<'_>, consume: &mut Consume<'_>) -> Result<(), EvalError> {
        drive(pipeline, self.limits.threads, &self.budget, consume)
    }

    /// An instant vector that is computed series by series.
    fn pipeline<'p>(&'p self, node: &'p Node<'_>) -> Result<Pipeline<'p>, EvalError> {
        let pipeline = self.pipeline_once(node)?;
        if !node.repeats() {
            return Ok(pipeline);
        }
        let count = node.count;
        self.budget.check(count)?;
        Ok(pipeline.map(move |column| Ok(Some(column.repeated(count)))))
    }

    fn pipeline_once<'p>(&'p self, node: &'p Node<'_>) -> Result<Pipeline<'p>, EvalError> {
        match &node.expr.kind {
            ExprKind::VectorSelector(_) => self.selector_pipeline(node, selector::Chosen::Value),
            ExprKind::Unary { operator, .. } => self.signed(*operator, node),
            ExprKind::Binary(binary) if !binary.has_two_vectors() => self.with_scalar(binary, node),
            ExprKind::Binary(binary) => self.whole(node, self.match_vectors(binary, node)?),
            ExprKind::Aggregate(aggregate) => self.whole(node, self.aggregate(aggregate, node)?),
            ExprKind::Call(call) => self.call(call, node),
            _ => Err(wrong_type(node.expr)),
        }
    }

    /// Columns that were computed as a whole.
    fn whole<'p>(
        &'p self,
        node: &Node<'_>,
        columns: Vec<Column>,
    ) -> Result<Pipeline<'p>, EvalError> {
        let kept: Vec<Column> = columns.into_iter().filter(Column::has_values).collect();
        for column in &kept {
            self.count(node, column);
        }
        Pipeline::of(kept, &self.budget)
    }

    fn scratch(&self) -> Scratch {
        Scratch::new(&self.budget)
    }

    /// For notes about a metric at a place in the query.
    fn noting<'n>(&'n self, span: Span, metric: &'n str) -> Noting<'n> {
        Noting {
            annotations: &self.annotations,
            span,
            metric,
        }
    }

    fn check_steps(&self, steps: Steps) -> Result<(), EvalError> {
        self.budget.check(steps.count)
    }

    fn count(&self, node: &Node<'_>, column: &Column) {
        if let Some(counts) = &self.counts {
            let samples = (0..column.values.len()).filter(|step| column.is_present_at(*step));
            counts.add(node.id, 1, samples.count());
        }
    }

    fn count_samples(&self, node: &Node<'_>, samples: usize) {
        if let Some(counts) = &self.counts {
            counts.add(node.id, 1, samples);
        }
    }
}

/// The text of a string expression.
fn string(expr: &Expr) -> &str {
    match &expr.unwrapped().kind {
        ExprKind::String(text) => text,
        _ => "",
    }
}

/// For expressions that were made by hand and never checked.
fn wrong_type(expr: &Expr) -> EvalError {
    EvalError::bad_query(
        expr.span,
        "the expression has a type that does not fit here",
    )
}

#[cfg(test)]
pub(crate) mod tests;
