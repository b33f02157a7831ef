//! Functions of ranges: which function does what with the samples of a series.

pub(super) mod extended;
mod extents;
mod histograms;
mod mixed;
mod over_time;
mod rate;
mod regression;
mod source;

use std::sync::Arc;

use model::SampleColumns;

use super::column::{ABSENT, Column, Point};
use super::noting::Noting;
use super::pipeline::Pipeline;
use super::samples::{Scratch, SeriesSamples};
use super::{Evaluation, Scalars, column, rank};
use crate::ast::{Call, Expr, ExprKind};
use crate::function::ValueType;
use crate::plan::{Node, Steps, Windows, millis};
use crate::{EvalError, Extension, Interrupt, Span};
pub(super) use extents::Extents;
use rate::Slope;

/// Samples that a range function looks at between two looks at the interrupt: a few milliseconds.
const SAMPLES_BETWEEN_POLLS: usize = 1 << 20;

/// A function of the numbers of a range.
#[derive(Clone, Copy)]
pub(super) enum RangeFunction {
    Slope(Slope),
    Counted(fn(f64, f64) -> bool),
    Extreme(fn(f64, f64) -> bool),
    /// Computed anew for each window.
    Each(fn(&Samples<'_>) -> f64),
}

/// The samples of one window, never empty, and the scalar arguments at its step.
pub(super) struct Samples<'a> {
    timestamps: &'a [i64],
    values: &'a [f64],
    now: i64,
    scalars: &'a [f64],
    /// For starts of counters.
    series: &'a SeriesSamples,
}

impl RangeFunction {
    /// The function of a name.
    pub(super) fn find(name: &str) -> Option<Self> {
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
            "irate" => Self::Each(|s| rate::instantaneous(true, s.timestamps, s.values, s.series)),
            "idelta" => {
                Self::Each(|s| rate::instantaneous(false, s.timestamps, s.values, s.series))
            }
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

    /// Whether starts of counters change its value.
    fn sees_starts(self, name: &str) -> bool {
        matches!(self, Self::Slope(slope) if slope.counter) || matches!(name, "irate" | "resets")
    }
}

/// One call of a range function.
struct RangeCall<'p> {
    function: RangeFunction,
    name: &'static str,
    windows: Windows,
    steps: Steps,
    scalars: Vec<Scalars<'p>>,
    extension: Option<Extension>,
    lookback: i64,
    interrupt: &'p Interrupt,
}

impl RangeCall<'_> {
    /// The function's value at each step.
    fn compute(
        &self,
        samples: &SeriesSamples,
        extents: &mut Extents,
        column: &mut Column,
        noting: &Noting<'_>,
    ) -> Result<(), EvalError> {
        if let Some(extension) = self.extension {
            return self.compute_extended(samples, extension, column, noting);
        }
        if !samples.histograms.is_empty() {
            return self.compute_mixed(samples, column, noting);
        }
        let (series, windows, out) = (&samples.floats, self.windows, &mut column.values);
        match self.function {
            RangeFunction::Slope(slope) => {
                rate::extrapolated(slope, samples, windows, extents, self.interrupt, out)?;
            }
            RangeFunction::Counted(relation) => {
                let also = |index: usize| {
                    self.name == "resets"
                        && samples
                            .started_between(series.timestamps[index - 1], series.timestamps[index])
                };
                rate::counted(relation, &also, series, windows, out);
            }
            RangeFunction::Extreme(beats) => over_time::extreme(beats, series, windows, out),
            RangeFunction::Each(function) => {
                let mut at_step = vec![0.0; self.scalars.len()];
                let mut touched = 0;
                for window in windows.over(&series.timestamps) {
                    // Long ranges overlap in most of their samples, so one series may take long.
                    touched += window.samples.len();
                    if touched > SAMPLES_BETWEEN_POLLS {
                        self.interrupt.poll()?;
                        touched = 0;
                    }
                    for (scalar, column) in at_step.iter_mut().zip(&self.scalars) {
                        *scalar = column[window.step];
                    }
                    out[window.step] = function(&Samples {
                        timestamps: &series.timestamps[window.samples.clone()],
                        values: &series.values[window.samples],
                        now: self.steps.at(window.step),
                        scalars: &at_step,
                        series: samples,
                    });
                }
            }
        }
        Ok(())
    }

    fn compute_extended(
        &self,
        samples: &SeriesSamples,
        extension: Extension,
        column: &mut Column,
        noting: &Noting<'_>,
    ) -> Result<(), EvalError> {
        for (step, around) in extended::around(samples, self.windows, extension, self.lookback) {
            self.interrupt.poll()?;
            let point = match self.function {
                RangeFunction::Slope(slope) => {
                    extended::slope(slope, &around, self.windows.length, noting)
                }
                _ => extended::anchored(&around).map(|(times, floats, histograms)| {
                    let resets = self.name == "resets";
                    Point::Float(mixed::counted(resets, times, floats, histograms, None))
                }),
            };
            column.set(step, point);
        }
        Ok(())
    }

    /// The function of the numbers of one window.
    fn of_floats(
        &self,
        samples: &SeriesSamples,
        window: &crate::plan::Window,
    ) -> Result<f64, EvalError> {
        let floats = SampleColumns {
            timestamps: samples.floats.timestamps[window.samples.clone()].to_vec(),
            values: samples.floats.values[window.samples.clone()].to_vec(),
        };
        let one = Windows {
            moments: Steps::single(window.end),
            length: self.windows.length,
        };
        let mut out = [ABSENT];
        match self.function {
            RangeFunction::Slope(slope) => {
                let part = SeriesSamples {
                    floats,
                    histograms: Vec::new(),
                    starts: samples.starts.clone(),
                };
                let mut extents = Extents::default();
                rate::extrapolated(slope, &part, one, &mut extents, self.interrupt, &mut out)?;
            }
            RangeFunction::Counted(relation) => {
                rate::counted(relation, &|_| false, &floats, one, &mut out);
            }
            RangeFunction::Extreme(beats) => over_time::extreme(beats, &floats, one, &mut out),
            RangeFunction::Each(function) => {
                let scalars: Vec<f64> = self.scalars.iter().map(|s| s[window.step]).collect();
                out[0] = function(&Samples {
                    timestamps: &floats.timestamps,
                    values: &floats.values,
                    now: self.steps.at(window.step),
                    scalars: &scalars,
                    series: samples,
                });
            }
        }
        Ok(out[0])
    }
}

impl<'a> Evaluation<'a> {
    /// A call of a function of a range vector.
    pub(super) fn range_pipeline<'p>(
        &'p self,
        function: RangeFunction,
        call: &'p Call,
        node: &'p Node<'_>,
    ) -> Result<Pipeline<'p>, EvalError> {
        let is_range = |input: &&Node<'_>| input.value_type() == ValueType::Matrix;
        let Some(range) = node.inputs.iter().find(is_range) else {
            return Err(super::wrong_type(node.expr));
        };
        let mut scalars = Vec::new();
        for input in node.inputs.iter().filter(|input| !is_range(input)) {
            scalars.push(self.scalar(input)?);
        }
        let name = call.function.name;
        let extension = extension(range.expr);
        let Some(windows) = range.windows else {
            return Err(super::wrong_type(range.expr));
        };
        let with_starts = self.limits.experimental && function.sees_starts(name);
        let source = self.ranges(range, with_starts, extension)?;
        let range_call = RangeCall {
            function,
            name,
            windows,
            steps: node.steps,
            scalars,
            extension,
            lookback: millis(self.limits.lookback_delta),
            interrupt: self.interrupt,
        };
        let unnamed = !super::calls::keeps_name(name);
        let (noted_at, ranged_at) = (call.arguments[0].span, range.span());
        Ok(Pipeline {
            len: source.len,
            cost: source.cost,
            column: Box::new(move |index, scratch| {
                let Some(series) = (source.samples)(index, scratch)? else {
                    return Ok(None);
                };
                if name == "double_exponential_smoothing" {
                    check_factors(&range_call, &scratch.samples, noted_at)?;
                }
                let mut column = Column::absent(series.labels.clone(), node.steps.count);
                let metric = series.labels.metric_name();
                column.drop_name = series.drop_name;
                let noting = self.noting(noted_at, metric);
                let Scratch {
                    samples, extents, ..
                } = scratch;
                range_call.compute(samples, extents, &mut column, &noting)?;
                if !column.has_values() {
                    return Ok(None);
                }
                self.note_range_function(name, &range_call, ranged_at, &column, metric);
                if name == "quantile_over_time" {
                    self.note_quantiles(call.arguments[0].span, &range_call, &column);
                }
                if unnamed {
                    column = self.unnamed(column);
                }
                self.count(node, &column);
                Ok(Some(column))
            }),
        })
    }

    fn note_range_function(
        &self,
        name: &str,
        call: &RangeCall<'_>,
        span: Span,
        column: &Column,
        metric: &str,
    ) {
        if !matches!(name, "rate" | "increase") || metric.is_empty() {
            return;
        }
        debug_assert!(matches!(call.function, RangeFunction::Slope(_)));
        let of_floats = || column.values.iter().any(|value| column::is_present(*value));
        let counts = ["_total", "_sum", "_count", "_bucket"];
        let named = counts.iter().any(|suffix| metric.ends_with(suffix));
        let typed = column.labels.get(column::TYPE);
        match typed {
            Some(typed) if self.limits.experimental => {
                if !matches!(typed, "counter" | "histogram") && of_floats() {
                    let text = format!(
                        "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {}",
                        model::quoted(typed),
                        model::quoted(metric)
                    );
                    self.annotations.inform(span, text);
                }
            }
            _ if named || !of_floats() => {}
            _ => {
                let text = format!(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                    model::quoted(metric)
                );
                self.annotations.inform(span, text);
            }
        }
    }

    fn note_quantiles(&self, span: Span, call: &RangeCall<'_>, column: &Column) {
        for (step, value) in column.values.iter().enumerate() {
            if column::is_present(*value)
                && let Some(text) = rank::quantile_warning(call.scalars[0][step])
            {
                self.annotations.warn(span, text);
            }
        }
    }
}

/// The modifier of a range selector that takes samples around the range into account.
pub(super) fn extension(range: &Expr) -> Option<Extension> {
    match &range.kind {
        ExprKind::MatrixSelector { selector, .. } => selector.extension,
        _ => None,
    }
}

/// Refuses parameters with which `double_exponential_smoothing` makes no sense.
fn check_factors(
    call: &RangeCall<'_>,
    samples: &SeriesSamples,
    span: Span,
) -> Result<(), EvalError> {
    for (window, _) in call
        .windows
        .over_both(&samples.floats.timestamps, &samples.histograms)
    {
        for (name, sign, column) in [
            ("smoothing", "sf", &call.scalars[0]),
            ("trend", "tf", &call.scalars[1]),
        ] {
            let factor = column[window.step];
            if factor <= 0.0 || factor >= 1.0 {
                let message =
                    format!("invalid {name} factor. Expected: 0 < {sign} < 1, got: {factor:.6}");
                return Err(EvalError::execution(span, message));
            }
        }
    }
    Ok(())
}

fn histogram_point(histogram: crate::FloatHistogram) -> Option<Point> {
    Some(Point::Histogram(Arc::new(histogram)))
}
