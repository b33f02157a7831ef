//! What a series has beside numbers, in memory.

use std::collections::BTreeMap;

use model::{Exemplar, Histogram};

/// What a series has beside floats, each list in the order of timestamps.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) histograms: BTreeMap<i64, Histogram>,
    pub(crate) exemplars: Exemplars,
    /// Since which time the counter counts, by the time at which that was told.
    pub(crate) starts: BTreeMap<i64, i64>,
}

impl Extras {
    /// All timestamps at which there is anything, in no order.
    pub(crate) fn timestamps(&self) -> impl Iterator<Item = i64> {
        let exemplars = self.exemplars.by_time.keys();
        let others = self.histograms.keys().chain(self.starts.keys());
        others.chain(exemplars).copied()
    }
}

/// The exemplars of a series, each once.
#[derive(Default)]
pub(crate) struct Exemplars {
    /// Those of one timestamp in the order of their arrival.
    by_time: BTreeMap<i64, Vec<Exemplar>>,
    count: usize,
}

impl Exemplars {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Those at a timestamp.
    pub(crate) fn at(&self, timestamp: i64) -> &[Exemplar] {
        self.by_time.get(&timestamp).map_or(&[], Vec::as_slice)
    }

    /// Adds one, unless it is there.
    pub(crate) fn insert(&mut self, exemplar: Exemplar) {
        let same_time = self
            .by_time
            .entry(exemplar.timestamp.as_millis())
            .or_default();
        if !same_time.contains(&exemplar) {
            same_time.push(exemplar);
            self.count += 1;
        }
    }

    /// Those from `start` to `end`, both inclusive.
    pub(crate) fn range(&self, start: i64, end: i64) -> impl Iterator<Item = &Exemplar> {
        let within = (start <= end).then(|| self.by_time.range(start..=end));
        within.into_iter().flatten().flat_map(|(_, all)| all)
    }
}
