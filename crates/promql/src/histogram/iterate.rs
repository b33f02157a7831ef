//! All buckets in the order of their bounds.

use super::FloatHistogram;

/// A bucket: observations between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Whether the lower bound belongs to the bucket.
    pub lower_inclusive: bool,
    /// Whether the upper bound belongs to the bucket.
    pub upper_inclusive: bool,
    /// How much is in it.
    pub count: f64,
}

impl Bucket {
    /// How the HTTP API numbers which bounds belong: 0 the upper, 1 the lower, 2 none, 3 both.
    pub const fn boundary_rule(&self) -> u8 {
        match (self.lower_inclusive, self.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        }
    }
}

impl FloatHistogram {
    /// All buckets from the lowest to the highest, empty ones too; the zero bucket only if something is in it. A bucket
    /// that reaches into the zero bucket begins where that ends.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + Clone + '_ {
        let threshold = self.zero_threshold;
        let cut = move |mut bucket: Bucket| {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            } else if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
            bucket
        };
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        let negative = self.negative_buckets().rev().map(cut);
        negative.chain(zero).chain(self.positive_buckets().map(cut))
    }

    /// The buckets above 0, or the custom ones, from the lowest to the highest and as wide as they are.
    pub(super) fn positive_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + Clone + '_ {
        self.positive.iter().map(|(number, count)| {
            let lower = self.bound(number.saturating_sub(1));
            let upper = self.bound(number);
            let custom = self.has_custom_buckets();
            Bucket {
                lower,
                upper,
                lower_inclusive: if custom { number == 0 } else { lower < 0.0 },
                upper_inclusive: custom || upper > 0.0,
                count,
            }
        })
    }

    /// The buckets below 0 from the highest to the lowest.
    pub(super) fn negative_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + Clone + '_ {
        self.negative.iter().map(|(number, count)| {
            let lower = -self.bound(number);
            let upper = -self.bound(number.saturating_sub(1));
            Bucket {
                lower,
                upper,
                lower_inclusive: lower < 0.0,
                upper_inclusive: upper > 0.0,
                count,
            }
        })
    }

    pub(super) const fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }
}
