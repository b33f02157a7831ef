//! Expression and samples to an answer.
//!
//! Every node is evaluated for all steps of the query at once. What gives an instant vector either *streams* its
//! columns one by one (selectors, functions of one vector, operators with a scalar), or is computed whole from
//! columns that are held (matching, sorting). Aggregations consume streams, so `sum(rate(x[5m]))` holds one
//! accumulator per group and not the series of `x`.

mod absent;
mod aggregate;
mod annotations;
mod binary;
mod budget;
mod calls;
mod column;
mod date;
mod histogram;
mod labels;
mod logarithm;
mod matching;
mod math;
mod over_time;
mod rank;
mod rate;
mod regression;
mod scalars;
mod selector;
mod sort;
mod summation;
mod windows;

use model::{Sample, SampleColumns, SeriesSource, Timestamp};

use crate::ast::{At, Expr, ExprKind, TimeShift};
use crate::function::ValueType;
use crate::{Answer, EvalError, Interrupt, Limits, Value, Window};
use annotations::Annotations;
use budget::Budget;
use column::{Column, Steps};
use scalars::Scalars;

/// Takes the columns of a stream, one by one.
type Emit<'e> = dyn FnMut(Column) -> Result<(), EvalError> + 'e;

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
    let steps = Steps::single(at.as_millis());
    let evaluation = Evaluation::new(source, limits, interrupt, steps);
    let value = evaluation.instant_value(expr, at)?;
    Ok(evaluation.answer(value))
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
    let (start, end) = (window.start.as_millis(), window.end.as_millis());
    let step = i64::try_from(window.step.as_millis()).unwrap_or(i64::MAX);
    if end < start {
        return Err(EvalError::bad_query(
            expr.span,
            "the end lies before the start",
        ));
    }
    if step == 0 && start != end {
        return Err(EvalError::bad_query(expr.span, "the step is zero"));
    }
    let steps = Steps::range(start, end, step);
    let mut evaluation = Evaluation::new(source, limits, interrupt, steps);
    evaluation.is_range = true;
    evaluation.check_steps(steps)?;
    let value = evaluation.range_value(expr, steps)?;
    Ok(evaluation.answer(value))
}

/// One evaluation of one query.
struct Evaluation<'a> {
    source: &'a dyn SeriesSource,
    limits: &'a Limits,
    interrupt: &'a Interrupt,
    /// The steps of the whole query, for `@ start()` and `@ end()`.
    query: Steps,
    is_range: bool,
    budget: Budget,
    annotations: Annotations,
}

impl<'a> Evaluation<'a> {
    fn new(
        source: &'a dyn SeriesSource,
        limits: &'a Limits,
        interrupt: &'a Interrupt,
        query: Steps,
    ) -> Self {
        Self {
            source,
            limits,
            interrupt,
            query,
            is_range: false,
            budget: Budget::new(limits.samples_max, &source.budget()),
            annotations: Annotations::default(),
        }
    }

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

    fn instant_value(&self, expr: &Expr, timestamp: Timestamp) -> Result<Value, EvalError> {
        let steps = Steps::single(timestamp.as_millis());
        Ok(match expr.value_type() {
            ValueType::Scalar => {
                let value = self.scalar(expr, steps)?[0];
                Value::Scalar(Sample { timestamp, value })
            }
            ValueType::String => Value::String {
                timestamp,
                value: string(expr).to_owned(),
            },
            ValueType::Vector => {
                let columns = self.vector(expr, steps)?.into_iter();
                let sample = |column: Column| {
                    let value = column.values[0];
                    (column.labels, Sample { timestamp, value })
                };
                Value::Vector(columns.map(sample).collect())
            }
            ValueType::Matrix => {
                let mut series = Vec::new();
                let windows = self.windows(expr, steps)?;
                self.stream_ranges(expr, steps, &mut |labels, samples| {
                    self.budget.hold(1, samples.len())?;
                    for window in windows.over(&samples.timestamps) {
                        let inside = SampleColumns {
                            timestamps: samples.timestamps[window.samples.clone()].to_vec(),
                            values: samples.values[window.samples].to_vec(),
                        };
                        series.push((labels.clone(), inside));
                    }
                    Ok(())
                })?;
                series.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Matrix(series)
            }
        })
    }

    fn range_value(&self, expr: &Expr, steps: Steps) -> Result<Value, EvalError> {
        let columns = match expr.value_type() {
            ValueType::Scalar => vec![Column {
                labels: model::Labels::empty(),
                values: self.scalar(expr, steps)?.into_values(),
            }],
            ValueType::Vector => self.vector(expr, steps)?,
            other => {
                let message = format!(
                    "invalid expression type \"{other}\" for range query, must be Scalar or instant Vector"
                );
                return Err(EvalError::bad_query(expr.span, message));
            }
        };
        let mut series: Vec<_> = columns
            .into_iter()
            .map(|column| {
                let samples = column.samples(steps);
                (column.labels, samples)
            })
            .collect();
        series.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Value::Matrix(series))
    }

    /// The value of a scalar expression at each step.
    fn scalar(&self, expr: &Expr, steps: Steps) -> Result<Scalars<'_>, EvalError> {
        self.interrupt.poll()?;
        if expr.derived.step_invariant && steps.count > 1 {
            let value = self.scalar(expr, steps.first_only())?[0];
            return Scalars::new(&self.budget, steps, |_| value);
        }
        match &expr.kind {
            ExprKind::Number(number) => Scalars::new(&self.budget, steps, |_| number.0),
            ExprKind::Paren(inner) => self.scalar(inner, steps),
            ExprKind::Unary { operator, operand } => {
                let mut values = self.scalar(operand, steps)?;
                binary::apply_sign(*operator, &mut values);
                Ok(values)
            }
            ExprKind::Binary(binary) => self.scalar_binary(binary, steps),
            ExprKind::Call(call) => self.scalar_call(call, expr.span, steps),
            _ => Err(wrong_type(expr)),
        }
    }

    /// The columns of an instant vector, each with at least one value.
    fn vector(&self, expr: &Expr, steps: Steps) -> Result<Vec<Column>, EvalError> {
        self.interrupt.poll()?;
        if expr.derived.step_invariant && steps.count > 1 {
            let columns = self.vector(expr, steps.first_only())?;
            let count = columns.len();
            self.budget.hold(count, count.saturating_mul(steps.count))?;
            let repeat = |column: Column| Column {
                values: vec![column.values[0]; steps.count],
                labels: column.labels,
            };
            return Ok(columns.into_iter().map(repeat).collect());
        }
        let columns = match &expr.kind {
            ExprKind::Paren(inner) => return self.vector(inner, steps),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, expr.span, steps)?,
            ExprKind::Binary(binary) if binary.has_two_vectors() => {
                self.match_vectors(binary, expr.span, steps)?
            }
            ExprKind::Call(call) if !calls::streams(call) => {
                self.whole_call(call, expr.span, steps)?
            }
            _ => {
                let mut columns = Vec::new();
                self.stream(expr, steps, &mut |column| {
                    self.budget.hold(1, column.values.len())?;
                    columns.push(column);
                    Ok(())
                })?;
                return Ok(columns);
            }
        };
        let count = columns.len();
        self.budget.hold(count, count.saturating_mul(steps.count))?;
        Ok(columns)
    }

    /// The columns of an instant vector, handed over one by one.
    fn stream(&self, expr: &Expr, steps: Steps, emit: &mut Emit<'_>) -> Result<(), EvalError> {
        if expr.derived.step_invariant && steps.count > 1 {
            return self.stream(expr, steps.first_only(), &mut |column| {
                emit(Column {
                    values: vec![column.values[0]; steps.count],
                    labels: column.labels,
                })
            });
        }
        match &expr.kind {
            ExprKind::Paren(inner) => self.stream(inner, steps, emit),
            ExprKind::VectorSelector(selector) => {
                self.stream_selector(selector, steps, selector::Chosen::Value, emit)
            }
            ExprKind::Unary { operator, operand } => {
                self.stream_signed(*operator, operand, expr.span, steps, emit)
            }
            ExprKind::Binary(binary) if !binary.has_two_vectors() => {
                self.stream_with_scalar(binary, expr.span, steps, emit)
            }
            ExprKind::Call(call) if calls::streams(call) => {
                self.stream_call(call, expr.span, steps, emit)
            }
            ExprKind::Aggregate(_) | ExprKind::Binary(_) | ExprKind::Call(_) => {
                let columns = self.vector(expr, steps)?;
                self.budget
                    .release(columns.len(), columns.len() * steps.count);
                for column in columns {
                    emit(column)?;
                }
                Ok(())
            }
            _ => Err(wrong_type(expr)),
        }
    }

    /// The moments that an expression with these modifiers looks at, one for each step.
    fn moments(&self, time: TimeShift, steps: Steps) -> Steps {
        let fixed = |at: i64| Steps {
            start: at,
            step: 0,
            count: steps.count,
        };
        let moments = match time.at {
            None => steps,
            Some(At::Timestamp(at)) => fixed(at.as_millis()),
            Some(At::Start) => fixed(self.query.start),
            Some(At::End) => fixed(self.query.last()),
        };
        Steps {
            start: moments.start.saturating_sub(time.offset_ms),
            ..moments
        }
    }

    fn check_steps(&self, steps: Steps) -> Result<(), EvalError> {
        self.budget.hold(0, steps.count)?;
        self.budget.release(0, steps.count);
        Ok(())
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
