//! Whether a counter began anew between two histograms.

use model::CounterReset;

use super::FloatHistogram;
use super::buckets::Reduced;
use super::combine::{common_bounds, is_in_zero};

impl FloatHistogram {
    /// Whether the counter was reset after `previous`. Its hint may say so, or that it was not; otherwise it was if
    /// anything that is counted is less now, or if buckets are finer or the zero bucket narrower.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.reset {
            CounterReset::Yes => return true,
            CounterReset::No => return false,
            CounterReset::Unknown | CounterReset::Gauge => {}
        }
        if self.count < previous.count || self.schema > previous.schema {
            return true;
        }
        if self.has_custom_buckets() {
            if !previous.has_custom_buckets() {
                return true;
            }
            if !self.has_bounds_of(previous) {
                return self.custom_buckets_fell(previous);
            }
        }
        if self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let zero = previous.widened_zero_bucket(self.zero_threshold, None);
        // A bucket that held something would have to be cut in two, which no counter does.
        if zero.threshold != self.zero_threshold || self.zero_count < zero.count {
            return true;
        }
        let sides = [
            (&self.positive, &previous.positive),
            (&self.negative, &previous.negative),
        ];
        sides.iter().any(|(current, previous_side)| {
            let left_out = |bucket: &(i32, f64)| {
                !self.has_custom_buckets()
                    && self.zero_threshold != 0.0
                    && is_in_zero(bucket.0, self.schema, self.zero_threshold)
            };
            let current = current.iter().skip_while(left_out);
            let joined = Reduced::new(previous_side, previous.schema, self.schema);
            fell(current, joined.skip_while(left_out))
        })
    }

    /// Whether less is in a bucket of the bounds that both have.
    fn custom_buckets_fell(&self, previous: &Self) -> bool {
        let bounds = common_bounds(&self.custom_bounds, &previous.custom_bounds);
        let mut counts = vec![(0.0, 0.0); bounds.len() + 1];
        for (target, count) in self.in_bounds(&bounds) {
            counts[target].0 += count;
        }
        for (target, count) in previous.in_bounds(&bounds) {
            counts[target].1 += count;
        }
        counts.iter().any(|(current, previous)| current < previous)
    }
}

/// Whether a bucket holds less than before, or one that held something is gone.
fn fell(
    current: impl Iterator<Item = (i32, f64)>,
    previous: impl Iterator<Item = (i32, f64)>,
) -> bool {
    let mut current = current.peekable();
    for (number, before) in previous {
        while current.next_if(|(other, _)| *other < number).is_some() {}
        let now = current.peek().filter(|(other, _)| *other == number);
        if now.map_or(before != 0.0, |(_, now)| *now < before) {
            return true;
        }
    }
    false
}
