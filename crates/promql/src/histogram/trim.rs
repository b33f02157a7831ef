//! The operators `</` and `>/`: what of a distribution lies on one side of a value.
//!
//! A bucket on that side stays, one on the other side goes, and of the one between a part stays, as much as a quantile
//! would find there. If anything goes, the sum is estimated: as if what stays of each bucket lay in its middle.

use super::fraction::exponential_part;
use super::{Bucket, FloatHistogram};

impl FloatHistogram {
    /// `histogram </ limit`: only what is at most `limit`; count and sum are estimated anew if anything goes.
    pub fn trim_upper(&mut self, limit: f64) {
        self.trim(limit, Side::Below);
    }

    /// `histogram >/ limit`: only what is above `limit`; count and sum are estimated anew if anything goes.
    pub fn trim_lower(&mut self, limit: f64) {
        self.trim(limit, Side::Above);
    }

    fn trim(&mut self, limit: f64, side: Side) {
        let is_linear = self.has_custom_buckets();
        let mut total = Kept::default();
        let mut changed = false;
        let mut keep = |bucket: Bucket, is_positive| {
            let kept = match bucket.count == 0.0 {
                true => Kept::default(),
                false => side.kept(&bucket, limit, is_positive, is_linear),
            };
            changed |= kept.count != bucket.count;
            total.count += kept.count;
            total.sum += kept.sum;
            kept.count
        };
        let positive: Vec<f64> = self.positive_buckets().map(|it| keep(it, true)).collect();
        let negative: Vec<f64> = self.negative_buckets().map(|it| keep(it, false)).collect();
        if self.zero_count > 0.0 {
            let holds = |counts: &[f64]| counts.iter().any(|count| *count != 0.0);
            let mut zero = self.zero_bucket();
            match (holds(&self.negative.counts), holds(&self.positive.counts)) {
                (true, false) => zero.upper = 0.0,
                (false, true) => zero.lower = 0.0,
                _ => {}
            }
            let kept = side.kept_of_zero_bucket(&zero, limit);
            changed |= kept.count != self.zero_count;
            total.count += kept.count;
            total.sum += kept.sum;
            self.zero_count = kept.count;
        }
        if !changed {
            return;
        }
        self.count = total.count;
        self.sum = total.sum;
        self.positive.counts = positive;
        self.negative.counts = negative;
        self.compact(0);
    }
}

/// What stays of a bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    count: f64,
    sum: f64,
}

impl Kept {
    fn new(count: f64, middle: f64) -> Self {
        let sum = middle * count;
        Self { count, sum }
    }
}

/// Which side of the limit stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

impl Side {
    fn kept(self, bucket: &Bucket, limit: f64, is_positive: bool, is_linear: bool) -> Kept {
        let middle = |lower, upper| middle(lower, upper, is_positive, is_linear);
        let (is_kept, is_cut) = match self {
            Self::Below => (bucket.upper <= limit, bucket.lower < limit),
            Self::Above => (bucket.lower >= limit, bucket.upper > limit),
        };
        if is_kept {
            return Kept::new(bucket.count, middle(bucket.lower, bucket.upper));
        }
        if !is_cut {
            return Kept::default();
        }
        if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
            return self.kept_of_endless(bucket, limit);
        }
        let part = match is_linear {
            true => (limit - bucket.lower) / (bucket.upper - bucket.lower),
            false => exponential_part(bucket, limit),
        };
        let below = bucket.count * part;
        match self {
            Self::Below => Kept::new(below, middle(bucket.lower, limit)),
            Self::Above => Kept::new(bucket.count - below, middle(limit, bucket.upper)),
        }
    }

    /// Nobody knows where in a bucket without end, or without beginning, observations lie: so it goes or stays as a whole.
    /// But one without beginning that ends above 0 is taken to begin there.
    fn kept_of_endless(self, bucket: &Bucket, limit: f64) -> Kept {
        let Bucket {
            lower,
            upper,
            count,
            ..
        } = *bucket;
        let ends = upper != f64::INFINITY;
        if lower == f64::NEG_INFINITY {
            return match self {
                Self::Below if limit > 0.0 && upper > 0.0 && ends => {
                    Kept::new(count * limit / upper, limit / 2.0)
                }
                Self::Below if upper <= 0.0 => Kept::new(count, limit),
                Self::Above if limit >= 0.0 && upper > limit && ends => {
                    Kept::new(count * (1.0 - limit / upper), (limit + upper) / 2.0)
                }
                _ => Kept::default(),
            };
        }
        match self {
            Self::Above if limit >= lower => Kept::new(count, limit),
            _ => Kept::default(),
        }
    }

    fn kept_of_zero_bucket(self, zero: &Bucket, limit: f64) -> Kept {
        let (lower, upper) = (zero.lower, zero.upper);
        let (is_kept, is_gone) = match self {
            Self::Below => (limit >= upper, limit <= lower),
            Self::Above => (limit <= lower, limit >= upper),
        };
        // Both are true of a zero bucket without width at the limit. Below it loses that, above it keeps it.
        match self {
            Self::Below if is_gone => return Kept::default(),
            _ if is_kept => return Kept::new(zero.count, (lower + upper) / 2.0),
            _ if is_gone => return Kept::default(),
            _ => {}
        }
        let (part, middle) = match self {
            Self::Below => ((limit - lower) / (upper - lower), (lower + limit) / 2.0),
            Self::Above => ((upper - limit) / (upper - lower), (limit + upper) / 2.0),
        };
        Kept::new(zero.count * part, middle)
    }
}

/// Where what stays of a bucket is taken to lie.
fn middle(lower: f64, upper: f64, is_positive: bool, is_linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => return 0.0,
        (true, false) if upper > 0.0 => return upper / 2.0,
        (true, false) => return upper,
        (false, true) => return lower,
        (false, false) => {}
    }
    if is_linear {
        return (lower + upper) / 2.0;
    }
    let mean = (lower * upper).abs().sqrt();
    if is_positive { mean } else { -mean }
}
