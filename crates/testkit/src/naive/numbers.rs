//! Sums, means, deviations and quantiles of numbers, with the same compensation of rounding as Prometheus.

/// Neumaier's sum: what each addition rounds away is kept besides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) sum: f64,
    pub(super) rest: f64,
}

impl Sum {
    pub(super) fn add(self, value: f64) -> Self {
        let sum = self.sum + value;
        let rest = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.rest + ((self.sum - sum) + value)
        } else {
            self.rest + ((value - sum) + self.sum)
        };
        Self { sum, rest }
    }

    pub(super) fn of(values: &[f64]) -> Self {
        let mut sum = Self::default();
        for value in values {
            sum = sum.add(*value);
        }
        sum
    }
}

/// The mean: a sum that is divided, or once that is infinite the mean of means.
pub(super) fn mean(values: &[f64]) -> f64 {
    let mut sum = Sum {
        sum: values[0],
        rest: 0.0,
    };
    let mut incremental = false;
    let mut count = 1.0;
    for value in &values[1..] {
        count += 1.0;
        if !incremental {
            let next = sum.add(*value);
            if !next.sum.is_infinite() {
                sum = next;
                continue;
            }
            incremental = true;
            sum.sum /= count - 1.0;
            sum.rest /= count - 1.0;
        }
        let weight = (count - 1.0) / count;
        let weighted = Sum {
            sum: weight * sum.sum,
            rest: weight * sum.rest,
        };
        sum = weighted.add(value / count);
    }
    match incremental {
        true => sum.sum + sum.rest,
        false => sum.sum / count + sum.rest / count,
    }
}

/// The variance of samples over time.
pub(super) fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (Sum::default(), Sum::default());
    let mut count = 0.0;
    for value in values {
        count += 1.0;
        let delta = value - (mean.sum + mean.rest);
        mean = mean.add(delta / count);
        squares = squares.add(delta * (value - (mean.sum + mean.rest)));
    }
    (squares.sum + squares.rest) / count
}

/// The quantile of numbers; NaN is the smallest.
pub(super) fn quantile(q: f64, values: &[f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (false, false) => a.total_cmp(b),
        (a, b) => b.cmp(&a),
    });
    let rank = q * (sorted.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(sorted.len() - 1);
    let weight = rank - rank.floor();
    sorted[lower] * (1.0 - weight) + sorted[upper] * weight
}

/// Slope and intercept of the line through samples; seconds are counted from a moment in milliseconds.
pub(super) fn regression(samples: &[(i64, f64)], from: i64) -> (f64, f64) {
    let first = samples[0].1;
    if samples.iter().all(|(_, value)| *value == first) {
        return match first.is_infinite() {
            true => (f64::NAN, f64::NAN),
            false => (0.0, first),
        };
    }
    let total = |of: &dyn Fn(f64, f64) -> f64| {
        let mut sum = Sum::default();
        for (time, value) in samples {
            sum = sum.add(of((time - from) as f64 / 1000.0, *value));
        }
        sum.sum + sum.rest
    };
    let count = samples.len() as f64;
    let (x, y) = (total(&|x, _| x), total(&|_, y| y));
    let (xy, xx) = (total(&|x, y| x * y), total(&|x, _| x * x));
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    (slope, y / count - slope * x / count)
}
