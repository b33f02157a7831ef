//! What a group remembers of its series, step by step.

use crate::evaluate::column::{ABSENT, is_present};
use crate::evaluate::rank::quantile;
use crate::evaluate::summation::{Mean, Sum};

/// Takes columns in, gives one out.
pub(super) trait Accumulator {
    /// Whether it holds all values and not one per step.
    const HOLDS_VALUES: bool = false;

    /// Takes the values of one series, one for each step.
    fn add(&mut self, values: &[f64]);

    /// The value at each step.
    fn finish(self) -> Vec<f64>;
}

/// `sum`
pub(super) struct Total {
    sums: Vec<Sum>,
}

impl Total {
    pub(super) fn new(count: usize) -> Self {
        Self {
            sums: vec![Sum::new(ABSENT, 0.0); count],
        }
    }
}

impl Accumulator for Total {
    fn add(&mut self, values: &[f64]) {
        for (sum, value) in self.sums.iter_mut().zip(values) {
            if !is_present(*value) {
                continue;
            }
            *sum = if is_present(sum.sum) {
                sum.add(*value)
            } else {
                Sum::new(*value, 0.0)
            };
        }
    }

    fn finish(self) -> Vec<f64> {
        let total = |sum: Sum| {
            if is_present(sum.sum) {
                sum.total()
            } else {
                ABSENT
            }
        };
        self.sums.into_iter().map(total).collect()
    }
}

/// `avg`
pub(super) struct Average {
    means: Vec<Option<Mean>>,
}

impl Average {
    pub(super) fn new(count: usize) -> Self {
        Self {
            means: vec![None; count],
        }
    }
}

impl Accumulator for Average {
    fn add(&mut self, values: &[f64]) {
        for (mean, value) in self.means.iter_mut().zip(values) {
            match mean {
                _ if !is_present(*value) => {}
                Some(mean) => mean.add(*value),
                None => *mean = Some(Mean::new(*value)),
            }
        }
    }

    fn finish(self) -> Vec<f64> {
        let value = |mean: Option<Mean>| mean.map_or(ABSENT, |mean| mean.value());
        self.means.into_iter().map(value).collect()
    }
}

/// `min` and `max`: NaN only where there is nothing else.
pub(super) struct Extreme {
    best: Vec<f64>,
    beats: fn(f64, f64) -> bool,
}

impl Extreme {
    pub(super) fn new(count: usize, beats: fn(f64, f64) -> bool) -> Self {
        Self {
            best: vec![ABSENT; count],
            beats,
        }
    }
}

impl Accumulator for Extreme {
    fn add(&mut self, values: &[f64]) {
        for (best, value) in self.best.iter_mut().zip(values) {
            // The absent value is a NaN as well.
            if is_present(*value) && (best.is_nan() || (self.beats)(*value, *best)) {
                *best = *value;
            }
        }
    }

    fn finish(self) -> Vec<f64> {
        self.best
    }
}

/// `count`
pub(super) struct Count {
    counts: Vec<u64>,
}

impl Count {
    pub(super) fn new(count: usize) -> Self {
        Self {
            counts: vec![0; count],
        }
    }
}

impl Accumulator for Count {
    fn add(&mut self, values: &[f64]) {
        for (count, value) in self.counts.iter_mut().zip(values) {
            *count += u64::from(is_present(*value));
        }
    }

    fn finish(self) -> Vec<f64> {
        let value = |count: u64| if count == 0 { ABSENT } else { count as f64 };
        self.counts.into_iter().map(value).collect()
    }
}

/// `group`: 1 where there is any series.
pub(super) struct Present {
    values: Vec<f64>,
}

impl Present {
    pub(super) fn new(count: usize) -> Self {
        Self {
            values: vec![ABSENT; count],
        }
    }
}

impl Accumulator for Present {
    fn add(&mut self, values: &[f64]) {
        for (present, value) in self.values.iter_mut().zip(values) {
            if is_present(*value) {
                *present = 1.0;
            }
        }
    }

    fn finish(self) -> Vec<f64> {
        self.values
    }
}

/// `stdvar` and `stddev`, by Welford's method.
pub(super) struct Variance {
    steps: Vec<Spread>,
    root: bool,
}

#[derive(Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Variance {
    pub(super) fn new(count: usize, root: bool) -> Self {
        Self {
            steps: vec![Spread::default(); count],
            root,
        }
    }
}

impl Accumulator for Variance {
    fn add(&mut self, values: &[f64]) {
        for (spread, value) in self.steps.iter_mut().zip(values) {
            if !is_present(*value) {
                continue;
            }
            spread.count += 1.0;
            let delta = value - spread.mean;
            spread.mean += delta / spread.count;
            spread.squares += delta * (value - spread.mean);
        }
    }

    fn finish(self) -> Vec<f64> {
        let value = |spread: Spread| match spread.count {
            0.0 => ABSENT,
            count if self.root => (spread.squares / count).sqrt(),
            count => spread.squares / count,
        };
        self.steps.into_iter().map(value).collect()
    }
}

/// `quantile`
pub(super) struct Values {
    values: Vec<Vec<f64>>,
    quantiles: Vec<f64>,
}

impl Values {
    pub(super) fn new(quantiles: Vec<f64>) -> Self {
        Self {
            values: vec![Vec::new(); quantiles.len()],
            quantiles,
        }
    }
}

impl Accumulator for Values {
    const HOLDS_VALUES: bool = true;

    fn add(&mut self, values: &[f64]) {
        for (all, value) in self.values.iter_mut().zip(values) {
            if is_present(*value) {
                all.push(*value);
            }
        }
    }

    fn finish(self) -> Vec<f64> {
        let steps = self.values.into_iter().zip(self.quantiles);
        let value = |(mut values, q): (Vec<f64>, f64)| match values.len() {
            0 => ABSENT,
            _ => quantile(q, &mut values),
        };
        steps.map(value).collect()
    }
}
