//! The answer to a question: which series, and where the samples of each lie.
//!
//! 1. Each block in the range says which of its series match, in the order of their labels; so do the registry and the
//!    memtables for the series in memory.
//! 2. These lists are merged by labels. A series then knows its places, in the order in which they were written.
//! 3. Samples are read place by place. As a rule one place ends before the next begins; otherwise they are merged,
//!    and of two samples at one timestamp the one that was written first remains.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::{
    Exemplar, Histogram, Labels, Matcher, Reservation, SampleColumns, Scope, SelectedSeries,
    SourceError,
};
use roaring::RoaringBitmap;

use crate::attachment;
use crate::block::{Block, BlockError};
use crate::shared::Shared;
use crate::view::{Deleted, View, overlaps, range, select_any};
use crate::words::{UnsortedWords, WORD_BYTES, Words};

/// What a series takes while it is looked for: the number of one in memory and its places.
const SOUGHT_BYTES: usize = 2 * size_of::<u32>() + size_of::<(u32, Place)>();

/// What a place of a series takes while the series are put together, with what sorting needs.
const FOUND_BYTES: usize = size_of::<(Labels, Place)>() * 3 / 2;

/// What a series takes once it is selected, beside its labels' bytes.
const SELECTED_BYTES: usize = size_of::<FoundSeries>() + size_of::<Place>() + LABELS_BYTES;

/// What labels take beside their bytes: counters, and what the allocator needs.
const LABELS_BYTES: usize = 32;

/// Series of which the labels are built before their memory is reserved: small beside the least budget.
const SLICE: usize = 256;

/// Series that match, and the view in which they were found.
pub(crate) struct Selected {
    view: Arc<View>,
    /// What is deleted of each block of the view; empty for most.
    deleted: Vec<Vec<Deleted>>,
    series: Vec<FoundSeries>,
    places: Vec<Place>,
    start: i64,
    end: i64,
    memory: Reservation,
}

struct FoundSeries {
    labels: Labels,
    /// Where its places begin; they end where the next one's begin.
    places: usize,
    /// The first timestamp that the retention of this series leaves.
    floor: i64,
}

/// Where samples lie.
#[derive(Clone, Copy)]
enum Place {
    /// A block by its index in the view, and the series' number in it.
    Block { block: usize, ordinal: u32 },
    /// A memtable by its index in the view, and the series' number in the registry.
    Memtable { memtable: usize, id: u32 },
}

/// A series in one place.
type Found = (Labels, Place);

impl Shared {
    /// The series that fulfil all matchers of any of the selectors, with what lies from `start` to `end`, both
    /// inclusive; without selectors all series. What they take is reserved in `memory`.
    pub(crate) fn select(
        &self,
        selectors: &[Vec<Matcher>],
        start: i64,
        end: i64,
        mut memory: Reservation,
    ) -> Result<Selected, SourceError> {
        let now = self.clock.now();
        let start = start.max(self.oldest(now));
        let (view, in_memory) = self.select_in_memory(selectors, start, end, &mut memory)?;
        let mut found = Vec::new();
        let mut deleted = Vec::with_capacity(view.blocks.len());
        for (index, block) in view.blocks.iter().enumerate() {
            if !overlaps(block, start, end) {
                deleted.push(Vec::new());
                continue;
            }
            let mut seek = Seek {
                selectors,
                start,
                end,
                found: &mut found,
                memory: &mut memory,
                refused: None,
            };
            let gone = seek.find_in_block(index, block, &view);
            if let Some(refused) = seek.refused {
                return Err(refused);
            }
            deleted.push(gone.map_err(|error| self.unreadable(block, &error))?);
        }
        match found.is_empty() {
            true => found = in_memory,
            false => found.extend(in_memory),
        }
        // Equal labels keep the order of their places.
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut selected = Selected {
            view,
            deleted,
            series: Vec::new(),
            places: Vec::with_capacity(found.len()),
            start,
            end,
            memory,
        };
        let count = found.len();
        let floors = self.floors(now);
        for (labels, place) in found {
            let last = selected.series.last();
            if last.is_none_or(|last| last.labels != labels) {
                selected.series.push(FoundSeries {
                    floor: floors.of(&labels),
                    labels,
                    places: selected.places.len(),
                });
            }
            selected.places.push(place);
        }
        selected.memory.shrink(count * FOUND_BYTES);
        Ok(selected)
    }

    /// The series in memory that match and have samples in the range, each with its place, and the view in which they
    /// do. Nothing is evicted meanwhile, so the numbers mean these series; in memtables that do not have a series
    /// yet, its number may mean another one later, and they are not among its places.
    fn select_in_memory(
        &self,
        selectors: &[Vec<Matcher>],
        start: i64,
        end: i64,
        memory: &mut Reservation,
    ) -> Result<(Arc<View>, Vec<Found>), SourceError> {
        let _pin = self.series.pin();
        // First the series, then the view: a series that is evicted before stands in the view's blocks.
        let ids = self.series.select_any(selectors);
        let view = self.view();
        let overlapping = view.memtables.iter();
        let overlapping = overlapping.filter(|memtable| memtable.overlaps(start, end));
        let sought = ids.len() as usize * SOUGHT_BYTES * overlapping.count();
        memory.grow(sought)?;
        let ids: Vec<u32> = ids.iter().collect();
        let mut places = Vec::new();
        for (index, memtable) in view.memtables.iter().enumerate() {
            if !memtable.overlaps(start, end) {
                continue;
            }
            memtable.overlapping(&ids, start, end, &mut |id| {
                let place = Place::Memtable {
                    memtable: index,
                    id,
                };
                places.push((id, place));
            });
        }
        let ids: Vec<u32> = places.iter().map(|(id, _)| *id).collect();
        let mut places = places.into_iter();
        memory.grow(ids.len() * (FOUND_BYTES + SELECTED_BYTES))?;
        let mut found = Vec::with_capacity(ids.len());
        for slice in ids.chunks(SLICE) {
            let mut bytes = 0;
            self.series.pack_each(slice, |_, packed| {
                let labels = Labels::from_packed(packed.as_bytes());
                let labels =
                    labels.expect("invariant: the registry packs labels as they are packed");
                found.extend(places.next().map(|(_, place)| (labels, place)));
                bytes += packed.len();
            });
            memory.grow(bytes)?;
        }
        memory.shrink(sought);
        Ok((view, found))
    }

    /// The names of all labels of series that have anything in the range of the scope, sorted.
    pub(crate) fn all_label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.all_of(
            scope,
            |of, _| Ok(self.series.label_names(of)),
            |block, each| {
                let names = block.label_names()?;
                _ = names.iter().try_for_each(|name| each(name));
                Ok(())
            },
            |labels, words| labels.iter().try_for_each(|(name, _)| words.add(name)),
        )
    }

    /// The values of a label of series that have anything in the range of the scope, sorted.
    pub(crate) fn all_label_values(
        &self,
        name: &str,
        scope: &Scope,
    ) -> Result<Vec<String>, SourceError> {
        let limit = match scope.limit {
            0 => usize::MAX,
            limit => limit,
        };
        self.all_of(
            scope,
            |of, memory| {
                let (count, bytes) = self.series.values_size(name);
                let part = bytes / count.max(1) + WORD_BYTES;
                memory.grow(count.min(limit).saturating_mul(part))?;
                Ok(self.series.label_values(name, of, limit))
            },
            |block, each| block.label_values(name, each),
            |labels, words| labels.get(name).map_or(Ok(()), |value| words.add(value)),
        )
    }

    /// Gathers words from the registry and from all blocks in the range.
    fn all_of(
        &self,
        scope: &Scope,
        in_memory: impl Fn(Option<&RoaringBitmap>, &mut Reservation) -> Result<Vec<String>, SourceError>,
        in_block: impl Fn(&Block, &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<(), BlockError>,
        of_labels: impl Fn(&Labels, &mut UnsortedWords) -> Result<(), SourceError>,
    ) -> Result<Vec<String>, SourceError> {
        let (start, end) = (scope.start.as_millis(), scope.end.as_millis());
        let start = start.max(self.oldest(self.clock.now()));
        let _pin = self.series.pin();
        let mut memory = self.budget.reservation();
        let (view, first) = loop {
            // First the series, then the view: a series that is evicted before stands in the view's blocks.
            let ids = self.series.all();
            let view = self.view();
            if !view.tombstones.is_empty() {
                // Which series are left must be looked at one by one.
                return self.select(&[], start, end, memory)?.into_words(of_labels);
            }
            let mut present = RoaringBitmap::new();
            let mut all = false;
            for memtable in &view.memtables {
                let Some((first, last)) = memtable.range() else {
                    continue;
                };
                // As a rule every series that there is has something in the newest memtable.
                let covered = start <= first && last <= end;
                if covered && memtable.series_count() == self.series.len() as u64 {
                    all = true;
                } else if !all && memtable.overlaps(start, end) {
                    let ids: Vec<u32> = ids.iter().collect();
                    memtable.overlapping(&ids, start, end, &mut |id| _ = present.insert(id));
                }
            }
            if !all {
                let found = match present.is_empty() {
                    true => Vec::new(),
                    false => in_memory(Some(&present), &mut memory)?,
                };
                break (view, found);
            }
            let found = in_memory(None, &mut memory)?;
            // Series are evicted only after the view has changed.
            if Arc::ptr_eq(&view, &self.view()) {
                break (view, found);
            }
            memory.shrink(memory.bytes());
        };
        let mut words = Words::new(first, memory);
        for block in view
            .blocks
            .iter()
            .filter(|block| overlaps(block, start, end))
        {
            let mut refused = None;
            in_block(block, &mut |word| match words.add(word) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    refused = Some(error);
                    ControlFlow::Break(())
                }
            })
            .map_err(|error| self.unreadable(block, &error))?;
            if let Some(refused) = refused {
                return Err(refused);
            }
            words.end_place();
        }
        Ok(words.finish())
    }
}

/// What is looked for in one block after the other.
struct Seek<'a> {
    selectors: &'a [Vec<Matcher>],
    start: i64,
    end: i64,
    found: &'a mut Vec<Found>,
    memory: &'a mut Reservation,
    /// Why nothing more is looked for.
    refused: Option<SourceError>,
}

impl Seek<'_> {
    /// Adds the series of a block that match, unless all that is asked for of one is deleted.
    fn find_in_block(
        &mut self,
        index: usize,
        block: &Block,
        view: &View,
    ) -> Result<Vec<Deleted>, BlockError> {
        let mut series = match self.selectors {
            [] => RoaringBitmap::from_iter(0..block.meta().series as u32),
            selectors => select_any(block, selectors)?,
        };
        let (first, last) = range(block);
        let mut deleted = Deleted::of(block, &view.tombstones)?;
        deleted.retain(|deleted| !deleted.series.is_disjoint(&series));
        for gone in &deleted {
            if gone.start <= self.start.max(first) && self.end.min(last) <= gone.end {
                series -= &gone.series;
            }
        }
        let count = series.len() as usize;
        if !self.has_room(count * (FOUND_BYTES + SELECTED_BYTES)) {
            return Ok(deleted);
        }
        let mut broken = None;
        block.labels(&series, &mut |ordinal, packed| {
            if !self.has_room(packed.len()) {
                return;
            }
            match Labels::from_packed(packed.as_bytes()) {
                Ok(labels) => {
                    let place = Place::Block {
                        block: index,
                        ordinal,
                    };
                    self.found.push((labels, place));
                }
                Err(error) => broken = Some(error),
            }
        })?;
        match broken {
            None => Ok(deleted),
            Some(_) => Err(block.broken_labels()),
        }
    }

    /// Reserves memory, unless that was refused before.
    fn has_room(&mut self, bytes: usize) -> bool {
        if self.refused.is_none() {
            self.refused = self.memory.grow(bytes).err();
        }
        self.refused.is_none()
    }
}

impl Selected {
    fn places(&self, index: usize) -> &[Place] {
        let start = self.series[index].places;
        let end = self.series.get(index + 1);
        &self.places[start..end.map_or(self.places.len(), |next| next.places)]
    }

    /// What was asked for of a series, less what its retention takes.
    fn range(&self, index: usize) -> (i64, i64) {
        (self.start.max(self.series[index].floor), self.end)
    }

    fn read_place(
        &self,
        place: Place,
        start: i64,
        end: i64,
        columns: &mut SampleColumns,
    ) -> Result<(), BlockError> {
        match place {
            Place::Memtable { memtable, id } => {
                self.view.memtables[memtable].read(id, start, end, columns);
                Ok(())
            }
            Place::Block { block, ordinal } => {
                let from = columns.len();
                self.view.blocks[block].read(ordinal, start, end, columns)?;
                for deleted in &self.deleted[block] {
                    if deleted.series.contains(ordinal) {
                        remove_range(columns, from, deleted.start, deleted.end);
                    }
                }
                Ok(())
            }
        }
    }

    /// Gathers attachments of a kind, place by place, in the order in which they were written.
    pub(crate) fn attachments<T>(
        &self,
        index: usize,
        kind: u8,
        decode: impl Fn(&[u8]) -> Option<Vec<T>>,
        timestamp: impl Fn(&T) -> i64,
        from_memory: impl Fn(&crate::memtable::Extras) -> Vec<T>,
        out: &mut Vec<T>,
    ) -> Result<(), BlockError> {
        let (start, end) = self.range(index);
        let within = |at: i64| start <= at && at <= end;
        for place in self.places(index) {
            match *place {
                Place::Memtable { memtable, id } => {
                    let all = self.view.memtables[memtable].extras(id, &from_memory);
                    let all = all.into_iter().flatten();
                    out.extend(all.filter(|item| within(timestamp(item))));
                }
                Place::Block { block, ordinal } => {
                    let stored = &self.view.blocks[block];
                    let gone = |at: i64| {
                        self.deleted[block].iter().any(|deleted| {
                            deleted.start <= at
                                && at <= deleted.end
                                && deleted.series.contains(ordinal)
                        })
                    };
                    let mut broken = false;
                    stored.attachments(
                        ordinal,
                        kind,
                        start,
                        end,
                        &mut |attachment| match decode(attachment.payload) {
                            Some(all) => {
                                out.extend(all.into_iter().filter(|item| {
                                    within(timestamp(item)) && !gone(timestamp(item))
                                }))
                            }
                            None => broken = true,
                        },
                    )?;
                    if broken {
                        return Err(stored.broken_attachment());
                    }
                }
            }
        }
        Ok(())
    }

    /// The histograms of a series, sorted by strictly rising timestamp.
    pub(crate) fn histograms(&self, index: usize) -> Result<Vec<(i64, Histogram)>, BlockError> {
        let mut all = Vec::new();
        self.attachments(
            index,
            attachment::HISTOGRAM,
            attachment::decode_histograms,
            |(timestamp, _)| *timestamp,
            |extras| {
                let all = extras.histograms.iter();
                all.map(|(timestamp, histogram)| (*timestamp, histogram.clone()))
                    .collect()
            },
            &mut all,
        )?;
        first_of_each(&mut all);
        Ok(all)
    }

    /// Since when a counter counts, by the time at which that was told, rising.
    pub(crate) fn starts(&self, index: usize) -> Result<Vec<(i64, i64)>, BlockError> {
        let mut all = Vec::new();
        self.attachments(
            index,
            attachment::START,
            attachment::decode_starts,
            |(timestamp, _)| *timestamp,
            |extras| {
                extras
                    .starts
                    .iter()
                    .map(|(at, start)| (*at, *start))
                    .collect()
            },
            &mut all,
        )?;
        first_of_each(&mut all);
        Ok(all)
    }

    /// The exemplars of a series, by timestamp.
    pub(crate) fn exemplars(&self, index: usize) -> Result<Vec<Exemplar>, SourceError> {
        let mut all = Vec::new();
        let (start, end) = self.range(index);
        let timestamp = |exemplar: &Exemplar| exemplar.timestamp.as_millis();
        self.attachments(
            index,
            attachment::EXEMPLAR,
            attachment::decode_exemplars,
            timestamp,
            |extras| extras.exemplars.range(start, end).cloned().collect(),
            &mut all,
        )?;
        all.sort_by_key(timestamp);
        all.dedup();
        Ok(all)
    }

    /// The labels of all series, and the memory reserved for them.
    pub(crate) fn into_labels(self) -> (Vec<Labels>, Reservation) {
        let labels = self.series.into_iter().map(|series| series.labels);
        (labels.collect(), self.memory)
    }

    /// The words that `add` finds in the labels of all series, sorted.
    pub(crate) fn into_words(
        self,
        add: impl Fn(&Labels, &mut UnsortedWords) -> Result<(), SourceError>,
    ) -> Result<Vec<String>, SourceError> {
        let mut words = UnsortedWords::new(self.memory);
        for series in &self.series {
            add(&series.labels, &mut words)?;
        }
        Ok(words.finish())
    }
}

/// Sorts by timestamp and keeps of equal ones the first.
fn first_of_each<T>(all: &mut Vec<(i64, T)>) {
    all.sort_by_key(|(timestamp, _)| *timestamp);
    all.dedup_by_key(|(timestamp, _)| *timestamp);
}

impl SelectedSeries for Selected {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.series[index].labels
    }

    fn read(&self, index: usize, columns: &mut SampleColumns) -> Result<(), SourceError> {
        let (start, end) = self.range(index);
        let from = columns.len();
        for place in self.places(index) {
            let before = columns.len();
            self.read_place(*place, start, end, columns)?;
            merge_last(columns, from, before);
        }
        Ok(())
    }

    fn read_histograms(
        &self,
        index: usize,
        histograms: &mut Vec<(i64, Histogram)>,
    ) -> Result<(), SourceError> {
        let all = self.histograms(index);
        histograms.extend(all?);
        Ok(())
    }

    fn read_starts(&self, index: usize, starts: &mut Vec<(i64, i64)>) -> Result<(), SourceError> {
        let all = self.starts(index);
        starts.extend(all?);
        Ok(())
    }
}

/// Merges two runs of samples, the one from `first` and the one from `second` on, which was written later.
pub(crate) fn merge_last(columns: &mut SampleColumns, first: usize, second: usize) {
    let timestamps = &columns.timestamps;
    let in_order = match (timestamps[first..second].last(), timestamps.get(second)) {
        (Some(last), Some(next)) => last < next,
        _ => true,
    };
    if in_order {
        return;
    }
    let later = SampleColumns {
        timestamps: columns.timestamps.split_off(second),
        values: columns.values.split_off(second),
    };
    let earlier = SampleColumns {
        timestamps: columns.timestamps.split_off(first),
        values: columns.values.split_off(first),
    };
    let mut later = later.timestamps.into_iter().zip(later.values).peekable();
    for (timestamp, value) in earlier.timestamps.into_iter().zip(earlier.values) {
        while let Some((at, value)) = later.next_if(|(at, _)| *at <= timestamp) {
            if at < timestamp {
                columns.push(at, value);
            }
        }
        columns.push(timestamp, value);
    }
    for (timestamp, value) in later {
        columns.push(timestamp, value);
    }
}

/// Takes out the samples from `start` to `end`, both inclusive, of those from index `from` on.
pub(crate) fn remove_range(columns: &mut SampleColumns, from: usize, start: i64, end: i64) {
    let timestamps = &columns.timestamps[from..];
    let first = from + timestamps.partition_point(|timestamp| *timestamp < start);
    let behind = from + timestamps.partition_point(|timestamp| *timestamp <= end);
    if first < behind {
        columns.timestamps.drain(first..behind);
        columns.values.drain(first..behind);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn columns(samples: &BTreeMap<i64, u64>) -> SampleColumns {
        SampleColumns {
            timestamps: samples.keys().copied().collect(),
            values: samples.values().map(|bits| f64::from_bits(*bits)).collect(),
        }
    }

    proptest! {
        #[test]
        fn of_two_runs_the_first_written_wins(
            runs in prop::collection::vec(prop::collection::btree_map(0i64..60, crate::tests::bits(), 0..20), 0..5),
            start in 0i64..60,
            length in -1i64..30,
        ) {
            let mut merged = SampleColumns::default();
            merged.push(-5, 1.5);
            let mut expected = BTreeMap::new();
            for run in &runs {
                let before = merged.len();
                let run_columns = columns(run);
                merged.timestamps.extend(run_columns.timestamps);
                merged.values.extend(run_columns.values);
                merge_last(&mut merged, 1, before);
                for (timestamp, bits) in run {
                    expected.entry(*timestamp).or_insert(*bits);
                }
            }
            remove_range(&mut merged, 1, start, start + length);
            expected.retain(|timestamp, _| !(start..=start + length).contains(timestamp));
            let read: Vec<_> = merged.timestamps.iter().copied()
                .zip(merged.values.iter().map(|value| value.to_bits())).skip(1).collect();
            prop_assert_eq!(read, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
