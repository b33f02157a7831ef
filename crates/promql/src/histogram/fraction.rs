//! Which part of all observations lies between two values: the inverse of a quantile, with the same assumptions.

use super::bounds::log2;
use super::{Bucket, FloatHistogram};

/// A part of all observations, and whether observed NaNs are outside of it.
#[derive(Clone, Copy, Debug)]
pub struct Fraction {
    /// The part, 0 to 1; NaN if nothing was observed or a limit is NaN.
    pub value: f64,
    /// Whether there were observations of NaN, which are in no range.
    pub nans_excluded: bool,
}

impl FloatHistogram {
    /// The part of all observations between `lower` and `upper`.
    pub fn fraction(&self, lower: f64, upper: f64) -> Fraction {
        let known = |value| Fraction {
            value,
            nans_excluded: false,
        };
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return known(f64::NAN);
        }
        if lower >= upper {
            return known(0.0);
        }
        let (mut lower_rank, mut upper_rank) = (None, None);
        let (mut rank, mut count) = (0.0, 0.0);
        let mut buckets = self.buckets();
        for mut bucket in buckets.by_ref() {
            count += bucket.count;
            let is_linear =
                (bucket.lower <= 0.0 && bucket.upper >= 0.0) || self.has_custom_buckets();
            if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                self.narrow(&mut bucket);
            }
            for (limit, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
                if found.is_none() && bucket.lower >= limit {
                    *found = Some(rank);
                }
            }
            for (limit, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
                if found.is_none() && bucket.lower < limit && bucket.upper > limit {
                    *found = Some(match is_linear {
                        true => linear_rank(&bucket, rank, limit),
                        false => rank + bucket.count * exponential_part(&bucket, limit),
                    });
                }
            }
            if lower_rank.is_some() && upper_rank.is_some() {
                break;
            }
            rank += bucket.count;
        }
        let mut nans_excluded = false;
        if self.sum.is_nan() {
            for rest in buckets {
                count += rest.count;
            }
            nans_excluded = count < self.count;
        } else {
            count = self.count;
        }
        let at_most = |rank| match rank {
            Some(rank) if rank > count => count,
            Some(rank) => rank,
            None => count,
        };
        let value = (at_most(upper_rank) - at_most(lower_rank)) / self.count;
        Fraction {
            value,
            nans_excluded,
        }
    }
}

/// How much lies below `limit`, if `rank` lies below the bucket.
///
/// Of a bucket without end nothing is in the part that has one; of a bucket without beginning all.
fn linear_rank(bucket: &Bucket, rank: f64, limit: f64) -> f64 {
    if bucket.lower == f64::NEG_INFINITY {
        return bucket.count;
    }
    rank + bucket.count * (limit - bucket.lower) / (bucket.upper - bucket.lower)
}

/// Which part of an exponential bucket lies below `limit`.
pub(super) fn exponential_part(bucket: &Bucket, limit: f64) -> f64 {
    let lower = log2(bucket.lower.abs());
    let upper = log2(bucket.upper.abs());
    let limit_exponent = log2(limit.abs());
    if limit > 0.0 {
        (limit_exponent - lower) / (upper - lower)
    } else {
        1.0 - (limit_exponent - upper) / (lower - upper)
    }
}
