//! The straight line through samples, by least squares.

use crate::evaluate::column::ABSENT;
use crate::evaluate::summation::Sum;

/// Slope per second and value at `origin` of the line through the samples, of which there is at least one.
fn line(timestamps: &[i64], values: &[f64], origin: i64) -> (f64, f64) {
    if values.iter().all(|value| *value == values[0]) {
        // Exact for constants, which rounding would else give a slope.
        if values[0].is_infinite() {
            return (f64::NAN, f64::NAN);
        }
        return (0.0, values[0]);
    }
    let count = values.len() as f64;
    let [mut x, mut y, mut xy, mut xx] = [Sum::default(); 4];
    for (timestamp, value) in timestamps.iter().zip(values) {
        let time = timestamp.wrapping_sub(origin) as f64 / 1000.0;
        x = x.add(time);
        y = y.add(*value);
        xy = xy.add(time * value);
        xx = xx.add(time * time);
    }
    let (x, y, xy, xx) = (x.total(), y.total(), xy.total(), xx.total());
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    (slope, y / count - slope * x / count)
}

/// `deriv`
pub(super) fn slope(timestamps: &[i64], values: &[f64]) -> f64 {
    if values.len() < 2 {
        return ABSENT;
    }
    line(timestamps, values, timestamps[0]).0
}

/// `predict_linear`: the line's value so many seconds after `now`.
pub(super) fn prediction(timestamps: &[i64], values: &[f64], now: i64, seconds: f64) -> f64 {
    if values.len() < 2 {
        return ABSENT;
    }
    let (slope, value) = line(timestamps, values, now);
    slope * seconds + value
}
