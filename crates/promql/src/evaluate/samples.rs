//! The samples of one series, as they are read and handed to functions of ranges.

use std::sync::Arc;

use model::{CounterReset, Histogram, Reservation, SampleColumns, SelectedSeries, is_stale};

use super::budget::Budget;
use super::range::Extents;
use crate::{Buckets, EvalError, FloatHistogram};

/// The samples of one series over time.
#[derive(Debug, Default)]
pub(super) struct SeriesSamples {
    pub(super) floats: SampleColumns,
    /// With their timestamps in milliseconds.
    pub(super) histograms: Vec<(i64, Arc<FloatHistogram>)>,
    /// Since when the counter has counted: from each moment on, see [`SelectedSeries::read_starts`].
    pub(super) starts: Vec<(i64, i64)>,
}

/// What a thread needs to compute one series after another; its memory is used again.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) samples: SeriesSamples,
    /// Where ranges lie in the samples.
    pub(super) extents: Extents,
    histograms: Vec<(i64, Histogram)>,
    reading: Reservation,
}

/// What is wanted of a series besides its samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// Since when its counter has counted.
    pub(super) starts: bool,
    /// Only count and sum of its histograms, since nobody looks at their buckets.
    pub(super) totals_only: bool,
}

/// Forgets the buckets, and notes what they say about a reset of the counter.
fn to_totals(histogram: &mut FloatHistogram, before: Option<&FloatHistogram>) {
    if histogram.reset == CounterReset::Unknown
        && let Some(before) = before
        && !histogram.is_stale()
    {
        histogram.reset = match histogram.detect_reset(before) {
            true => CounterReset::Yes,
            false => CounterReset::No,
        };
    }
    histogram.positive = Buckets::default();
    histogram.negative = Buckets::default();
    histogram.zero_count = 0.0;
}

impl Scratch {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            samples: SeriesSamples::default(),
            extents: Extents::default(),
            histograms: Vec::new(),
            reading: budget.reading(),
        }
    }

    /// Reads a series of a selection into `samples`; how many samples it has, stale markers included.
    pub(super) fn read(
        &mut self,
        selected: &dyn SelectedSeries,
        index: usize,
        wanted: Wanted,
        budget: &Budget,
    ) -> Result<usize, EvalError> {
        self.samples.clear();
        self.histograms.clear();
        selected.read(index, &mut self.samples.floats)?;
        selected.read_histograms(index, &mut self.histograms)?;
        let mut count = self.samples.floats.len();
        let mut before: Option<FloatHistogram> = None;
        for (at, histogram) in self.histograms.drain(..) {
            let mut histogram = FloatHistogram::from(&histogram);
            if wanted.totals_only {
                let next = histogram.clone();
                to_totals(&mut histogram, before.as_ref());
                before = (!next.is_stale()).then_some(next);
            }
            count += 1 + histogram.size_bytes() / size_of::<model::Sample>();
            self.samples.histograms.push((at, Arc::new(histogram)));
        }
        if wanted.starts {
            selected.read_starts(index, &mut self.samples.starts)?;
        }
        budget.read(count, self.extents.weight(), &mut self.reading)?;
        Ok(count)
    }

    /// Reserves memory for samples that are computed and put into `samples`.
    pub(super) fn make_room(&mut self, samples: usize, budget: &Budget) -> Result<(), EvalError> {
        budget.reads(samples, &mut self.reading)
    }
}

impl SeriesSamples {
    pub(super) fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
        self.starts.clear();
    }

    /// Forgets the markers of a series' end.
    pub(super) fn drop_stale(&mut self) {
        self.histograms
            .retain(|(_, histogram)| !histogram.is_stale());
        let floats = &mut self.floats;
        // No early end: so several values are looked at at once.
        let found = floats.values.iter().map(|value| is_stale(*value));
        if !found.fold(false, |any, stale| any | stale) {
            return;
        }
        let mut kept = 0;
        for index in 0..floats.len() {
            if !is_stale(floats.values[index]) {
                floats.values[kept] = floats.values[index];
                floats.timestamps[kept] = floats.timestamps[index];
                kept += 1;
            }
        }
        floats.values.truncate(kept);
        floats.timestamps.truncate(kept);
    }

    /// Since when the counter of the sample at a moment has counted; 0 if that is not known.
    pub(super) fn start_at(&self, at: i64) -> i64 {
        let after = self.starts.partition_point(|(since, _)| *since <= at);
        match after {
            0 => 0,
            _ => self.starts[after - 1].1,
        }
    }

    /// When the counter of the sample at a moment began, if that was after another moment.
    pub(super) fn began_after(&self, moment: i64, at: i64) -> Option<i64> {
        if self.starts.is_empty() {
            return None;
        }
        let start = self.start_at(at);
        (start != 0 && start > moment && start < at).then_some(start)
    }

    /// Whether the counter began anew between two samples, by what is known of its starts.
    pub(super) fn started_between(&self, before: i64, at: i64) -> bool {
        if self.starts.is_empty() {
            return false;
        }
        let start = self.start_at(at);
        // A start of 0 is none, one at or after its sample says nothing.
        if start == 0 || start >= at || start < before {
            return false;
        }
        // A start at the sample before is that of a delta, or made up for a counter whose start is not known.
        let known = self.start_at(before);
        start > before || known != 0 && known < before
    }
}
