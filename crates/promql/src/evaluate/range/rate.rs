//! Functions of how a counter or gauge moves in a range: rate, increase, delta, changes, resets.
//!
//! Each finds the places of interest of a series once; a window then only looks at those that lie in it.

use model::SampleColumns;

use super::extents::Extents;
use crate::evaluate::column::ABSENT;
use crate::evaluate::samples::SeriesSamples;
use crate::plan::Windows;
use crate::{EvalError, Interrupt};

/// Samples that are looked at for falls at once.
const PIECE: usize = 128;

/// What [`extrapolated`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::evaluate) struct Slope {
    /// Whether a fall is a reset to zero.
    pub(super) counter: bool,
    /// Whether the result is divided by the length of the range.
    pub(super) per_second: bool,
}

/// `rate`, `increase` and `delta`.
///
/// 1. The increase from the first to the last sample, to which the value before each reset is added.
/// 2. With a counter that began in the range as its start says, the first value is added, and nothing before.
/// 3. It is extrapolated to both ends of the range if the nearest sample lies closer than 1.1 times the mean
///    distance of samples, else by half that distance; for a counter not past the point where it would be zero.
pub(super) fn extrapolated(
    slope: Slope,
    samples: &SeriesSamples,
    windows: Windows,
    extents: &mut Extents,
    interrupt: &Interrupt,
    out: &mut [f64],
) -> Result<(), EvalError> {
    let series = &samples.floats;
    let values = &series.values;
    let resets = resets(slope.counter, samples);
    let mut first_reset = 0;
    let mut touched = 0;
    for extent in extents.of(windows, &series.timestamps) {
        let (first, last) = (extent.first, extent.last);
        let began = slope.began(samples, extent.start, series.timestamps[first]);
        if first == last && began.is_none() {
            continue;
        }
        let mut increase = values[last] - values[first];
        while first_reset < resets.len() && resets[first_reset] <= first {
            first_reset += 1;
        }
        for reset in &resets[first_reset..] {
            if *reset > last {
                break;
            }
            increase += values[reset - 1];
            touched += 1;
        }
        // A counter that often begins anew makes long ranges long to look at.
        if touched > super::SAMPLES_BETWEEN_POLLS {
            interrupt.poll()?;
            touched = 0;
        }
        let factor = match began {
            // The counter was zero when it began, which is known to be in the range.
            Some(began) => {
                increase += values[first];
                let factor = extent.outer.factor_since(series.timestamps[last] - began);
                slope.scaled(factor, windows)
            }
            None => match extent.growth.factor(slope, values[first], increase) {
                Some(factor) => factor,
                None => {
                    let factor = extent.outer.factor(Some(values[first] / increase));
                    slope.scaled(factor, windows)
                }
            },
        };
        out[extent.step] = increase * factor;
    }
    Ok(())
}

/// The samples before which a counter began anew: its value fell, or its start says so.
fn resets(counter: bool, samples: &SeriesSamples) -> Vec<usize> {
    if !counter {
        return Vec::new();
    }
    let (times, values) = (&samples.floats.timestamps, &samples.floats.values);
    let began = |index: &usize| {
        values[*index] < values[index - 1]
            || samples.started_between(times[index - 1], times[*index])
    };
    let mut found = Vec::new();
    for from in (1..values.len()).step_by(PIECE) {
        let to = (from + PIECE).min(values.len());
        // Most counters never begin anew: this loop has no branch, and looks at several values at once.
        let pairs = values[from - 1..to - 1].iter().zip(&values[from..to]);
        let falls = pairs.fold(false, |falls, (before, value)| falls | (value < before));
        if falls || !samples.starts.is_empty() {
            found.extend((from..to).filter(began));
        }
    }
    found
}

impl Slope {
    /// When the counter of the first sample in a range began, if that was in the range.
    pub(super) fn began(self, samples: &SeriesSamples, start: i64, first: i64) -> Option<i64> {
        match self.counter {
            true => samples.began_after(start, first),
            false => None,
        }
    }

    /// A factor of an increase as one of what is computed.
    pub(super) fn scaled(self, factor: f64, windows: Windows) -> f64 {
        match self.per_second {
            true => factor / windows.seconds(),
            false => factor,
        }
    }
}

/// How the outermost samples lie in a range, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outer {
    /// From the start of the range to the first sample.
    before: i64,
    /// From the first to the last sample.
    between: i64,
    /// From the last sample to the end of the range.
    after: i64,
    /// How many samples there are.
    count: usize,
}

impl Outer {
    pub(super) fn new(range: (i64, i64), samples: (i64, i64), count: usize) -> Self {
        Self {
            before: samples.0 - range.0,
            between: samples.1 - samples.0,
            after: range.1 - samples.1,
            count,
        }
    }

    fn seconds(millis: i64) -> f64 {
        millis as f64 / 1000.0
    }

    /// The time between the outermost samples in seconds.
    pub(super) fn sampled(&self) -> f64 {
        Self::seconds(self.between)
    }

    /// The mean distance of samples in seconds; 0 for one sample.
    fn distance(&self) -> f64 {
        match self.count {
            0 | 1 => 0.0,
            count => self.sampled() / (count - 1) as f64,
        }
    }

    /// How far an increase is drawn out on one side, in seconds.
    fn drawn_out(&self, millis: i64) -> f64 {
        let (seconds, distance) = (Self::seconds(millis), self.distance());
        if seconds >= distance * 1.1 {
            return distance / 2.0;
        }
        seconds
    }

    /// How far an increase is drawn out before the first sample, in seconds, if nothing is known of a zero.
    pub(super) fn drawn_out_before(&self) -> f64 {
        self.drawn_out(self.before)
    }

    /// The factor by which an increase between the outermost samples grows to that of the whole range. `zero` is how
    /// many times the time between them the point at which a counter was zero lies before the first, if it is known.
    pub(super) fn factor(&self, zero: Option<f64>) -> f64 {
        let sampled = self.sampled();
        let mut to_start = self.drawn_out_before();
        if let Some(zero) = zero {
            let to_zero = sampled * zero;
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        (sampled + to_start + self.drawn_out(self.after)) / sampled
    }

    /// The factor for an increase since the counter began, so many milliseconds before the last sample.
    pub(super) fn factor_since(&self, began: i64) -> f64 {
        let sampled = Self::seconds(began);
        (sampled + self.drawn_out(self.after)) / sampled
    }
}

/// `irate` (`rate`) and `idelta`: between the last two samples.
pub(super) fn instantaneous(
    rate: bool,
    timestamps: &[i64],
    values: &[f64],
    samples: &SeriesSamples,
) -> f64 {
    let ([.., before, last], [.., before_at, at]) = (values, timestamps) else {
        return ABSENT;
    };
    // After a reset the counter has grown from zero.
    let reset = rate && (last < before || samples.started_between(*before_at, *at));
    let change = if reset { *last } else { last - before };
    if !rate {
        return change;
    }
    let millis = at - before_at;
    change / (millis as f64 / 1000.0)
}

/// `changes` and `resets`: how many neighbours in a range stand in the given relation.
pub(super) fn counted(
    relation: fn(before: f64, value: f64) -> bool,
    also: &dyn Fn(usize) -> bool,
    series: &SampleColumns,
    windows: Windows,
    out: &mut [f64],
) {
    // Before each sample, how many pairs up to it stand in the relation.
    let mut counts = Vec::with_capacity(series.len());
    let mut count = 0.0;
    for (index, value) in series.values.iter().enumerate() {
        if index > 0 && (relation(series.values[index - 1], *value) || also(index)) {
            count += 1.0;
        }
        counts.push(count);
    }
    for window in windows.over(&series.timestamps) {
        out[window.step] = counts[window.samples.end - 1] - counts[window.samples.start];
    }
}

/// Whether two values differ, NaN being one value.
pub(super) fn is_change(before: f64, value: f64) -> bool {
    value != before && !(value.is_nan() && before.is_nan())
}

/// Whether a counter has started again.
pub(super) fn is_reset(before: f64, value: f64) -> bool {
    value < before
}
