//! One series of the head: sealed chunks, oldest first, and the tail that grows.
//!
//! The chunks and the tail do not overlap, and each series has a lock of its own, held for the time of a copy.

use std::sync::{Arc, Mutex, MutexGuard};

use model::{Labels, SampleColumns};

use crate::chunk::{Chunk, SAMPLES_SEALED, Samples, Tail};

/// A series: its identity and its samples.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    samples: Mutex<SeriesSamples>,
}

impl Series {
    pub(crate) fn new(labels: Labels) -> Self {
        Self {
            labels,
            samples: Mutex::default(),
        }
    }

    pub(crate) fn samples(&self) -> MutexGuard<'_, SeriesSamples> {
        self.samples
            .lock()
            .expect("invariant: no one panics while holding a series")
    }

    /// Whether there may be samples from `start` to `end`, both inclusive.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        let range = self.samples().range();
        range.is_some_and(|(first, last)| first <= end && start <= last)
    }

    /// Appends the samples from `start` to `end`, both inclusive, to `columns`.
    pub(crate) fn read(&self, start: i64, end: i64, columns: &mut SampleColumns) {
        let (sealed, tail) = self.samples().overlapping(start, end);
        for chunk in sealed {
            push_range(chunk.samples(), start, end, columns);
        }
        if let Some((bytes, count)) = tail {
            push_range(Samples::new(&bytes, count), start, end, columns);
        }
    }
}

fn push_range(samples: Samples<'_>, start: i64, end: i64, columns: &mut SampleColumns) {
    for (timestamp, bits) in samples {
        if timestamp > end {
            break;
        }
        if timestamp >= start {
            columns.push(timestamp, f64::from_bits(bits));
        }
    }
}

/// The samples of a series.
#[derive(Debug, Default)]
pub(crate) struct SeriesSamples {
    sealed: Vec<Arc<Chunk>>,
    sealed_memory: usize,
    tail: Tail,
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What sealed chunks take; it can be given back.
    pub(crate) sealed: usize,
    /// What tails take.
    pub(crate) tails: usize,
}

/// A tail's bytes and how many samples they hold.
type TailCopy = (Vec<u8>, u16);

impl SeriesSamples {
    /// Adds a sample that is newer than all others.
    pub(crate) fn append(&mut self, timestamp: i64, bits: u64) {
        self.tail.push(timestamp, bits);
        if self.tail.count() >= SAMPLES_SEALED {
            self.seal();
        }
    }

    /// Adds a sample at its place, unless there is one at its timestamp.
    pub(crate) fn insert(&mut self, timestamp: i64, bits: u64) {
        if self.range().is_none_or(|(_, last)| timestamp > last) {
            return self.append(timestamp, bits);
        }
        if self
            .tail
            .range()
            .is_some_and(|(first, _)| timestamp >= first)
        {
            let mut samples: Vec<_> = self.tail.samples().collect();
            insert_sorted(&mut samples, timestamp, bits);
            self.tail.clear();
            for (timestamp, bits) in samples {
                self.append(timestamp, bits);
            }
            return;
        }
        let Some(oldest) = self.sealed.first() else {
            // Older than the whole tail, and nothing is sealed yet: a chunk of its own comes before the tail.
            let chunk = Chunk::pack(&[(timestamp, bits)]);
            self.sealed_memory += chunk.memory();
            self.sealed.push(chunk);
            return;
        };
        // The last chunk that starts before the sample takes it, or else the first.
        let at = if timestamp < oldest.first {
            0
        } else {
            self.sealed
                .partition_point(|chunk| chunk.first <= timestamp)
                - 1
        };
        let mut samples: Vec<_> = self.sealed[at].samples().collect();
        insert_sorted(&mut samples, timestamp, bits);
        let halves = if samples.len() > 2 * usize::from(SAMPLES_SEALED) {
            2
        } else {
            1
        };
        let packed = samples
            .chunks(samples.len().div_ceil(halves))
            .map(Chunk::pack);
        let packed: Vec<_> = packed.collect();
        self.sealed_memory -= self.sealed[at].memory();
        self.sealed_memory += packed.iter().map(|chunk| chunk.memory()).sum::<usize>();
        self.sealed.splice(at..=at, packed);
    }

    /// The value at a timestamp.
    pub(crate) fn value_at(&self, timestamp: i64) -> Option<u64> {
        let within = |(first, last): (i64, i64)| first <= timestamp && timestamp <= last;
        let samples = if self.tail.range().is_some_and(within) {
            self.tail.samples()
        } else {
            let at = self.sealed.partition_point(|chunk| chunk.last < timestamp);
            self.sealed.get(at)?.samples()
        };
        let mut from = samples.skip_while(|(candidate, _)| *candidate < timestamp);
        from.next()
            .filter(|(found, _)| *found == timestamp)
            .map(|(_, bits)| bits)
    }

    /// First and last timestamp; none without samples.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        let tail = self.tail.range();
        let first = self
            .sealed
            .first()
            .map(|chunk| chunk.first)
            .or(tail.map(|tail| tail.0))?;
        let last = tail
            .map(|tail| tail.1)
            .or(self.sealed.last().map(|chunk| chunk.last))?;
        Some((first, last))
    }

    /// Drops what holds only samples older than `floor`.
    pub(crate) fn drop_before(&mut self, floor: i64) {
        let kept = self.sealed.partition_point(|chunk| chunk.last < floor);
        for chunk in self.sealed.drain(..kept) {
            self.sealed_memory -= chunk.memory();
        }
        self.sealed.shrink_to(2 * self.sealed.len());
        if self.tail.range().is_some_and(|(_, last)| last < floor) {
            self.tail = Tail::default();
        }
    }

    /// Seals a tail whose samples are all older than `before`.
    pub(crate) fn seal_before(&mut self, before: i64) {
        if self.tail.range().is_some_and(|(_, last)| last < before) {
            self.seal();
        }
    }

    /// The sealed chunks, oldest first.
    pub(crate) fn sealed(&self) -> &[Arc<Chunk>] {
        &self.sealed
    }

    /// What the samples take.
    pub(crate) fn memory(&self) -> Memory {
        Memory {
            sealed: self.sealed_memory,
            tails: self.tail.memory(),
        }
    }

    fn seal(&mut self) {
        if self.sealed.len() == self.sealed.capacity() {
            self.sealed.reserve_exact(1 + self.sealed.len() / 4);
        }
        let chunk = self.tail.seal();
        self.sealed_memory += chunk.memory();
        self.sealed.push(chunk);
    }

    fn overlapping(&self, start: i64, end: i64) -> (Vec<Arc<Chunk>>, Option<TailCopy>) {
        let from = self.sealed.partition_point(|chunk| chunk.last < start);
        let to = self.sealed.partition_point(|chunk| chunk.first <= end);
        let sealed = self.sealed.get(from..to).unwrap_or_default().to_vec();
        let overlaps = |(first, last)| first <= end && start <= last;
        let tail = self
            .tail
            .range()
            .is_some_and(overlaps)
            .then(|| self.tail.copy());
        (sealed, tail)
    }
}

fn insert_sorted(samples: &mut Vec<(i64, u64)>, timestamp: i64, bits: u64) {
    let found = samples.binary_search_by_key(&timestamp, |(timestamp, _)| *timestamp);
    if let Err(at) = found {
        samples.insert(at, (timestamp, bits));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_in_any_order_read_as_a_sorted_map(
            samples in prop::collection::vec((0i64..600, crate::tests::bits()), 1..400),
            start in -10i64..600,
            length in 0i64..600,
            floor in 0i64..300,
        ) {
            let series = Series::new(Labels::empty());
            let mut expected = BTreeMap::new();
            for (timestamp, bits) in samples {
                prop_assert_eq!(series.samples().value_at(timestamp), expected.get(&timestamp).copied());
                expected.entry(timestamp).or_insert(bits);
                series.samples().insert(timestamp, bits);
            }
            series.samples().drop_before(floor);
            let start = start.max(floor);
            let mut columns = SampleColumns::default();
            series.read(start, start + length, &mut columns);
            let read: Vec<_> = columns.timestamps.into_iter()
                .zip(columns.values.into_iter().map(f64::to_bits)).collect();
            let expected: Vec<_> = expected.range(start..=start + length).map(|(t, v)| (*t, *v)).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
