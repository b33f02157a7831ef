//! Rates, sums and means of the native histograms in a range.

use std::sync::Arc;

use model::CounterReset;

use super::histogram_point;
use super::rate::{Outer, Slope};
use crate::FloatHistogram;
use crate::evaluate::column::Point;
use crate::evaluate::noting::{Noting, Operation};
use crate::evaluate::samples::SeriesSamples;
use crate::evaluate::sums::HistogramSum;
use crate::plan::{Window, Windows};

type Timed = (i64, Arc<FloatHistogram>);

/// `rate`, `increase` and `delta` of histograms alone.
pub(super) fn slope(
    slope: Slope,
    samples: &SeriesSamples,
    window: &Window,
    windows: Windows,
    inside: &[Timed],
    noting: &Noting<'_>,
) -> Option<FloatHistogram> {
    let (first, last) = (inside.first()?, inside.last()?);
    let began = slope.began(samples, window.start, first.0);
    let mut result = match (inside.len(), began) {
        (1, None) => return None,
        (1, Some(_)) => FloatHistogram::clone(&first.1),
        _ => increase(slope.counter, samples, inside, noting)?,
    };
    let range = (window.start, window.end);
    let outer = Outer::new(range, (first.0, last.0), inside.len());
    let factor = match began {
        Some(began) => {
            if inside.len() > 1 {
                noting.add(&mut result, &first.1)?;
            }
            outer.factor_since(last.0 - began)
        }
        None => {
            let known = slope.counter && result.count > 0.0 && first.1.count >= 0.0;
            outer.factor(known.then(|| first.1.count / result.count))
        }
    };
    result.mul(slope.scaled(factor, windows));
    Some(result)
}

/// The increase between the outermost histograms.
fn increase(
    counter: bool,
    samples: &SeriesSamples,
    inside: &[Timed],
    noting: &Noting<'_>,
) -> Option<FloatHistogram> {
    let (first, last) = (&inside[0].1, &inside[inside.len() - 1].1);
    let is_gauge = |histogram: &FloatHistogram| histogram.reset == CounterReset::Gauge;
    if counter && (is_gauge(first) || is_gauge(last)) {
        noting.not_a_counter();
    }
    let resets_at = |index: usize, before: &FloatHistogram| {
        let (before_at, at) = (inside[index - 1].0, inside[index].0);
        samples.started_between(before_at, at) || inside[index].1.detect_reset(before)
    };
    let mut before: Arc<FloatHistogram> = Arc::clone(first);
    if counter && resets_at(1, first) {
        // What was before a reset is not looked at, so its buckets need not fit.
        let mut nothing = FloatHistogram::empty(inside[1].1.schema);
        nothing.custom_bounds = Arc::clone(&inside[1].1.custom_bounds);
        before = Arc::new(nothing);
    }
    let custom = before.has_custom_buckets();
    if last.has_custom_buckets() != custom {
        noting.mixed_schemas();
        return None;
    }
    let mut schema = last.schema.min(before.schema);
    if counter {
        for (_, histogram) in &inside[1..inside.len() - 1] {
            if is_gauge(histogram) {
                noting.not_a_counter();
            }
            schema = schema.min(histogram.schema);
            if histogram.has_custom_buckets() != custom {
                noting.mixed_schemas();
                return None;
            }
        }
    }
    let mut result = FloatHistogram::clone(last);
    if !custom {
        result.reduce(schema);
    }
    noting.subtract(&mut result, &before)?;
    if counter {
        for (index, (_, histogram)) in inside.iter().enumerate().skip(1) {
            if resets_at(index, &before) {
                noting.add(&mut result, &before)?;
            }
            before = Arc::clone(histogram);
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        noting.not_a_gauge();
    }
    result.reset = CounterReset::Gauge;
    result.compact(0);
    Some(result)
}

/// `irate` (`rate`) and `idelta`: between the last two samples, which must be of one kind.
pub(super) fn instantaneous(
    rate: bool,
    samples: &SeriesSamples,
    (times, values): (&[i64], &[f64]),
    inside: &[Timed],
    noting: &Noting<'_>,
) -> Option<Point> {
    let floats = times.len().saturating_sub(2)..times.len();
    let histograms = inside.len().saturating_sub(2)..inside.len();
    let mut newest: Vec<(i64, Point)> = floats
        .map(|index| (times[index], Point::Float(values[index])))
        .collect();
    newest.extend(
        inside[histograms]
            .iter()
            .map(|(at, histogram)| (*at, Point::Histogram(Arc::clone(histogram)))),
    );
    newest.sort_by_key(|(at, _)| *at);
    let [.., (before_at, before), (at, last)] = &newest[..] else {
        return None;
    };
    let millis = at - before_at;
    if millis == 0 {
        return None;
    }
    let seconds = millis as f64 / 1000.0;
    let started = samples.started_between(*before_at, *at);
    match (before, last) {
        (Point::Float(before), Point::Float(last)) => {
            let reset = rate && (last < before || started);
            let change = if reset { *last } else { last - before };
            Some(Point::Float(if rate { change / seconds } else { change }))
        }
        (Point::Histogram(before), Point::Histogram(last)) => {
            let is_gauge = |histogram: &FloatHistogram| histogram.reset == CounterReset::Gauge;
            if rate && (is_gauge(last) || is_gauge(before)) {
                noting.not_a_counter();
            }
            if !rate && (!is_gauge(last) || !is_gauge(before)) {
                noting.not_a_gauge();
            }
            let mut result = FloatHistogram::clone(last);
            if !rate || !(started || last.detect_reset(before)) {
                noting.subtract(&mut result, before)?;
            }
            result.reset = CounterReset::Gauge;
            result.compact(0);
            if rate {
                result.div(seconds);
            }
            histogram_point(result)
        }
        _ => {
            noting.mixed_floats_and_histograms();
            None
        }
    }
}

/// The sum of histograms, or their mean.
pub(super) fn total<'h>(
    mean: bool,
    mut all: impl Iterator<Item = &'h FloatHistogram>,
    noting: &Noting<'_>,
) -> Option<FloatHistogram> {
    let mut sum = HistogramSum::new(mean, all.next()?);
    let mut fits = true;
    for histogram in all {
        if sum.add(histogram).is_err() {
            noting.mixed_schemas();
            fits = false;
            break;
        }
    }
    if fits {
        sum.note(noting, Operation::Aggregation);
    }
    fits.then(|| sum.finish())
}
