//! Mean, variance and standard deviation.

use super::{FloatHistogram, kahan};

impl FloatHistogram {
    /// The mean of all observations.
    pub fn avg(&self) -> f64 {
        self.sum / self.count
    }

    /// The variance, as if each observation lay in the middle of its bucket: the geometric one if buckets are exponential.
    pub fn stdvar(&self) -> f64 {
        let mean = self.avg();
        let (mut sum, mut compensation) = (0.0, 0.0);
        for bucket in self.buckets().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.has_custom_buckets() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
            };
            let distance = middle - mean;
            let square = bucket.count * distance * distance;
            kahan::add_to(&mut sum, &mut compensation, square);
        }
        (sum + compensation) / self.count
    }

    /// The standard deviation, as if each observation lay in the middle of its bucket.
    pub fn stddev(&self) -> f64 {
        self.stdvar().sqrt()
    }
}
