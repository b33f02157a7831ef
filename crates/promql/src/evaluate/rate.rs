//! Functions of how a counter or gauge moves in a range: rate, increase, delta, changes, resets.
//!
//! Each finds the places of interest of a series once; a window then only looks at those that lie in it.

use model::SampleColumns;

use super::column::ABSENT;
use super::windows::{Window, Windows};

/// What [`extrapolated`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slope {
    /// Whether a fall is a reset to zero.
    pub(super) counter: bool,
    /// Whether the result is divided by the length of the range.
    pub(super) per_second: bool,
}

/// `rate`, `increase` and `delta`.
///
/// 1. The increase from the first to the last sample, to which the value before each reset is added.
/// 2. It is extrapolated to both ends of the range if the nearest sample lies closer than 1.1 times the mean
///    distance of samples, else by half that distance; for a counter not past the point where it would be zero.
pub(super) fn extrapolated(
    slope: Slope,
    series: &SampleColumns,
    windows: Windows,
    out: &mut [f64],
) {
    let values = &series.values;
    let mut resets = Vec::new();
    if slope.counter {
        resets.extend((1..values.len()).filter(|index| values[*index] < values[index - 1]));
    }
    let mut first_reset = 0;
    for window in windows.over(&series.timestamps) {
        let (first, last) = (window.samples.start, window.samples.end - 1);
        if first == last {
            continue;
        }
        let mut increase = values[last] - values[first];
        while first_reset < resets.len() && resets[first_reset] <= first {
            first_reset += 1;
        }
        for reset in &resets[first_reset..] {
            if *reset > last {
                break;
            }
            increase += values[reset - 1];
        }
        out[window.step] =
            increase * extrapolation(slope, series, &window, windows.length, increase);
    }
}

/// The factor by which an increase between the outermost samples grows to that of the whole range.
fn extrapolation(
    slope: Slope,
    series: &SampleColumns,
    window: &Window,
    length: i64,
    increase: f64,
) -> f64 {
    let (first, last) = (window.samples.start, window.samples.end - 1);
    let (first_time, last_time) = (series.timestamps[first], series.timestamps[last]);
    let seconds = |millis: i64| millis as f64 / 1000.0;
    let mut to_start = seconds(first_time - window.start);
    let mut to_end = seconds(window.end - last_time);
    let sampled = seconds(last_time - first_time);
    let distance = sampled / (last - first) as f64;
    let threshold = distance * 1.1;
    if to_start >= threshold {
        to_start = distance / 2.0;
    }
    let first_value = series.values[first];
    if slope.counter && increase > 0.0 && first_value >= 0.0 {
        let to_zero = sampled * (first_value / increase);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = distance / 2.0;
    }
    let factor = (sampled + to_start + to_end) / sampled;
    if slope.per_second {
        factor / seconds(length)
    } else {
        factor
    }
}

/// `irate` (`rate`) and `idelta`: between the last two samples.
pub(super) fn instantaneous(rate: bool, timestamps: &[i64], values: &[f64]) -> f64 {
    let [.., before, last] = *values else {
        return ABSENT;
    };
    // After a reset the counter has grown from zero.
    let change = if rate && last < before {
        last
    } else {
        last - before
    };
    if !rate {
        return change;
    }
    let millis = timestamps[timestamps.len() - 1] - timestamps[timestamps.len() - 2];
    change / (millis as f64 / 1000.0)
}

/// `changes` and `resets`: how many neighbours in a range stand in the given relation.
pub(super) fn counted(
    relation: fn(before: f64, value: f64) -> bool,
    series: &SampleColumns,
    windows: Windows,
    out: &mut [f64],
) {
    // Before each sample, how many pairs up to it stand in the relation.
    let mut counts = Vec::with_capacity(series.len());
    let mut count = 0.0;
    for (index, value) in series.values.iter().enumerate() {
        if index > 0 && relation(series.values[index - 1], *value) {
            count += 1.0;
        }
        counts.push(count);
    }
    for window in windows.over(&series.timestamps) {
        out[window.step] = counts[window.samples.end - 1] - counts[window.samples.start];
    }
}

/// Whether two values differ, NaN being one value.
pub(super) fn is_change(before: f64, value: f64) -> bool {
    value != before && !(value.is_nan() && before.is_nan())
}

/// Whether a counter has started again.
pub(super) fn is_reset(before: f64, value: f64) -> bool {
    value < before
}
