//! Native histograms in expressions: a distribution whose counts are fractions, and all that can be computed with it.
//!
//! Each operation gives what it gives in Prometheus, to the last digit where the order of additions decides it. No
//! operation trusts that a histogram is valid: numbers of buckets saturate, and work is bounded by the counts that are
//! there, whatever the spans say.

use std::sync::Arc;

use model::{
    BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Histogram, InvalidHistogram,
};

mod bounds;
mod buckets;
mod classic;
mod combine;
mod display;
mod equality;
mod fraction;
mod iterate;
mod kahan;
mod quantile;
mod reset;
mod spread;
mod trim;
mod zero;

pub use buckets::Buckets;
pub use classic::{ClassicHistogram, ClassicHistogramFault};
pub use combine::{Combined, IncompatibleSchemas};
pub use fraction::Fraction;
pub use iterate::Bucket;
pub use kahan::KahanHistogram;
pub use quantile::{ObservedNans, Quantile};

/// A distribution at a moment, with fractions as counts.
#[derive(Clone, Debug)]
pub struct FloatHistogram {
    /// The width of the buckets: n in -4..=8 makes 2^n of them for each doubling; [`CUSTOM_BUCKETS`] has bounds.
    pub schema: i32,
    /// Observations up to this distance from 0 are in the zero bucket; 0 with custom buckets.
    pub zero_threshold: f64,
    /// How much is in the zero bucket.
    pub zero_count: f64,
    /// How much was observed.
    pub count: f64,
    /// The sum of all observations; the stale NaN marks the end of the series.
    pub sum: f64,
    /// What is known about the counter's continuity.
    pub reset: CounterReset,
    /// The buckets above 0, or all custom buckets.
    pub positive: Buckets,
    /// The buckets below 0, by their distance from it; none with custom buckets.
    pub negative: Buckets,
    /// The upper bounds of custom buckets, rising, without the last one, +Inf; empty with any other schema.
    pub custom_bounds: Arc<[f64]>,
}

impl FloatHistogram {
    /// A histogram without observations, in buckets of `schema`.
    pub fn empty(schema: i32) -> Self {
        Self {
            schema,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            reset: CounterReset::Unknown,
            positive: Buckets::default(),
            negative: Buckets::default(),
            custom_bounds: Arc::default(),
        }
    }

    /// The same distribution as the store keeps it.
    pub fn to_model(&self) -> Histogram {
        Histogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            reset: self.reset,
            positive_spans: self.positive.spans.clone(),
            negative_spans: self.negative.spans.clone(),
            custom_bounds: self.custom_bounds.to_vec(),
            counts: BucketCounts::Float(Counts {
                total: self.count,
                zero: self.zero_count,
                positive: self.positive.counts.clone(),
                negative: self.negative.counts.clone(),
            }),
        }
    }

    /// Checks what is checked of a stored histogram.
    pub fn validate(&self) -> Result<(), InvalidHistogram> {
        self.to_model().validate()
    }

    /// Whether its buckets end at bounds of its own.
    pub const fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS
    }

    /// Whether it marks the end of its series.
    pub const fn is_stale(&self) -> bool {
        model::is_stale(self.sum)
    }

    /// How many bucket counts there are, besides the zero bucket.
    pub const fn bucket_count(&self) -> usize {
        self.positive.counts.len() + self.negative.counts.len()
    }

    /// The bytes that it takes, with what it points to; shared bounds count for each who shares them.
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.bucket_count() * size_of::<f64>()
            + (self.positive.spans.len() + self.negative.spans.len()) * size_of::<BucketSpan>()
            + self.custom_bounds.len() * size_of::<f64>()
    }

    /// Multiplies every count and the sum; a factor below 0 makes it a gauge.
    pub fn mul(&mut self, factor: f64) {
        self.scale(|count| *count *= factor);
        if factor < 0.0 {
            self.reset = CounterReset::Gauge;
        }
    }

    /// Divides every count and the sum; a divisor below 0 makes it a gauge, and 0 leaves no bucket but the zero bucket.
    pub fn div(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive = Buckets::default();
            self.negative = Buckets::default();
        }
        self.scale(|count| *count /= divisor);
        if divisor < 0.0 {
            self.reset = CounterReset::Gauge;
        }
    }

    fn scale(&mut self, change: impl Fn(&mut f64)) {
        change(&mut self.zero_count);
        change(&mut self.count);
        change(&mut self.sum);
        self.positive.counts.iter_mut().for_each(&change);
        self.negative.counts.iter_mut().for_each(&change);
    }

    /// Drops empty buckets at both ends of each span, joins spans at most `empty_max` buckets apart, and splits them where
    /// more than `empty_max` buckets in a row are empty; 0 leaves no empty bucket at all.
    pub fn compact(&mut self, empty_max: usize) {
        self.positive.compact(empty_max);
        self.negative.compact(empty_max);
    }

    /// Joins buckets until they have the width of `schema`; nothing happens if they are as wide already, or custom.
    pub fn reduce(&mut self, schema: i32) {
        if self.has_custom_buckets() || schema == CUSTOM_BUCKETS || schema >= self.schema {
            return;
        }
        self.positive = self.positive.reduced(self.schema, schema);
        self.negative = self.negative.reduced(self.schema, schema);
        self.schema = schema;
    }

    /// Whether a count or the sum is infinite.
    pub fn has_overflow(&self) -> bool {
        let all = [self.zero_count, self.count, self.sum];
        let buckets = self.positive.counts.iter().chain(&self.negative.counts);
        all.iter().chain(buckets).any(|count| count.is_infinite())
    }
}

impl From<&Histogram> for FloatHistogram {
    fn from(histogram: &Histogram) -> Self {
        let (count, zero_count, positive, negative) = match &histogram.counts {
            BucketCounts::Integer(counts) => (
                counts.total as f64,
                counts.zero as f64,
                counts.positive.iter().map(|count| *count as f64).collect(),
                counts.negative.iter().map(|count| *count as f64).collect(),
            ),
            BucketCounts::Float(counts) => (
                counts.total,
                counts.zero,
                counts.positive.clone(),
                counts.negative.clone(),
            ),
        };
        Self {
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            zero_count,
            count,
            sum: histogram.sum,
            reset: histogram.reset,
            positive: Buckets {
                spans: histogram.positive_spans.clone(),
                counts: positive,
            },
            negative: Buckets {
                spans: histogram.negative_spans.clone(),
                counts: negative,
            },
            custom_bounds: histogram.custom_bounds.as_slice().into(),
        }
    }
}

#[cfg(test)]
mod tests;
