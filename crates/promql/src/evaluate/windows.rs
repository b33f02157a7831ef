//! The ranges that a range function looks at: one for each step, open on the left.

use std::ops::Range;

use super::column::Steps;

/// Ranges of equal length, of which one ends at each moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// The last moment of each range, inclusive.
    pub(super) moments: Steps,
    /// The length of each in milliseconds.
    pub(super) length: i64,
}

/// A range in which a series has samples.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The index of the step to which it belongs.
    pub(super) step: usize,
    /// The moment before its first, in milliseconds.
    pub(super) start: i64,
    /// Its last moment.
    pub(super) end: i64,
    /// The indices of the samples in it, never empty.
    pub(super) samples: Range<usize>,
}

impl Windows {
    /// The first moment of all, inclusive.
    pub(super) fn first(&self) -> i64 {
        self.moments
            .start
            .saturating_sub(self.length)
            .saturating_add(1)
    }

    /// The windows that hold any of the given timestamps; both ends only move forward.
    pub(super) fn over(self, timestamps: &[i64]) -> impl Iterator<Item = Window> {
        let mut samples = 0..0;
        (0..self.moments.count).filter_map(move |step| {
            let end = self.moments.at(step);
            let start = end.saturating_sub(self.length);
            while samples.end < timestamps.len() && timestamps[samples.end] <= end {
                samples.end += 1;
            }
            while samples.start < samples.end && timestamps[samples.start] <= start {
                samples.start += 1;
            }
            (!samples.is_empty()).then(|| Window {
                step,
                start,
                end,
                samples: samples.clone(),
            })
        })
    }
}
