//! Below which value a given part of all observations lies.
//!
//! 1. Count observations from the nearer end until the rank is reached.
//! 2. In the bucket that was reached they are taken to lie evenly: on a logarithmic scale, or on a linear one in the zero
//!    bucket and in custom buckets.
//!
//! Observed NaNs are in no bucket. They count as higher than all others, so with them one has to count from below.

use super::bounds::log2;
use super::{Bucket, FloatHistogram};

/// A quantile, and what observed NaNs did to it.
#[derive(Clone, Copy, Debug)]
pub struct Quantile {
    /// The value.
    pub value: f64,
    /// What to tell about observations of NaN.
    pub nans: ObservedNans,
}

/// What observations of NaN did to a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObservedNans {
    /// Nothing, or there were none.
    #[default]
    None,
    /// The result is NaN because of them.
    Result,
    /// The result would be lower without them, since they count as the highest values.
    Skew,
}

impl FloatHistogram {
    /// The value below which the part `q` of all observations lies; -Inf and +Inf for a `q` outside 0..=1.
    pub fn quantile(&self, q: f64) -> Quantile {
        let known = |value| Quantile {
            value,
            nans: ObservedNans::None,
        };
        if q < 0.0 {
            return known(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return known(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return known(f64::NAN);
        }
        if self.sum.is_nan() || q < 0.5 {
            self.quantile_from(self.buckets(), q * self.count, true)
        } else {
            self.quantile_from(self.buckets().rev(), (1.0 - q) * self.count, false)
        }
    }

    fn quantile_from(
        &self,
        mut buckets: impl Iterator<Item = Bucket>,
        rank: f64,
        from_below: bool,
    ) -> Quantile {
        let known = |value| Quantile {
            value,
            nans: ObservedNans::None,
        };
        let mut bucket = Bucket {
            lower: 0.0,
            upper: 0.0,
            lower_inclusive: false,
            upper_inclusive: false,
            count: 0.0,
        };
        let mut count = 0.0;
        for next in buckets.by_ref() {
            bucket = next;
            if bucket.count != 0.0 {
                count += bucket.count;
                if count >= rank {
                    break;
                }
            }
        }
        if !self.has_custom_buckets() {
            if bucket.lower < 0.0 && bucket.upper > 0.0 {
                self.narrow(&mut bucket);
            }
        } else if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return known(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return known(bucket.lower);
        }
        // Rounding may find more in the buckets than was counted.
        if count > self.count {
            count = self.count;
        }
        if count < rank {
            return match self.sum.is_nan() {
                true => Quantile {
                    value: f64::NAN,
                    nans: ObservedNans::Result,
                },
                false => known(bucket.upper),
            };
        }
        let within = match from_below {
            true => rank - (count - bucket.count),
            false => count - rank,
        };
        let mut nans = ObservedNans::None;
        if self.sum.is_nan() {
            // The sum is also NaN if both infinities were observed; these are in buckets.
            for rest in buckets {
                count += rest.count;
            }
            if count < self.count {
                nans = ObservedNans::Skew;
            }
        }
        let value = self.interpolate(&bucket, within / bucket.count);
        Quantile { value, nans }
    }

    /// Cuts the zero bucket at 0 if all other observations are on one side of it.
    pub(super) fn narrow(&self, zero_bucket: &mut Bucket) {
        let (positive, negative) = (&self.positive.counts, &self.negative.counts);
        if negative.is_empty() && !positive.is_empty() {
            zero_bucket.lower = 0.0;
        } else if positive.is_empty() && !negative.is_empty() {
            zero_bucket.upper = 0.0;
        }
    }

    /// The value at which `part` of a bucket is below.
    fn interpolate(&self, bucket: &Bucket, part: f64) -> f64 {
        let (lower, upper) = (bucket.lower, bucket.upper);
        if self.has_custom_buckets() || (lower <= 0.0 && upper >= 0.0) {
            return lower + (upper - lower) * part;
        }
        let lower_exponent = log2(lower.abs());
        let upper_exponent = log2(upper.abs());
        if lower > 0.0 {
            return (lower_exponent + (upper_exponent - lower_exponent) * part).exp2();
        }
        -(upper_exponent + (lower_exponent - upper_exponent) * (1.0 - part)).exp2()
    }
}
