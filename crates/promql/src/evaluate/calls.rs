//! Function calls: which function does what with which arguments.

use std::collections::HashSet;

use model::{Labels, SampleColumns};

use super::column::{ABSENT, Column, Steps, is_present, merge, without_name};
use super::math::pointwise;
use super::rate::{self, Slope};
use super::selector::Chosen;
use super::windows::Windows;
use super::{Emit, Evaluation, Scalars, over_time, rank, regression};
use crate::ast::{Call, Expr, ExprKind};
use crate::function::ValueType;
use crate::{EvalError, Interrupt, Span};

/// Samples that a range function looks at between two looks at the interrupt: some milliseconds.
const SAMPLES_BETWEEN_POLLS: usize = 1 << 20;

/// Whether a call takes its vector column by column.
pub(super) fn streams(call: &Call) -> bool {
    let name = call.function.name;
    let reads_vector = pointwise(name).is_some() && !call.arguments.is_empty();
    name == "timestamp" || reads_vector || RangeFunction::find(name).is_some()
}

/// Whether the series of a call's value have no names.
pub(super) fn drops_name(call: &Call) -> bool {
    !matches!(
        call.function.name,
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

/// A function of the samples of a range.
enum RangeFunction {
    Slope(Slope),
    Counted(fn(f64, f64) -> bool),
    Extreme(fn(f64, f64) -> bool),
    /// Computed anew for each window.
    Each(fn(&Samples<'_>) -> f64),
}

/// The samples of one window, never empty, and the scalar arguments at its step.
struct Samples<'a> {
    timestamps: &'a [i64],
    values: &'a [f64],
    now: i64,
    scalars: &'a [f64],
}

impl RangeFunction {
    fn find(name: &str) -> Option<Self> {
        let slope = |counter, per_second| {
            Self::Slope(Slope {
                counter,
                per_second,
            })
        };
        Some(match name {
            "rate" => slope(true, true),
            "increase" => slope(true, false),
            "delta" => slope(false, false),
            "irate" => Self::Each(|s| rate::instantaneous(true, s.timestamps, s.values)),
            "idelta" => Self::Each(|s| rate::instantaneous(false, s.timestamps, s.values)),
            "changes" => Self::Counted(rate::is_change),
            "resets" => Self::Counted(rate::is_reset),
            "deriv" => Self::Each(|s| regression::slope(s.timestamps, s.values)),
            "predict_linear" => {
                Self::Each(|s| regression::prediction(s.timestamps, s.values, s.now, s.scalars[0]))
            }
            "sum_over_time" => Self::Each(|s| over_time::sum(s.values)),
            "avg_over_time" => Self::Each(|s| over_time::average(s.values)),
            "min_over_time" => Self::Extreme(|a, b| a < b),
            "max_over_time" => Self::Extreme(|a, b| a > b),
            "count_over_time" => Self::Each(|s| s.values.len() as f64),
            "present_over_time" => Self::Each(|_| 1.0),
            "first_over_time" => Self::Each(|s| s.values[0]),
            "last_over_time" => Self::Each(|s| s.values[s.values.len() - 1]),
            "stdvar_over_time" => Self::Each(|s| over_time::variance(s.values)),
            "stddev_over_time" => Self::Each(|s| over_time::variance(s.values).sqrt()),
            "mad_over_time" => Self::Each(|s| over_time::median_deviation(s.values)),
            "quantile_over_time" => {
                Self::Each(|s| rank::quantile(s.scalars[0], &mut s.values.to_vec()))
            }
            "double_exponential_smoothing" => Self::Each(|s| {
                over_time::smoothed(s.values, s.scalars[0], s.scalars[1]).unwrap_or(ABSENT)
            }),
            "ts_of_first_over_time" => Self::Each(|s| s.timestamps[0] as f64 / 1000.0),
            "ts_of_last_over_time" => {
                Self::Each(|s| s.timestamps[s.timestamps.len() - 1] as f64 / 1000.0)
            }
            "ts_of_min_over_time" => {
                Self::Each(|s| over_time::time_of_extreme(|a, b| a < b, s.timestamps, s.values))
            }
            "ts_of_max_over_time" => {
                Self::Each(|s| over_time::time_of_extreme(|a, b| a > b, s.timestamps, s.values))
            }
            _ => return None,
        })
    }

    /// The function's value at each step.
    ///
    /// Errors: the evaluation was interrupted.
    fn compute(
        &self,
        series: &SampleColumns,
        windows: Windows,
        steps: Steps,
        scalars: &[Scalars<'_>],
        interrupt: &Interrupt,
    ) -> Result<Vec<f64>, EvalError> {
        let mut out = vec![ABSENT; steps.count];
        match self {
            Self::Slope(slope) => rate::extrapolated(*slope, series, windows, &mut out),
            Self::Counted(relation) => rate::counted(*relation, series, windows, &mut out),
            Self::Extreme(beats) => over_time::extreme(*beats, series, windows, &mut out),
            Self::Each(function) => {
                let mut at_step = vec![0.0; scalars.len()];
                let mut touched = 0;
                for window in windows.over(&series.timestamps) {
                    // Long ranges overlap in most of their samples, so one series may take long.
                    touched += window.samples.len();
                    if touched > SAMPLES_BETWEEN_POLLS {
                        interrupt.poll()?;
                        touched = 0;
                    }
                    for (scalar, column) in at_step.iter_mut().zip(scalars) {
                        *scalar = column[window.step];
                    }
                    out[window.step] = function(&Samples {
                        timestamps: &series.timestamps[window.samples.clone()],
                        values: &series.values[window.samples],
                        now: steps.at(window.step),
                        scalars: &at_step,
                    });
                }
            }
        }
        Ok(out)
    }
}

impl Evaluation<'_> {
    /// A call that hands its columns over one by one, see [`streams`].
    pub(super) fn stream_call(
        &self,
        call: &Call,
        span: Span,
        steps: Steps,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        self.check_enabled(call, span)?;
        let name = call.function.name;
        if let Some(function) = RangeFunction::find(name) {
            return self.stream_range_function(&function, call, span, steps, emit);
        }
        let argument = &call.arguments[0];
        if name == "timestamp" {
            return self.stream_timestamps(argument, span, steps, emit);
        }
        let Some(function) = pointwise(name) else {
            return Err(not_supported(call, span));
        };
        let scalars = self.scalars(&call.arguments[1..], steps)?;
        let compute = |values: &mut [f64]| {
            let mut at_step = vec![0.0; scalars.len()];
            for (step, value) in values.iter_mut().enumerate() {
                if !is_present(*value) {
                    continue;
                }
                for (scalar, column) in at_step.iter_mut().zip(&scalars) {
                    *scalar = column[step];
                }
                *value = function(*value, &at_step);
            }
        };
        self.stream_unnamed(argument, span, steps, &compute, emit)
    }

    /// The columns of a vector, changed in place and without their metric's name.
    pub(super) fn stream_unnamed(
        &self,
        expr: &Expr,
        span: Span,
        steps: Steps,
        compute: &dyn Fn(&mut [f64]),
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        let change = |mut column: Column| {
            compute(&mut column.values);
            column.labels = without_name(&column.labels);
            column
        };
        if super::binary::is_unique_without_name(expr) {
            return self.stream(expr, steps, &mut |column| {
                let column = change(column);
                if column.has_values() {
                    emit(column)?;
                }
                Ok(())
            });
        }
        // Without their names some series may have become one.
        let columns = self.vector(expr, steps)?;
        let count = columns.len();
        let columns = merge(columns.into_iter().map(change).collect(), span)?;
        self.budget
            .release(count, count.saturating_mul(steps.count));
        for column in columns {
            emit(column)?;
        }
        Ok(())
    }

    fn stream_range_function(
        &self,
        function: &RangeFunction,
        call: &Call,
        span: Span,
        steps: Steps,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        let is_range = |argument: &&Expr| argument.value_type() == ValueType::Matrix;
        let Some(range) = call.arguments.iter().find(is_range) else {
            return Err(super::wrong_type(&call.arguments[0]));
        };
        let mut scalars = Vec::new();
        for argument in call.arguments.iter().filter(|argument| !is_range(argument)) {
            scalars.push(self.scalar(argument, steps)?);
        }
        self.check_scalars(call, span, &scalars)?;
        let windows = self.windows(range, steps)?;
        let unnamed = drops_name(call);
        let unique = !unnamed || super::binary::is_unique_without_name(range);
        let mut seen: HashSet<Labels> = HashSet::new();
        self.stream_ranges(range, steps, &mut |labels, samples| {
            let values = function.compute(samples, windows, steps, &scalars, self.interrupt)?;
            let column = Column {
                labels: if unnamed {
                    without_name(labels)
                } else {
                    labels.clone()
                },
                values,
            };
            if !column.has_values() {
                return Ok(());
            }
            if !unique && !seen.insert(column.labels.clone()) {
                return Err(EvalError::same_labels(span));
            }
            self.note_range_function(call, range, labels, &scalars);
            emit(column)
        })
    }

    /// Refuses parameters with which a function makes no sense.
    fn check_scalars(
        &self,
        call: &Call,
        span: Span,
        scalars: &[Scalars<'_>],
    ) -> Result<(), EvalError> {
        if call.function.name != "double_exponential_smoothing" {
            return Ok(());
        }
        for (name, sign, column) in [
            ("smoothing", "sf", &scalars[0]),
            ("trend", "tf", &scalars[1]),
        ] {
            if let Some(bad) = column
                .iter()
                .find(|factor| !(**factor > 0.0 && **factor < 1.0))
            {
                let message =
                    format!("invalid {name} factor. Expected: 0 < {sign} < 1, got: {bad:.6}");
                return Err(EvalError::execution(span, message));
            }
        }
        Ok(())
    }

    fn note_range_function(
        &self,
        call: &Call,
        range: &Expr,
        labels: &Labels,
        scalars: &[Scalars<'_>],
    ) {
        match call.function.name {
            "rate" | "increase" => {
                let name = labels.metric_name();
                let counts = ["_total", "_sum", "_count", "_bucket"];
                if !name.is_empty() && !counts.iter().any(|suffix| name.ends_with(suffix)) {
                    let text = format!(
                        "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"
                    );
                    self.annotations.inform(range.span, &text);
                }
            }
            "quantile_over_time" => self.warn_of_quantiles(call.arguments[0].span, &scalars[0]),
            _ => {}
        }
    }

    /// Warns of quantiles that are none.
    pub(super) fn warn_of_quantiles(&self, span: Span, quantiles: &[f64]) {
        if let Some(text) = quantiles.iter().find_map(|q| rank::quantile_warning(*q)) {
            self.annotations.warn(span, &text);
        }
    }

    fn stream_timestamps(
        &self,
        argument: &Expr,
        span: Span,
        steps: Steps,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        let ExprKind::VectorSelector(selector) = &argument.unwrapped().kind else {
            let times = move |values: &mut [f64]| {
                for (step, value) in values.iter_mut().enumerate() {
                    if is_present(*value) {
                        *value = steps.at(step) as f64 / 1000.0;
                    }
                }
            };
            return self.stream_unnamed(argument, span, steps, &times, emit);
        };
        let mut columns = Vec::new();
        self.stream_selector(selector, steps, Chosen::Timestamp, &mut |mut column| {
            self.budget.hold(1, column.values.len())?;
            column.labels = without_name(&column.labels);
            columns.push(column);
            Ok(())
        })?;
        self.budget
            .release(columns.len(), columns.len() * steps.count);
        for column in merge(columns, span)? {
            emit(column)?;
        }
        Ok(())
    }

    /// A call whose value is computed as a whole.
    pub(super) fn whole_call(
        &self,
        call: &Call,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        self.check_enabled(call, span)?;
        let arguments = &call.arguments;
        match call.function.name {
            "absent" => self.absent(&arguments[0], steps),
            "absent_over_time" => self.absent_over_time(&arguments[0], steps),
            "vector" => Ok(vec![Column {
                labels: Labels::empty(),
                values: self.scalar(&arguments[0], steps)?.into_values(),
            }]),
            "label_replace" => self.label_replace(arguments, span, steps),
            "label_join" => self.label_join(arguments, span, steps),
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => {
                self.sort(call, span, steps)
            }
            "histogram_quantile" => self.histogram_quantile(arguments, span, steps),
            "histogram_fraction" => self.histogram_fraction(arguments, span, steps),
            name => {
                let Some(function) = pointwise(name).filter(|_| arguments.is_empty()) else {
                    return Err(not_supported(call, span));
                };
                // Without an argument the functions of dates take the time of the step.
                let value = |at: i64| function(at as f64 / 1000.0, &[]);
                Ok(vec![Column {
                    labels: Labels::empty(),
                    values: steps.iter().map(value).collect(),
                }])
            }
        }
    }

    /// A call that gives a scalar.
    pub(super) fn scalar_call(
        &self,
        call: &Call,
        span: Span,
        steps: Steps,
    ) -> Result<Scalars<'_>, EvalError> {
        self.check_enabled(call, span)?;
        match call.function.name {
            "time" => Scalars::new(&self.budget, steps, |at| at as f64 / 1000.0),
            "pi" => Scalars::new(&self.budget, steps, |_| std::f64::consts::PI),
            "scalar" => {
                let mut values = Scalars::new(&self.budget, steps, |_| f64::NAN)?;
                let mut counts = vec![0_u32; steps.count];
                self.stream(&call.arguments[0], steps, &mut |column| {
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
            _ => Err(not_supported(call, span)),
        }
    }

    fn scalars(&self, arguments: &[Expr], steps: Steps) -> Result<Vec<Scalars<'_>>, EvalError> {
        let mut scalars = Vec::with_capacity(arguments.len());
        for argument in arguments {
            scalars.push(self.scalar(argument, steps)?);
        }
        Ok(scalars)
    }

    fn check_enabled(&self, call: &Call, span: Span) -> Result<(), EvalError> {
        if call.function.experimental && !self.limits.experimental {
            let message = format!("function {:?} is not enabled", call.function.name);
            return Err(EvalError::bad_query(span, message));
        }
        Ok(())
    }
}

fn not_supported(call: &Call, span: Span) -> EvalError {
    EvalError::unsupported(
        span,
        format!("function {}() is not supported yet", call.function.name),
    )
}
