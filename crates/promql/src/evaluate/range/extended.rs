//! `anchored` and `smoothed`: samples around a range stand for the values at its ends.
//!
//! 1. Of the samples from the look-back before the range, the last one before it is the first of interest. With
//!    `smoothed` the first one at or after the end is the last of interest.
//! 2. The values at both ends: with `anchored` those of these samples, with `smoothed` the straight line between the
//!    samples around the end; after a counter's reset the line begins at zero.
//! 3. Their difference, and for a counter the values before each reset between them.

use std::sync::Arc;

use model::CounterReset;

use super::rate::Slope;
use crate::evaluate::column::Point;
use crate::evaluate::noting::Noting;
use crate::evaluate::samples::SeriesSamples;
use crate::plan::Windows;
use crate::{Extension, FloatHistogram};

/// Samples around one range.
pub(super) struct Around<'a> {
    floats: &'a [f64],
    float_times: &'a [i64],
    histograms: &'a [(i64, Arc<FloatHistogram>)],
    start: i64,
    end: i64,
    smoothed: bool,
}

/// Each range with the samples from `lookback` milliseconds before it, and with `smoothed` to as many after it.
pub(super) fn around<'a>(
    samples: &'a SeriesSamples,
    windows: Windows,
    extension: Extension,
    lookback: i64,
) -> impl Iterator<Item = (usize, Around<'a>)> {
    let smoothed = extension == Extension::Smoothed;
    windows
        .moments
        .iter()
        .enumerate()
        .filter_map(move |(step, end)| {
            let start = end.saturating_sub(windows.length);
            let first = start.saturating_sub(lookback);
            let last = end.saturating_add(if smoothed { lookback } else { 0 });
            let times = &samples.floats.timestamps;
            let from = times.partition_point(|at| *at <= first);
            let to = times.partition_point(|at| *at <= last);
            let histograms = &samples.histograms;
            let from_histogram = histograms.partition_point(|(at, _)| *at <= first);
            let to_histogram = histograms.partition_point(|(at, _)| *at <= last);
            let around = Around {
                floats: &samples.floats.values[from..to],
                float_times: &times[from..to],
                histograms: &histograms[from_histogram..to_histogram],
                start,
                end,
                smoothed,
            };
            let any = !around.floats.is_empty() || !around.histograms.is_empty();
            any.then_some((step, around))
        })
}

/// `rate`, `increase` and `delta`.
pub(super) fn slope(
    slope: Slope,
    around: &Around<'_>,
    length: i64,
    noting: &Noting<'_>,
) -> Option<Point> {
    match (around.floats.is_empty(), around.histograms.is_empty()) {
        (false, false) => {
            noting.mixed_floats_and_histograms();
            None
        }
        (false, true) => slope_of_floats(slope, around, length).map(Point::Float),
        (true, false) => slope_of_histograms(slope, around, length, noting)
            .map(|histogram| Point::Histogram(Arc::new(histogram))),
        (true, true) => None,
    }
}

/// The indices of the first and last sample of interest; none if no sample lies in the range.
fn interest(
    around: &Around<'_>,
    len: usize,
    time: impl Fn(usize) -> i64,
) -> Option<(usize, usize)> {
    let search = |until: usize, holds: &dyn Fn(usize) -> bool| {
        (0..until).find(|index| holds(*index)).unwrap_or(until)
    };
    let mut last = len - 1;
    let first = search(last, &|index| time(index) > around.start).saturating_sub(1);
    if around.smoothed {
        last = search(last, &|index| time(index) >= around.end);
    }
    let nothing = time(last) <= around.start || around.smoothed && time(first) > around.end;
    (!nothing).then_some((first, last))
}

fn slope_of_floats(slope: Slope, around: &Around<'_>, length: i64) -> Option<f64> {
    let (values, times) = (around.floats, around.float_times);
    let (mut first, last) = interest(around, values.len(), |index| times[index])?;
    let between = |one: usize, at: i64| {
        let (mut before, after) = (values[one], values[one + 1]);
        if slope.counter && after < before {
            before = 0.0;
        }
        let share = (at - times[one]) as f64;
        before + (after - before) * share / (times[one + 1] - times[one]) as f64
    };
    let left = match around.smoothed && times[first] < around.start {
        true => between(first, around.start),
        false => values[first],
    };
    let right = match around.smoothed && last > 0 && times[last] > around.end {
        true => between(last - 1, around.end),
        false => values[last],
    };
    let mut result = right - left;
    if slope.counter {
        if times[first] <= around.start {
            first += 1;
        }
        let last = if times[last] >= around.end {
            last
        } else {
            last + 1
        };
        let mut before = left;
        let mut correction = 0.0;
        for value in values[first.min(last)..last].iter().chain([&right]) {
            if *value < before {
                correction += before;
            }
            before = *value;
        }
        result += correction;
    }
    if slope.per_second {
        result /= length as f64 / 1000.0;
    }
    Some(result)
}

fn slope_of_histograms(
    slope: Slope,
    around: &Around<'_>,
    length: i64,
    noting: &Noting<'_>,
) -> Option<FloatHistogram> {
    let all = around.histograms;
    let (first, last) = interest(around, all.len(), |index| all[index].0)?;
    let custom = all[first].1.has_custom_buckets();
    for (_, histogram) in &all[first..=last] {
        if histogram.has_custom_buckets() != custom {
            noting.mixed_schemas();
            return None;
        }
        if slope.counter && histogram.reset == CounterReset::Gauge {
            noting.not_a_counter();
        }
    }
    let left = match around.smoothed && all[first].0 < around.start {
        true => between(
            &all[first],
            &all[first + 1],
            around.start,
            slope.counter,
            noting,
        )?,
        false => FloatHistogram::clone(&all[first].1),
    };
    let right = match around.smoothed && last > 0 && all[last].0 > around.end {
        true => between(
            &all[last - 1],
            &all[last],
            around.end,
            slope.counter,
            noting,
        )?,
        false => FloatHistogram::clone(&all[last].1),
    };
    let gauge = |histogram: &FloatHistogram| histogram.reset == CounterReset::Gauge;
    if !slope.counter && (!gauge(&left) || !gauge(&right)) {
        noting.not_a_gauge();
    }
    let mut result = right.clone();
    noting.subtract(&mut result, &left)?;
    if slope.counter {
        correct(&mut result, around, (first, last), &left, &right, noting)?;
    }
    if slope.per_second {
        result.div(length as f64 / 1000.0);
    }
    result.reset = CounterReset::Gauge;
    result.compact(0);
    Some(result)
}

/// Adds what was counted before each reset.
fn correct(
    result: &mut FloatHistogram,
    around: &Around<'_>,
    (first, last): (usize, usize),
    left: &FloatHistogram,
    right: &FloatHistogram,
    noting: &Noting<'_>,
) -> Option<()> {
    let all = around.histograms;
    let mut next = first + 1;
    let mut before = left;
    let spans = around.smoothed && all[first].0 < around.start;
    if spans && all[first + 1].1.detect_reset(&all[first].1) {
        // The line to the left end has seen this reset already.
        before = &all[first + 1].1;
        next += 1;
    }
    if next > last {
        return Some(());
    }
    let mut correction: Option<FloatHistogram> = None;
    // The last one is the right end, or lies after it.
    let inner = all[next..last].iter().map(|(_, histogram)| &**histogram);
    for histogram in inner.chain([right]) {
        if histogram.detect_reset(before) {
            match &mut correction {
                Some(correction) => noting.add(correction, before)?,
                None => correction = Some(before.clone()),
            }
        }
        before = histogram;
    }
    match correction {
        Some(correction) => noting.add(result, &correction),
        None => Some(()),
    }
}

/// The histogram on the straight line between two others at a moment.
fn between(
    (time, one): &(i64, Arc<FloatHistogram>),
    (next_time, next): &(i64, Arc<FloatHistogram>),
    at: i64,
    counter: bool,
    noting: &Noting<'_>,
) -> Option<FloatHistogram> {
    if at == *time {
        return Some(FloatHistogram::clone(one));
    }
    let mut result = FloatHistogram::clone(next);
    if at == *next_time {
        return Some(result);
    }
    let share = (at - time) as f64 / (next_time - time) as f64;
    if counter && next.detect_reset(one) {
        result.mul(share);
        return Some(result);
    }
    noting.subtract(&mut result, one)?;
    result.mul(share);
    noting.add(&mut result, one)?;
    Some(result)
}

/// What `metric smoothed` is at a moment: on the line between the samples around it that are not further away than
/// `around` milliseconds; the sample before it if there is none after it.
pub(in crate::evaluate) fn interpolated(
    samples: &SeriesSamples,
    at: i64,
    around: i64,
    noting: &Noting<'_>,
) -> Option<Point> {
    let (first, last) = (at.saturating_sub(around), at.saturating_add(around));
    let times = &samples.floats.timestamps;
    let floats =
        times.partition_point(|time| *time <= first)..times.partition_point(|time| *time <= last);
    let all = &samples.histograms;
    let histograms = all.partition_point(|(time, _)| *time <= first)
        ..all.partition_point(|(time, _)| *time <= last);
    if !floats.is_empty() && !histograms.is_empty() {
        noting.mixed_floats_and_histograms();
        return None;
    }
    if !floats.is_empty() {
        let after = times[floats.clone()].partition_point(|time| *time < at) + floats.start;
        let values = &samples.floats.values;
        if after < floats.end && times[after] == at {
            return Some(Point::Float(values[after]));
        }
        if after == floats.start {
            return None;
        }
        if after == floats.end {
            return Some(Point::Float(values[after - 1]));
        }
        let share = (at - times[after - 1]) as f64;
        let distance = (times[after] - times[after - 1]) as f64;
        let (before, next) = (values[after - 1], values[after]);
        return Some(Point::Float(before + (next - before) * share / distance));
    }
    if histograms.is_empty() {
        return None;
    }
    let inside = &all[histograms];
    let after = inside.partition_point(|(time, _)| *time < at);
    if after < inside.len() && inside[after].0 == at {
        return Some(Point::Histogram(Arc::clone(&inside[after].1)));
    }
    if after == 0 {
        return None;
    }
    if after == inside.len() {
        return Some(Point::Histogram(Arc::clone(&inside[after - 1].1)));
    }
    let (one, next) = (&inside[after - 1], &inside[after]);
    let gauge = |histogram: &FloatHistogram| histogram.reset == CounterReset::Gauge;
    let counter = !gauge(&one.1) && !gauge(&next.1);
    if one.1.has_custom_buckets() != next.1.has_custom_buckets() {
        noting.mixed_schemas();
        return None;
    }
    let histogram = between(one, next, at, counter, noting)?;
    Some(Point::Histogram(Arc::new(histogram)))
}

/// Times and values of floats, and histograms with their times.
type Parts<'a> = (&'a [i64], &'a [f64], &'a [(i64, Arc<FloatHistogram>)]);

/// The samples in an anchored range and the last one before it, for `changes` and `resets`.
pub(super) fn anchored<'a>(around: &Around<'a>) -> Option<Parts<'a>> {
    let before = |times: &[i64]| times.partition_point(|at| *at <= around.start);
    let floats = before(around.float_times);
    let histograms = around
        .histograms
        .partition_point(|(at, _)| *at <= around.start);
    if floats == around.floats.len() && histograms == around.histograms.len() {
        return None;
    }
    let float_anchor = floats.checked_sub(1).map(|index| around.float_times[index]);
    let histogram_anchor = histograms
        .checked_sub(1)
        .map(|index| around.histograms[index].0);
    let (floats, histograms) = match float_anchor > histogram_anchor {
        true => (floats - 1, histograms),
        false => (floats, histograms.saturating_sub(1)),
    };
    Some((
        &around.float_times[floats..],
        &around.floats[floats..],
        &around.histograms[histograms..],
    ))
}
