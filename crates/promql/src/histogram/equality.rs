//! Whether two histograms are the same.

use super::{Buckets, FloatHistogram};

impl FloatHistogram {
    /// Whether both have the same buckets with the same counts, bit for bit; hints and the way of writing spans are no
    /// difference.
    pub fn equals(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.count.to_bits() == other.count.to_bits()
            && self.sum.to_bits() == other.sum.to_bits()
            && self.zero_threshold == other.zero_threshold
            && self.zero_count.to_bits() == other.zero_count.to_bits()
            && (!self.has_custom_buckets() || self.has_bounds_of(other))
            && are_equal(&self.positive, &other.positive)
            && are_equal(&self.negative, &other.negative)
    }
}

fn are_equal(one: &Buckets, other: &Buckets) -> bool {
    let numbers = |buckets: &Buckets| buckets.counts.len();
    numbers(one) == numbers(other)
        && one.iter().len() == other.iter().len()
        && one
            .iter()
            .zip(other.iter())
            .all(|((one, mine), (other, theirs))| {
                one == other && mine.to_bits() == theirs.to_bits()
            })
}
