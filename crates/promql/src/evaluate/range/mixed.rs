//! Ranges that hold native histograms, alone or with numbers between them.

use std::sync::Arc;

use super::{RangeCall, RangeFunction, histogram_point, histograms};
use crate::evaluate::column::{Column, Point};
use crate::evaluate::noting::Noting;
use crate::evaluate::samples::SeriesSamples;
use crate::plan::Window;
use crate::{EvalError, FloatHistogram};

type Timed = (i64, Arc<FloatHistogram>);

impl RangeCall<'_> {
    pub(super) fn compute_mixed(
        &self,
        samples: &SeriesSamples,
        column: &mut Column,
        noting: &Noting<'_>,
    ) -> Result<(), EvalError> {
        let windows = self.windows;
        for (window, inside) in windows.over_both(&samples.floats.timestamps, &samples.histograms) {
            self.interrupt.poll()?;
            let point = self.mixed(samples, &window, &samples.histograms[inside], noting)?;
            column.set(window.step, point);
        }
        Ok(())
    }

    fn mixed(
        &self,
        samples: &SeriesSamples,
        window: &Window,
        inside: &[Timed],
        noting: &Noting<'_>,
    ) -> Result<Option<Point>, EvalError> {
        let times = &samples.floats.timestamps[window.samples.clone()];
        let values = &samples.floats.values[window.samples.clone()];
        let of_floats = || {
            let value = self.of_floats(samples, window)?;
            let present = crate::evaluate::column::is_present(value);
            Ok(present.then_some(Point::Float(value)))
        };
        Ok(match self.name {
            "rate" | "increase" | "delta" => {
                if inside.is_empty() {
                    return of_floats();
                }
                if !values.is_empty() {
                    noting.mixed_floats_and_histograms();
                    return Ok(None);
                }
                let RangeFunction::Slope(slope) = self.function else {
                    return Ok(None);
                };
                histograms::slope(slope, samples, window, self.windows, inside, noting)
                    .and_then(histogram_point)
            }
            "irate" => histograms::instantaneous(true, samples, (times, values), inside, noting),
            "idelta" => histograms::instantaneous(false, samples, (times, values), inside, noting),
            "changes" => Some(Point::Float(counted(false, times, values, inside, None))),
            "resets" => Some(Point::Float(counted(
                true,
                times,
                values,
                inside,
                Some(samples),
            ))),
            "sum_over_time" | "avg_over_time" => {
                if inside.is_empty() {
                    return of_floats();
                }
                if !values.is_empty() {
                    noting.mixed_floats_and_histograms();
                    return Ok(None);
                }
                let all = inside.iter().map(|(_, histogram)| &**histogram);
                let mean = self.name == "avg_over_time";
                histograms::total(mean, all, noting).and_then(histogram_point)
            }
            "count_over_time" => Some(Point::Float((values.len() + inside.len()) as f64)),
            "present_over_time" => Some(Point::Float(1.0)),
            "first_over_time" => match (times.first(), inside.first()) {
                (Some(at), other) if other.is_none_or(|(other, _)| at < other) => {
                    Some(Point::Float(values[0]))
                }
                (_, Some((_, histogram))) => Some(Point::Histogram(Arc::clone(histogram))),
                _ => None,
            },
            "last_over_time" => match (times.last(), inside.last()) {
                (Some(at), other) if other.is_none_or(|(other, _)| at > other) => {
                    Some(Point::Float(values[values.len() - 1]))
                }
                (_, Some((_, histogram))) => Some(Point::Histogram(Arc::clone(histogram))),
                _ => None,
            },
            "ts_of_first_over_time" => {
                let first = times
                    .first()
                    .into_iter()
                    .chain(inside.first().map(|(at, _)| at));
                first.min().map(|at| Point::Float(*at as f64 / 1000.0))
            }
            "ts_of_last_over_time" => {
                let last = times
                    .last()
                    .into_iter()
                    .chain(inside.last().map(|(at, _)| at));
                last.max().map(|at| Point::Float(*at as f64 / 1000.0))
            }
            _ => {
                if values.is_empty() {
                    return Ok(None);
                }
                if !inside.is_empty() {
                    noting.ignored_histograms();
                }
                of_floats()?
            }
        })
    }
}

/// How often the kind or value of neighbours changes, or with `resets` how often a counter began anew.
pub(super) fn counted(
    resets: bool,
    times: &[i64],
    values: &[f64],
    inside: &[Timed],
    starts: Option<&SeriesSamples>,
) -> f64 {
    #[derive(Clone, Copy)]
    enum Value<'h> {
        Float(f64),
        Histogram(&'h FloatHistogram),
    }
    let floats = times.iter().zip(values);
    let mut all: Vec<(i64, Value<'_>)> = floats
        .map(|(at, value)| (*at, Value::Float(*value)))
        .collect();
    all.extend(
        inside
            .iter()
            .map(|(at, histogram)| (*at, Value::Histogram(histogram))),
    );
    all.sort_by_key(|(at, _)| *at);
    let differs = |pair: &&[(i64, Value<'_>)]| {
        let [(before_at, before), (at, value)] = **pair else {
            return false;
        };
        if resets && starts.is_some_and(|samples| samples.started_between(before_at, at)) {
            return true;
        }
        match (before, value) {
            (Value::Float(before), Value::Float(value)) if resets => {
                super::rate::is_reset(before, value)
            }
            (Value::Float(before), Value::Float(value)) => super::rate::is_change(before, value),
            (Value::Histogram(before), Value::Histogram(value)) if resets => {
                value.detect_reset(before)
            }
            (Value::Histogram(before), Value::Histogram(value)) => !value.equals(before),
            _ => true,
        }
    };
    all.windows(2).filter(differs).count() as f64
}
