//! Prometheus' native histogram: a whole distribution at one moment, as one value.
//!
//! Buckets are numbered; only those that ever held something are there. Spans say which: each skips so many numbers
//! and then covers so many buckets. Counts are absolute here, one for each bucket, whatever the wire says.

use thiserror::Error;

use crate::is_stale;

/// The schema of a histogram whose buckets end at given bounds.
pub const CUSTOM_BUCKETS: i32 = -53;

/// The coarsest exponential schema: each bucket ends at 65 536 times its start.
const SCHEMA_MIN: i32 = -4;
/// The finest one: each bucket ends at 2^(1/256) times its start.
const SCHEMA_MAX: i32 = 8;

/// A distribution at a moment.
///
/// Two are equal if they are the same bit for bit; so any NaN equals itself, and 0 is not -0.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// The width of the buckets: n in -4..=8 makes 2^n of them for each doubling; [`CUSTOM_BUCKETS`] has bounds.
    pub schema: i32,
    /// Observations up to this distance from 0 are in the zero bucket; 0 with custom buckets.
    pub zero_threshold: f64,
    /// The sum of all observations; the stale NaN marks the end of the series.
    pub sum: f64,
    /// What is known about the counter's continuity.
    pub reset: CounterReset,
    /// Which buckets `counts.positive` holds.
    pub positive_spans: Vec<BucketSpan>,
    /// Which buckets `counts.negative` holds; none with custom buckets.
    pub negative_spans: Vec<BucketSpan>,
    /// The upper bounds of custom buckets, rising, without the last one, +Inf; empty with any other schema.
    pub custom_bounds: Vec<f64>,
    /// How much was observed.
    pub counts: BucketCounts,
}

/// Whether a histogram continues the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CounterReset {
    /// Whoever needs to know has to compare.
    #[default]
    Unknown,
    /// The counter began anew before this histogram.
    Yes,
    /// It did not.
    No,
    /// It is no counter: counts may fall.
    Gauge,
}

impl CounterReset {
    /// All of them, in the order of their numbers on the wire.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Yes, Self::No, Self::Gauge];
}

/// A run of buckets with consecutive numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketSpan {
    /// Of the first span: the number of its first bucket. Of another: how many numbers are skipped before it.
    pub offset: i32,
    /// How many buckets there are.
    pub length: u32,
}

/// Observations by bucket: whole ones as they are counted, or fractions as rates and averages yield them.
#[derive(Clone, Debug)]
pub enum BucketCounts {
    /// Of a histogram that counts observations.
    Integer(Counts<u64>),
    /// Of a histogram that was computed.
    Float(Counts<f64>),
}

/// How much each bucket holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts<T> {
    /// All observations.
    pub total: T,
    /// Those in the zero bucket.
    pub zero: T,
    /// Those in the buckets of the positive spans.
    pub positive: Vec<T>,
    /// Those in the buckets of the negative spans.
    pub negative: Vec<T>,
}

/// Why a histogram is none.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidHistogram {
    /// The width of the buckets is unknown.
    #[error("schema {0} is unknown: {SCHEMA_MIN} to {SCHEMA_MAX} and {CUSTOM_BUCKETS} are allowed")]
    Schema(i32),
    /// Spans and buckets do not fit each other.
    #[error("{side} spans cover {covered} buckets, but {buckets} are given")]
    SpanLength {
        /// "positive" or "negative".
        side: &'static str,
        /// The sum of the spans' lengths.
        covered: u64,
        /// The number of bucket counts.
        buckets: usize,
    },
    /// Spans overlap, or lie where no bucket can be.
    #[error("{side} span {span} has offset {offset}, which lies {fault}")]
    SpanOffset {
        /// "positive" or "negative".
        side: &'static str,
        /// The span's number from 1.
        span: usize,
        /// Its offset.
        offset: i32,
        /// Where it should not lie, in words.
        fault: &'static str,
    },
    /// A count is below 0.
    #[error("{what} {count} is negative")]
    NegativeCount {
        /// Which count.
        what: &'static str,
        /// The count.
        count: f64,
    },
    /// The counts of all buckets do not make the count of all observations.
    #[error("{total} observations, but the buckets hold {buckets}: {expected}")]
    TotalCount {
        /// The count of all observations.
        total: u64,
        /// The sum of all buckets.
        buckets: u128,
        /// What would be right.
        expected: &'static str,
    },
    /// A histogram of this schema has no such part, or the bounds are no bounds.
    #[error("{0}")]
    CustomBuckets(&'static str),
}

impl Histogram {
    /// The histogram that marks the end of a series.
    pub fn stale() -> Self {
        Self {
            schema: 0,
            zero_threshold: 0.0,
            sum: crate::stale_marker(),
            reset: CounterReset::Unknown,
            positive_spans: Vec::new(),
            negative_spans: Vec::new(),
            custom_bounds: Vec::new(),
            counts: BucketCounts::Integer(Counts::default()),
        }
    }

    /// Whether it marks the end of its series.
    pub const fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// How many bucket counts there are, besides the zero bucket.
    pub const fn bucket_count(&self) -> usize {
        match &self.counts {
            BucketCounts::Integer(counts) => counts.positive.len() + counts.negative.len(),
            BucketCounts::Float(counts) => counts.positive.len() + counts.negative.len(),
        }
    }

    /// Checks what Prometheus checks, so that what is accepted here is accepted there.
    ///
    /// Fractions are not summed up: rounding alone may make their total smaller than their sum.
    pub fn validate(&self) -> Result<(), InvalidHistogram> {
        let (positive, negative) = match &self.counts {
            BucketCounts::Integer(counts) => (counts.positive.len(), counts.negative.len()),
            BucketCounts::Float(counts) => (counts.positive.len(), counts.negative.len()),
        };
        match self.schema {
            CUSTOM_BUCKETS => self.validate_custom()?,
            SCHEMA_MIN..=SCHEMA_MAX if self.custom_bounds.is_empty() => {}
            SCHEMA_MIN..=SCHEMA_MAX => {
                let reason = "an exponential schema has no custom bounds";
                return Err(InvalidHistogram::CustomBuckets(reason));
            }
            schema => return Err(InvalidHistogram::Schema(schema)),
        }
        validate_spans("positive", &self.positive_spans, positive)?;
        validate_spans("negative", &self.negative_spans, negative)?;
        match &self.counts {
            BucketCounts::Integer(counts) => self.validate_integers(counts),
            BucketCounts::Float(counts) => validate_floats(counts),
        }
    }

    fn validate_custom(&self) -> Result<(), InvalidHistogram> {
        let refuse = |reason| Err(InvalidHistogram::CustomBuckets(reason));
        let has_zero = match &self.counts {
            BucketCounts::Integer(counts) => counts.zero != 0,
            BucketCounts::Float(counts) => counts.zero != 0.0,
        };
        let bounds = &self.custom_bounds;
        if has_zero || self.zero_threshold != 0.0 {
            return refuse("custom buckets have no zero bucket");
        }
        if !self.negative_spans.is_empty() {
            return refuse("custom buckets have no negative spans");
        }
        if bounds.iter().any(|bound| bound.is_nan()) {
            return refuse("a custom bound is NaN");
        }
        if bounds.windows(2).any(|pair| pair[0] >= pair[1]) {
            return refuse("custom bounds do not rise");
        }
        if bounds.last() == Some(&f64::INFINITY) {
            return refuse(
                "the last custom bound is +Inf, which is always there and must be left out",
            );
        }
        let mut end = 0i64;
        for span in &self.positive_spans {
            end = end
                .saturating_add(span.offset.into())
                .saturating_add(span.length.into());
        }
        // The bucket up to +Inf has no bound of its own.
        if usize::try_from(end).is_ok_and(|end| end > bounds.len() + 1) {
            return refuse("spans reach beyond the custom bounds");
        }
        match self.positive_spans.first() {
            Some(first) if first.offset < 0 => refuse("custom buckets have no negative numbers"),
            _ => Ok(()),
        }
    }

    fn validate_integers(&self, counts: &Counts<u64>) -> Result<(), InvalidHistogram> {
        let all = counts.positive.iter().chain(&counts.negative);
        let buckets = all
            .chain([&counts.zero])
            .map(|count| u128::from(*count))
            .sum();
        let total = u128::from(counts.total);
        // An observed NaN is in no bucket, and makes the sum NaN.
        let expected = match self.sum.is_nan() {
            true if buckets > total => {
                "the buckets of a histogram whose sum is NaN may hold less, not more"
            }
            false if buckets != total => "both must be equal unless the sum is NaN",
            _ => return Ok(()),
        };
        Err(InvalidHistogram::TotalCount {
            total: counts.total,
            buckets,
            expected,
        })
    }
}

fn validate_spans(
    side: &'static str,
    spans: &[BucketSpan],
    buckets: usize,
) -> Result<(), InvalidHistogram> {
    let mut covered = 0u64;
    let mut number = 0i64;
    for (index, span) in spans.iter().enumerate() {
        let refuse = |fault| {
            Err(InvalidHistogram::SpanOffset {
                side,
                span: index + 1,
                offset: span.offset,
                fault,
            })
        };
        if index > 0 && span.offset < 0 {
            return refuse("before the end of the span before it");
        }
        covered = covered.saturating_add(span.length.into());
        number = number
            .saturating_add(span.offset.into())
            .saturating_add(span.length.into());
        if number > i64::from(i32::MAX) {
            return refuse("beyond the last number that a bucket can have");
        }
    }
    if usize::try_from(covered) != Ok(buckets) {
        return Err(InvalidHistogram::SpanLength {
            side,
            covered,
            buckets,
        });
    }
    Ok(())
}

fn validate_floats(counts: &Counts<f64>) -> Result<(), InvalidHistogram> {
    let totals = [
        ("the count of observations", counts.total),
        ("the count of the zero bucket", counts.zero),
    ];
    let positive = counts
        .positive
        .iter()
        .map(|count| ("a positive bucket's count", *count));
    let negative = counts
        .negative
        .iter()
        .map(|count| ("a negative bucket's count", *count));
    let mut all = totals.into_iter().chain(positive).chain(negative);
    match all.find(|(_, count)| *count < 0.0) {
        Some((what, count)) => Err(InvalidHistogram::NegativeCount { what, count }),
        None => Ok(()),
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.sum.to_bits() == other.sum.to_bits()
            && self.reset == other.reset
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && same_bits(&self.custom_bounds, &other.custom_bounds)
            && self.counts == other.counts
    }
}

impl Eq for Histogram {}

impl PartialEq for BucketCounts {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => one == other,
            (Self::Float(one), Self::Float(other)) => {
                one.total.to_bits() == other.total.to_bits()
                    && one.zero.to_bits() == other.zero.to_bits()
                    && same_bits(&one.positive, &other.positive)
                    && same_bits(&one.negative, &other.negative)
            }
            _ => false,
        }
    }
}

impl Eq for BucketCounts {}

fn same_bits(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| one.to_bits() == other.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset: i32, length: u32) -> BucketSpan {
        BucketSpan { offset, length }
    }

    fn exponential() -> Histogram {
        Histogram {
            schema: 3,
            zero_threshold: 0.001,
            sum: 18.4,
            reset: CounterReset::No,
            positive_spans: vec![span(-3, 2), span(1, 1)],
            negative_spans: vec![span(0, 1)],
            custom_bounds: Vec::new(),
            counts: BucketCounts::Integer(Counts {
                total: 15,
                zero: 2,
                positive: vec![1, 3, 4],
                negative: vec![5],
            }),
        }
    }

    fn custom() -> Histogram {
        Histogram {
            schema: CUSTOM_BUCKETS,
            zero_threshold: 0.0,
            positive_spans: vec![span(1, 2)],
            negative_spans: Vec::new(),
            custom_bounds: vec![0.5, 1.0],
            counts: BucketCounts::Float(Counts {
                total: 1.5,
                zero: 0.0,
                positive: vec![0.5, 1.0],
                negative: Vec::new(),
            }),
            ..exponential()
        }
    }

    fn reason(change: impl FnOnce(&mut Histogram), mut histogram: Histogram) -> String {
        assert_eq!(histogram.validate(), Ok(()));
        change(&mut histogram);
        histogram.validate().unwrap_err().to_string()
    }

    fn integers(histogram: &mut Histogram) -> &mut Counts<u64> {
        match &mut histogram.counts {
            BucketCounts::Integer(counts) => counts,
            BucketCounts::Float(_) => panic!("counts are integers"),
        }
    }

    fn floats(histogram: &mut Histogram) -> &mut Counts<f64> {
        match &mut histogram.counts {
            BucketCounts::Float(counts) => counts,
            BucketCounts::Integer(_) => panic!("counts are floats"),
        }
    }

    #[test]
    fn every_fault_is_named() {
        let exponential = |change: fn(&mut Histogram)| reason(change, exponential());
        let custom = |change: fn(&mut Histogram)| reason(change, custom());
        let found = [
            exponential(|it| it.schema = 9),
            exponential(|it| it.positive_spans[0].length = 3),
            exponential(|it| it.negative_spans.clear()),
            exponential(|it| it.positive_spans[1].offset = -1),
            exponential(|it| it.positive_spans = vec![span(9, 2), span(i32::MAX, 1)]),
            exponential(|it| integers(it).total = 14),
            exponential(|it| integers(it).zero = u64::MAX),
            exponential(|it| it.custom_bounds.push(1.0)),
            custom(|it| floats(it).zero = 1.0),
            custom(|it| it.zero_threshold = 0.1),
            custom(|it| it.negative_spans.push(span(0, 0))),
            custom(|it| it.custom_bounds[1] = 0.5),
            custom(|it| it.custom_bounds[1] = f64::INFINITY),
            custom(|it| it.custom_bounds[0] = f64::NAN),
            custom(|it| it.custom_bounds.truncate(1)),
            custom(|it| it.positive_spans[0].offset = -1),
            custom(|it| floats(it).positive[1] = -0.5),
            custom(|it| floats(it).total = -1.0),
        ];
        let expected = [
            "schema 9 is unknown: -4 to 8 and -53 are allowed",
            "positive spans cover 4 buckets, but 3 are given",
            "negative spans cover 0 buckets, but 1 are given",
            "positive span 2 has offset -1, which lies before the end of the span before it",
            "positive span 2 has offset 2147483647, which lies beyond the last number that a bucket can have",
            "14 observations, but the buckets hold 15: both must be equal unless the sum is NaN",
            "15 observations, but the buckets hold 18446744073709551628: both must be equal unless the sum is NaN",
            "an exponential schema has no custom bounds",
            "custom buckets have no zero bucket",
            "custom buckets have no zero bucket",
            "custom buckets have no negative spans",
            "custom bounds do not rise",
            "the last custom bound is +Inf, which is always there and must be left out",
            "a custom bound is NaN",
            "spans reach beyond the custom bounds",
            "custom buckets have no negative numbers",
            "a positive bucket's count -0.5 is negative",
            "the count of observations -1 is negative",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn observed_nans_are_in_no_bucket() {
        let mut histogram = exponential();
        integers(&mut histogram).total = 16;
        assert!(histogram.validate().is_err());
        histogram.sum = f64::NAN;
        assert_eq!(histogram.validate(), Ok(()));
        integers(&mut histogram).total = 14;
        assert!(histogram.validate().is_err());
    }

    #[test]
    fn the_end_of_a_series_is_a_valid_histogram() {
        let stale = Histogram::stale();
        assert!(stale.is_stale());
        assert_eq!(stale.validate(), Ok(()));
        assert_eq!(stale, stale.clone());
        let nan = Histogram {
            sum: f64::NAN,
            ..Histogram::stale()
        };
        assert!(!nan.is_stale());
        assert_ne!(nan, stale);
    }
}
