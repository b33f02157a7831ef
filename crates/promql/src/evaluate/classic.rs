//! Quantiles and fractions of classic histograms, whose buckets are series with `le`.

/// How far, relative to their sum, two counts may lie apart by rounding alone.
const TOLERANCE: f64 = 1e-12;

/// A bucket: how many observations were at most `upper_bound`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pub(super) upper_bound: f64,
    pub(super) count: f64,
}

/// Buckets whose counts lay below that of an earlier one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forced {
    /// The bounds of the first and last of them.
    pub(super) lowest: f64,
    pub(super) highest: f64,
    /// By how much at most.
    pub(super) difference: f64,
}

impl Forced {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
            difference: self.difference.max(other.difference),
        }
    }
}

/// The quantile, by interpolation inside its bucket, and where counts had to be raised to rise with the bounds.
///
/// The buckets are not empty, sorted, and of distinct bounds.
pub(super) fn quantile(q: f64, buckets: &mut [Bucket]) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    let last = buckets.len() - 1;
    if buckets[last].upper_bound != f64::INFINITY {
        return (f64::NAN, None);
    }
    let forced = force_rising(buckets);
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return (f64::NAN, None);
    }
    let rank = q * observations;
    let found = buckets[..last].partition_point(|bucket| bucket.count < rank);
    if found == last {
        return (buckets[last - 1].upper_bound, forced);
    }
    let bucket = buckets[found];
    if found == 0 && bucket.upper_bound <= 0.0 {
        return (bucket.upper_bound, forced);
    }
    let before = match found {
        0 => Bucket {
            upper_bound: 0.0,
            count: 0.0,
        },
        _ => buckets[found - 1],
    };
    let share = (rank - before.count) / (bucket.count - before.count);
    let width = bucket.upper_bound - before.upper_bound;
    (before.upper_bound + width * share, forced)
}

/// Raises counts that lie below an earlier one; says where there were any. What differs by rounding only is made
/// equal without a word, in whichever direction.
fn force_rising(buckets: &mut [Bucket]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let mut highest = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let sum = highest.abs() + bucket.count.abs();
        let rounding = (bucket.count - highest).abs() < TOLERANCE * sum;
        if bucket.count > highest && !rounding {
            highest = bucket.count;
            continue;
        }
        if bucket.count < highest && !rounding {
            let one = Forced {
                lowest: bucket.upper_bound,
                highest: bucket.upper_bound,
                difference: highest - bucket.count,
            };
            forced = Some(forced.map_or(one, |forced| forced.and(one)));
        }
        bucket.count = highest;
    }
    forced
}

/// The share of observations between two bounds, by interpolation inside their buckets.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let last = buckets[buckets.len() - 1];
    let total = last.count;
    let known = last.upper_bound == f64::INFINITY && total != 0.0;
    if !known || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets) - rank_of(lower, buckets)) / total
}

/// How many observations lie below a bound.
fn rank_of(bound: f64, buckets: &[Bucket]) -> f64 {
    let total = buckets[buckets.len() - 1].count;
    let mut rank: f64 = 0.0;
    let mut start = match buckets[0].upper_bound {
        first if first > 0.0 => 0.0,
        _ => f64::NEG_INFINITY,
    };
    for bucket in buckets {
        if start >= bound {
            return rank.min(total);
        }
        if bucket.upper_bound > bound {
            if start == f64::NEG_INFINITY {
                // In a bucket without a start nothing is known of where its observations lie.
                return bucket.count.min(total);
            }
            let share = (bound - start) / (bucket.upper_bound - start);
            return (rank + (bucket.count - rank) * share).min(total);
        }
        rank = bucket.count;
        start = bucket.upper_bound;
    }
    total
}
