//! The ranges that a range function looks at: one for each step, open on the left.

use std::ops::Range;

use super::Steps;

/// Ranges of equal length, of which one ends at each moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// The last moment of each range, inclusive.
    pub(crate) moments: Steps,
    /// The length of each in milliseconds.
    pub(crate) length: i64,
}

/// A range in which a series has samples.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// The index of the step to which it belongs.
    pub(crate) step: usize,
    /// The moment before its first, in milliseconds.
    pub(crate) start: i64,
    /// Its last moment.
    pub(crate) end: i64,
    /// The indices of the floats in it.
    pub(crate) samples: Range<usize>,
}

impl Windows {
    /// The length of each range in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.length as f64 / 1000.0
    }

    /// The first moment of all, inclusive.
    pub(crate) fn first(&self) -> i64 {
        self.moments
            .start
            .saturating_sub(self.length)
            .saturating_add(1)
    }

    /// The multiples of `step` that lie in any of the ranges, and those between them: where a subquery is computed.
    pub(crate) fn multiples(&self, step: i64) -> Steps {
        let before = self.first().saturating_sub(1);
        let first = before
            .div_euclid(step)
            .saturating_add(1)
            .saturating_mul(step);
        Steps::range(first, self.moments.last(), step)
    }

    /// The moments of the first and last sample that are looked at, if samples up to `around` milliseconds before and
    /// after a range are taken into account.
    pub(crate) fn bounds(&self, before: i64, after: i64) -> (i64, i64) {
        let first = self.first().saturating_sub(before);
        (first, self.moments.last().saturating_add(after))
    }

    /// The windows that hold any of the given timestamps; both ends only move forward.
    pub(crate) fn over(self, timestamps: &[i64]) -> impl Iterator<Item = Window> {
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

    /// The windows that hold any float or histogram; like [`Windows::over`].
    pub(crate) fn over_both<H>(
        self,
        floats: &[i64],
        histograms: &[(i64, H)],
    ) -> impl Iterator<Item = (Window, Range<usize>)> {
        let mut of_floats = 0..0;
        let mut of_histograms = 0..0;
        (0..self.moments.count).filter_map(move |step| {
            let end = self.moments.at(step);
            let start = end.saturating_sub(self.length);
            slide(&mut of_floats, floats.len(), |at| floats[at], start, end);
            let time = |at: usize| histograms[at].0;
            slide(&mut of_histograms, histograms.len(), time, start, end);
            let any = !of_floats.is_empty() || !of_histograms.is_empty();
            any.then(|| {
                let window = Window {
                    step,
                    start,
                    end,
                    samples: of_floats.clone(),
                };
                (window, of_histograms.clone())
            })
        })
    }
}

/// Moves a range of indices forward to those whose times lie after `start` and not after `end`.
fn slide(range: &mut Range<usize>, len: usize, time: impl Fn(usize) -> i64, start: i64, end: i64) {
    while range.end < len && time(range.end) <= end {
        range.end += 1;
    }
    while range.start < range.end && time(range.start) <= start {
        range.start += 1;
    }
}
