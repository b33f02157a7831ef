//! Classic histograms, a series for each bucket, as one histogram with custom buckets.

use model::CUSTOM_BUCKETS;
use thiserror::Error;

use super::FloatHistogram;
use super::buckets::Builder;

/// The series of one classic histogram at a moment, as they are collected.
#[derive(Clone, Debug, Default)]
pub struct ClassicHistogram {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Why the series of a classic histogram make none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClassicHistogramFault {
    /// The bound of a bucket is NaN.
    #[error("the bound of a bucket is NaN")]
    Bound,
    /// A count is negative or NaN.
    #[error("a count is negative or no number")]
    Count,
    /// Counts fall with rising bounds.
    #[error("counts fall with rising bounds")]
    Falling,
    /// There is more in the buckets than the count of all.
    #[error("the count of all is not the count up to +Inf")]
    Total,
}

impl ClassicHistogram {
    /// Notes that `count` observations are at most `bound`.
    pub fn add_bucket(&mut self, bound: f64, count: f64) {
        self.buckets.push((bound, count));
    }

    /// Notes how much was observed; otherwise it is what is in the highest bucket.
    pub const fn set_count(&mut self, count: f64) {
        self.count = Some(count);
    }

    /// Notes the sum of all observations.
    pub const fn set_sum(&mut self, sum: f64) {
        self.sum = sum;
    }

    /// The histogram with custom buckets: its bounds are those of the series, besides +Inf, which need not be among them.
    pub fn convert(mut self) -> Result<FloatHistogram, ClassicHistogramFault> {
        if self.buckets.iter().any(|(bound, _)| bound.is_nan()) {
            return Err(ClassicHistogramFault::Bound);
        }
        let counts = self.buckets.iter().map(|(_, count)| *count);
        if counts
            .chain(self.count)
            .any(|count| count.is_nan() || count < 0.0)
        {
            return Err(ClassicHistogramFault::Count);
        }
        self.buckets
            .sort_by(|(one, _), (other, _)| one.total_cmp(other));
        // Of two series with equal bounds, such as `1` and `1.0`, the first counts.
        self.buckets
            .dedup_by(|(later, _), (first, _)| later == first);
        if self.buckets.windows(2).any(|pair| pair[1].1 < pair[0].1) {
            return Err(ClassicHistogramFault::Falling);
        }
        let highest = self.buckets.last().copied();
        let count = self
            .count
            .or(highest.map(|(_, count)| count))
            .unwrap_or(0.0);
        if highest.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        } else if highest.is_some_and(|(_, highest)| highest != count) {
            return Err(ClassicHistogramFault::Total);
        }
        if self.buckets.windows(2).any(|pair| pair[1].1 < pair[0].1) {
            return Err(ClassicHistogramFault::Total);
        }
        let mut histogram = FloatHistogram::empty(CUSTOM_BUCKETS);
        histogram.count = count;
        histogram.sum = self.sum;
        let bounds = self.buckets.iter().map(|(bound, _)| *bound);
        histogram.custom_bounds = bounds.take(self.buckets.len() - 1).collect();
        let mut below = 0.0;
        let mut buckets = Builder::with_capacity(self.buckets.len());
        for (number, (_, up_to)) in (0..).zip(self.buckets) {
            buckets.push(number, up_to - below);
            below = up_to;
        }
        histogram.positive = buckets.buckets;
        histogram.compact(0);
        Ok(histogram)
    }
}
