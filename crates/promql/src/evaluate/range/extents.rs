//! Where ranges lie in the samples of a series, and what an extrapolation takes from that alone.
//!
//! The series of one job share their timestamps, so all this is found once for them and looked up for the others.

use super::rate::{Outer, Slope};
use crate::plan::Windows;

/// What a place takes in memory beside the timestamps, in samples of 16 bytes.
const EXTENT_SAMPLES: usize = size_of::<Extent>().div_ceil(16);

/// The places of ranges in the samples that were looked at last.
#[derive(Debug, Default)]
pub(in crate::evaluate) struct Extents {
    windows: Option<Windows>,
    timestamps: Vec<i64>,
    list: Vec<Extent>,
}

/// The place of one range that holds a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// The index of the step to which the range belongs.
    pub(super) step: usize,
    /// The indices of its first and last sample.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The moment before its first, in milliseconds.
    pub(super) start: i64,
    /// How the samples lie in the range.
    pub(super) outer: Outer,
    /// The factor by which an increase grows from the samples to the range, unless the counter was zero nearer than the
    /// range begins.
    pub(super) growth: Growth,
}

/// What follows from an [`Outer`] alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    factor: f64,
    /// The same for each second of the range.
    factor_per_second: f64,
    /// How far the increase is drawn out before the first sample, and the time between the samples, in seconds.
    to_start: f64,
    sampled: f64,
}

/// More than rounding can make of a comparison of products.
const MARGIN: f64 = 1.0 + 1e-9;

impl Growth {
    fn new(outer: &Outer, range: f64) -> Self {
        let factor = outer.factor(None);
        Self {
            factor,
            factor_per_second: factor / range,
            to_start: outer.drawn_out_before(),
            sampled: outer.sampled(),
        }
    }

    /// The factor; none if the counter may have been zero nearer than it is drawn out.
    pub(super) fn factor(&self, slope: Slope, first: f64, increase: f64) -> Option<f64> {
        let may_be_zero = slope.counter
            && increase > 0.0
            && first >= 0.0
            && self.sampled * first <= self.to_start * increase * MARGIN;
        match (may_be_zero, slope.per_second) {
            (true, _) => None,
            (false, true) => Some(self.factor_per_second),
            (false, false) => Some(self.factor),
        }
    }
}

impl Extents {
    /// The places of the ranges that hold any of the timestamps.
    pub(super) fn of(&mut self, windows: Windows, timestamps: &[i64]) -> &[Extent] {
        if self.windows != Some(windows) || self.timestamps != timestamps {
            self.find(windows, timestamps);
        }
        &self.list
    }

    /// How many samples would take as much memory.
    pub(in crate::evaluate) fn weight(&self) -> usize {
        self.timestamps.capacity() / 2 + self.list.capacity() * EXTENT_SAMPLES
    }

    fn find(&mut self, windows: Windows, timestamps: &[i64]) {
        self.windows = Some(windows);
        self.timestamps.clear();
        self.timestamps.extend_from_slice(timestamps);
        self.list.clear();
        let mut before: Option<Extent> = None;
        for window in windows.over(timestamps) {
            let (first, last) = (window.samples.start, window.samples.end - 1);
            let outer = Outer::new(
                (window.start, window.end),
                (timestamps[first], timestamps[last]),
                window.samples.len(),
            );
            // Where samples come at equal distances most ranges look like the one before.
            let growth = match before {
                Some(before) if before.outer == outer => before.growth,
                _ => Growth::new(&outer, windows.seconds()),
            };
            let extent = Extent {
                step: window.step,
                first,
                last,
                start: window.start,
                outer,
                growth,
            };
            before = Some(extent);
            self.list.push(extent);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Steps;

    /// Rising timestamps, mostly at equal distances.
    fn timestamps() -> impl Strategy<Value = Vec<i64>> {
        let distance = prop_oneof![4 => Just(15_000), 2 => 1..40_000_i64, 1 => 1..3_i64];
        (-50_000..50_000_i64, prop::collection::vec(distance, 0..40)).prop_map(|(first, gaps)| {
            let mut at = first;
            let next = |gap| {
                at += gap;
                at
            };
            gaps.into_iter().map(next).collect()
        })
    }

    fn windows() -> impl Strategy<Value = Windows> {
        let steps = (-100_000..700_000_i64, 1..50_000_i64, 0..30_usize);
        let length = prop_oneof![Just(60_000), 1..200_000_i64];
        (steps, length).prop_map(|((start, step, count), length)| Windows {
            moments: Steps { start, step, count },
            length,
        })
    }

    /// What can be told of a place, found by looking at all timestamps for each range.
    fn expected(windows: Windows, timestamps: &[i64]) -> Vec<String> {
        let mut places = Vec::new();
        for (step, end) in windows.moments.iter().enumerate() {
            let start = end - windows.length;
            let is_in = |at: &&i64| **at > start && **at <= end;
            let Some(first) = timestamps.iter().position(|at| is_in(&at)) else {
                continue;
            };
            let count = timestamps.iter().filter(is_in).count();
            let last = first + count - 1;
            let ends = (timestamps[first], timestamps[last]);
            let outer = Outer::new((start, end), ends, count);
            let growth = Growth::new(&outer, windows.seconds());
            places.push(format!(
                "{:?}",
                Extent {
                    step,
                    first,
                    last,
                    start,
                    outer,
                    growth,
                }
            ));
        }
        places
    }

    fn shown(places: &[Extent]) -> Vec<String> {
        places.iter().map(|place| format!("{place:?}")).collect()
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_series_and_windows_that_are_asked_for(
            series in prop::collection::vec(timestamps(), 1..4),
            all_windows in prop::collection::vec(windows(), 1..3),
            asked in prop::collection::vec(any::<(usize, usize)>(), 1..12),
        ) {
            let mut extents = Extents::default();
            for (of, over) in asked {
                let of = &series[of % series.len()];
                let windows = all_windows[over % all_windows.len()];
                prop_assert_eq!(shown(extents.of(windows, of)), expected(windows, of));
            }
        }

        /// The factor that is found once is the one that is computed with the point at which the counter was zero, to
        /// the last bit, or there is none.
        #[test]
        fn a_factor_never_hides_a_nearer_zero(
            before in 0..100_000_i64,
            gaps in (1..100_000_i64, 0..100_000_i64),
            count in 2..50_usize,
            first in prop_oneof![0.0..100.0_f64, Just(0.0), 0.0..1e-3_f64, -5.0..0.0_f64, 1e300..1e308_f64],
            increase in prop_oneof![0.0..100.0_f64, Just(0.0), 1e-320..1e-300_f64, -5.0..0.0_f64, 1e300..1e308_f64],
            near in prop::option::of(-4..5_i32),
            counter in any::<bool>(),
        ) {
            let (between, after) = gaps;
            let range = before + between + after;
            let outer = Outer::new((0, range), (before, before + between), count);
            // Often the zero lies where the increase is drawn out to, or as near to it as numbers go.
            let first = match near {
                Some(off) => {
                    let at = outer.drawn_out_before() * increase / outer.sampled();
                    at * (1.0 + f64::from(off) * f64::EPSILON)
                }
                None => first,
            };
            let growth = Growth::new(&outer, range as f64 / 1000.0);
            let known_zero = counter && increase > 0.0 && first >= 0.0;
            let exact = outer.factor(known_zero.then(|| first / increase));
            for per_second in [false, true] {
                let slope = Slope { counter, per_second };
                let exact = if per_second { exact / (range as f64 / 1000.0) } else { exact };
                if let Some(factor) = growth.factor(slope, first, increase) {
                    prop_assert_eq!(factor.to_bits(), exact.to_bits());
                }
                let drawn_out = outer.drawn_out_before() * increase;
                let is_far = first * outer.sampled() > 2.0 * drawn_out;
                if !known_zero || is_far {
                    prop_assert!(growth.factor(slope, first, increase).is_some());
                }
            }
        }
    }
}
