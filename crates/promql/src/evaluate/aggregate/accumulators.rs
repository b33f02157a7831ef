//! What a group remembers of its series, step by step.

use std::sync::Arc;

use crate::evaluate::column::{ABSENT, Column, Histograms, is_present};
use crate::evaluate::noting::{Noting, Operation};
use crate::evaluate::rank::quantile;
use crate::evaluate::summation::{Mean, Sum};
use crate::evaluate::sums::HistogramSum;

/// Takes columns in, gives one out.
pub(super) trait Accumulator {
    /// Whether it sees numbers only.
    const IGNORES_HISTOGRAMS: bool = true;

    /// Takes the values of one series, one for each step; how many samples more it holds now than one for each step.
    fn add(&mut self, column: &Column, noting: &Noting<'_>) -> usize;

    /// The value at each step.
    fn finish(self, noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>);
}

/// `sum`
pub(super) struct Total {
    sums: Vec<Sum>,
    histograms: HistogramTotals,
}

impl Total {
    pub(super) fn new(count: usize) -> Self {
        Self {
            sums: vec![Sum::new(ABSENT, 0.0); count],
            histograms: HistogramTotals::new(false),
        }
    }
}

impl Accumulator for Total {
    const IGNORES_HISTOGRAMS: bool = false;

    fn add(&mut self, column: &Column, noting: &Noting<'_>) -> usize {
        let more = self.histograms.add(column, noting);
        for (sum, value) in self.sums.iter_mut().zip(&column.values) {
            if !is_present(*value) {
                continue;
            }
            *sum = if is_present(sum.sum) {
                sum.add(*value)
            } else {
                Sum::new(*value, 0.0)
            };
        }
        more
    }

    fn finish(self, noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>) {
        let total = |sum: Sum| {
            if is_present(sum.sum) {
                sum.total()
            } else {
                ABSENT
            }
        };
        let mut values = self.sums.into_iter().map(total).collect();
        let histograms = self.histograms.finish(&mut values, noting);
        (values, histograms)
    }
}

/// `avg`
pub(super) struct Average {
    means: Vec<Option<Mean>>,
    histograms: HistogramTotals,
}

impl Average {
    pub(super) fn new(count: usize) -> Self {
        Self {
            means: vec![None; count],
            histograms: HistogramTotals::new(true),
        }
    }
}

impl Accumulator for Average {
    const IGNORES_HISTOGRAMS: bool = false;

    fn add(&mut self, column: &Column, noting: &Noting<'_>) -> usize {
        let more = self.histograms.add(column, noting);
        for (mean, value) in self.means.iter_mut().zip(&column.values) {
            match mean {
                _ if !is_present(*value) => {}
                Some(mean) => mean.add(*value),
                None => *mean = Some(Mean::new(*value)),
            }
        }
        more
    }

    fn finish(self, noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>) {
        let value = |mean: Option<Mean>| mean.map_or(ABSENT, |mean| mean.value());
        let mut values = self.means.into_iter().map(value).collect();
        let histograms = self.histograms.finish(&mut values, noting);
        (values, histograms)
    }
}

/// The native histograms that `sum` and `avg` have seen, by step; empty as long as there were none.
struct HistogramTotals {
    mean: bool,
    steps: Vec<HistogramTotal>,
}

#[derive(Debug)]
enum HistogramTotal {
    None,
    Sum(Box<HistogramSum>),
    /// Some had custom buckets and some had not.
    Impossible,
}

impl HistogramTotals {
    fn new(mean: bool) -> Self {
        let steps = Vec::new();
        Self { mean, steps }
    }

    fn add(&mut self, column: &Column, noting: &Noting<'_>) -> usize {
        let Some(histograms) = &column.histograms else {
            return 0;
        };
        let mut more = 0;
        if self.steps.is_empty() {
            more = column.weight();
            self.steps
                .resize_with(histograms.len(), || HistogramTotal::None);
        }
        for (total, histogram) in self.steps.iter_mut().zip(histograms) {
            let Some(histogram) = histogram else {
                continue;
            };
            match total {
                HistogramTotal::None => {
                    let sum = HistogramSum::new(self.mean, histogram);
                    *total = HistogramTotal::Sum(Box::new(sum));
                }
                HistogramTotal::Sum(sum) => {
                    if sum.add(histogram).is_err() {
                        noting.mixed_schemas();
                        *total = HistogramTotal::Impossible;
                    }
                }
                HistogramTotal::Impossible => {}
            }
        }
        more
    }

    /// The sums, and no value at all where there are numbers besides.
    fn finish(self, values: &mut Vec<f64>, noting: &Noting<'_>) -> Option<Histograms> {
        if self.steps.is_empty() {
            return None;
        }
        let totals = self.steps.into_iter().zip(values);
        let finished = totals.map(|(total, value)| {
            if matches!(total, HistogramTotal::None) {
                return None;
            }
            if is_present(*value) {
                noting.warn("encountered a mix of histograms and floats for aggregation");
                *value = ABSENT;
                return None;
            }
            let HistogramTotal::Sum(sum) = total else {
                return None;
            };
            sum.note(noting, Operation::Aggregation);
            Some(Arc::new(sum.finish()))
        });
        Some(finished.collect())
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
    fn add(&mut self, column: &Column, _noting: &Noting<'_>) -> usize {
        let values = &column.values;
        for (best, value) in self.best.iter_mut().zip(values) {
            // The absent value is a NaN as well.
            if is_present(*value) && (best.is_nan() || (self.beats)(*value, *best)) {
                *best = *value;
            }
        }
        0
    }

    fn finish(self, _noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>) {
        (self.best, None)
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
    const IGNORES_HISTOGRAMS: bool = false;

    fn add(&mut self, column: &Column, _noting: &Noting<'_>) -> usize {
        for (step, count) in self.counts.iter_mut().enumerate() {
            *count += u64::from(column.is_present_at(step));
        }
        0
    }

    fn finish(self, _noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>) {
        let value = |count: u64| if count == 0 { ABSENT } else { count as f64 };
        (self.counts.into_iter().map(value).collect(), None)
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
    const IGNORES_HISTOGRAMS: bool = false;

    fn add(&mut self, column: &Column, _noting: &Noting<'_>) -> usize {
        for (step, present) in self.values.iter_mut().enumerate() {
            if column.is_present_at(step) {
                *present = 1.0;
            }
        }
        0
    }

    fn finish(self, _noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>) {
        (self.values, None)
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
    fn add(&mut self, column: &Column, _noting: &Noting<'_>) -> usize {
        let values = &column.values;
        for (spread, value) in self.steps.iter_mut().zip(values) {
            if !is_present(*value) {
                continue;
            }
            spread.count += 1.0;
            let delta = value - spread.mean;
            spread.mean += delta / spread.count;
            spread.squares += delta * (value - spread.mean);
        }
        0
    }

    fn finish(self, _noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>) {
        let value = |spread: Spread| match spread.count {
            0.0 => ABSENT,
            count if self.root => (spread.squares / count).sqrt(),
            count => spread.squares / count,
        };
        (self.steps.into_iter().map(value).collect(), None)
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
    fn add(&mut self, column: &Column, _noting: &Noting<'_>) -> usize {
        let values = &column.values;
        for (all, value) in self.values.iter_mut().zip(values) {
            if is_present(*value) {
                all.push(*value);
            }
        }
        column.values.len()
    }

    fn finish(self, _noting: &Noting<'_>) -> (Vec<f64>, Option<Histograms>) {
        let steps = self.values.into_iter().zip(self.quantiles);
        let value = |(mut values, q): (Vec<f64>, f64)| match values.len() {
            0 => ABSENT,
            _ => quantile(q, &mut values),
        };
        (steps.map(value).collect(), None)
    }
}
