//! The `*_over_time` family: functions of the samples in a range.

use std::collections::VecDeque;

use model::SampleColumns;

use crate::evaluate::rank::quantile;
use crate::evaluate::summation::{Mean, Sum};
use crate::plan::Windows;

/// `sum_over_time`
pub(super) fn sum(values: &[f64]) -> f64 {
    let sum = values
        .iter()
        .fold(Sum::default(), |sum, value| sum.add(*value));
    if sum.sum.is_infinite() {
        sum.sum
    } else {
        sum.total()
    }
}

/// `avg_over_time`
pub(super) fn average(values: &[f64]) -> f64 {
    let mut mean = Mean::new(values[0]);
    for value in &values[1..] {
        mean.add(*value);
    }
    mean.value()
}

/// `stdvar_over_time`, by Welford's method with compensated sums.
pub(super) fn variance(values: &[f64]) -> f64 {
    let mut count = 0.0;
    let (mut mean, mut squares) = (Sum::default(), Sum::default());
    for value in values {
        count += 1.0;
        let delta = value - mean.total();
        mean = mean.add(delta / count);
        squares = squares.add(delta * (value - mean.total()));
    }
    squares.total() / count
}

/// `mad_over_time`: the median distance from the median.
pub(super) fn median_deviation(values: &[f64]) -> f64 {
    let median = quantile(0.5, &mut values.to_vec());
    let mut distances: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
    quantile(0.5, &mut distances)
}

/// `double_exponential_smoothing`; none for less than two values.
pub(super) fn smoothed(values: &[f64], smoothing: f64, trend: f64) -> Option<f64> {
    let [first, second, ..] = *values else {
        return None;
    };
    let (mut before, mut level, mut slope) = (0.0, first, second - first);
    for (index, value) in values.iter().enumerate().skip(1) {
        let scaled = smoothing * value;
        if index > 1 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let carried = (1.0 - smoothing) * (level + slope);
        (before, level) = (level, scaled + carried);
    }
    Some(level)
}

/// `min_over_time` and `max_over_time`: NaN only where there is nothing else.
///
/// A queue holds the candidates: samples that no later one of the window beats. Each sample enters and leaves it
/// once.
pub(super) fn extreme(
    beats: fn(f64, f64) -> bool,
    series: &SampleColumns,
    windows: Windows,
    out: &mut [f64],
) {
    let values = &series.values;
    let mut candidates: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    for window in windows.over(&series.timestamps) {
        next = next.max(window.samples.start);
        while next < window.samples.end {
            if !values[next].is_nan() {
                while candidates
                    .back()
                    .is_some_and(|back| beats(values[next], values[*back]))
                {
                    candidates.pop_back();
                }
                candidates.push_back(next);
            }
            next += 1;
        }
        while candidates
            .front()
            .is_some_and(|front| *front < window.samples.start)
        {
            candidates.pop_front();
        }
        out[window.step] = match candidates.front() {
            Some(front) => values[*front],
            None => values[window.samples.start],
        };
    }
}

/// The time in seconds of the last sample that no other one of the window beats.
pub(super) fn time_of_extreme(
    beats: fn(f64, f64) -> bool,
    timestamps: &[i64],
    values: &[f64],
) -> f64 {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if !beats(values[best], *value) && !value.is_nan() || values[best].is_nan() {
            best = index;
        }
    }
    timestamps[best] as f64 / 1000.0
}
