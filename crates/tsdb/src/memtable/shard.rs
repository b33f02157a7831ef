//! One shard of a memtable: its series, their columns of timestamps, tails and mini chunks.

use std::collections::{BTreeMap, HashMap};

use model::SampleColumns;

use super::extras::Extras;
use super::packed::{ChunkPlace, Packed};
use super::tails::{Cell, TAIL, Tails};
use crate::codec::{self, Effort};

/// Series in one box.
const NEIGHBOURS: usize = super::NEIGHBOURS as usize;

/// No column.
const NONE: u32 = u32::MAX;

/// Equal values in a row of which only the count is kept.
const REPEATED_MAX: usize = codec::CHUNK_SAMPLES;

/// What a timestamp out of order takes in its tree, about.
const LATE_MEMORY: usize = 32;

/// What a column takes beside the list of it and its first few timestamps.
const COLUMN_MEMORY: usize = 48;

/// What the entry of a series in a map takes beside its content.
const ENTRY_MEMORY: usize = 64;

/// Some of the series of a memtable.
#[derive(Default)]
pub(crate) struct Shard {
    series: AllSeries,
    columns: Vec<Vec<i64>>,
    tails: Tails,
    packed: Packed,
    /// Samples that were older than the newest of their series.
    late: HashMap<u32, BTreeMap<i64, u64>, foldhash::fast::RandomState>,
    extras: HashMap<u32, Extras, foldhash::fast::RandomState>,
    scratch: Scratch,
    loose_memory: usize,
    change: Change,
    counted_memory: usize,
}

/// What packing needs, used again and again.
#[derive(Default)]
struct Scratch {
    values: Vec<u64>,
    packed: Vec<u8>,
}

/// What was added to a shard.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) memory: usize,
    pub(crate) samples: u64,
    pub(crate) series: u64,
    pub(crate) chunks: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Default for Change {
    fn default() -> Self {
        Self {
            memory: 0,
            samples: 0,
            series: 0,
            chunks: 0,
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

/// The samples of one series: mini chunks, then a tail of rows of one column, of which `row` is the next.
#[derive(Clone, Copy)]
struct Series {
    /// The newest value.
    bits: u64,
    column: u32,
    row: u32,
    chunk: ChunkPlace,
    /// Where the tail's values lie; without a cell all of them are equal to `bits`.
    cell: Option<Cell>,
    /// Values in the tail.
    count: u16,
}

const ABSENT: Series = Series {
    bits: 0,
    column: NONE,
    row: 0,
    chunk: ChunkPlace::NONE,
    cell: None,
    count: 0,
};

/// The series of a shard by their places: neighbours together, once one of them has something here.
#[derive(Default)]
struct AllSeries {
    boxes: Vec<Option<Box<[Series; NEIGHBOURS]>>>,
    taken: usize,
}

impl AllSeries {
    fn get(&self, local: usize) -> Option<&Series> {
        let neighbours = self.boxes.get(local / NEIGHBOURS)?.as_ref()?;
        Some(&neighbours[local % NEIGHBOURS])
    }

    #[inline]
    fn of(&mut self, local: usize) -> &mut Series {
        let at = local / NEIGHBOURS;
        if self.boxes.get(at).is_none_or(Option::is_none) {
            self.add(at);
        }
        let neighbours = self.boxes[at].as_mut();
        &mut neighbours.expect("invariant: it was just added")[local % NEIGHBOURS]
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, at: usize) {
        if self.boxes.len() <= at {
            self.boxes.resize_with(at + 1, || None);
        }
        self.boxes[at] = Some(Box::new([ABSENT; NEIGHBOURS]));
        self.taken += 1;
    }

    /// How many places there are.
    fn len(&self) -> usize {
        self.boxes.len() * NEIGHBOURS
    }

    /// Bytes of memory.
    fn memory(&self) -> usize {
        self.taken * size_of::<[Series; NEIGHBOURS]>()
    }
}

impl Shard {
    /// Adds a sample that is newer than all others of its series here. `run` is the column of the samples before it in
    /// the same batch, which it joins if they share the timestamp.
    #[inline]
    pub(crate) fn append(&mut self, local: usize, timestamp: i64, bits: u64, run: &mut u32) {
        let mut series = self.series.of(local);
        let fits = match self.columns.get_mut(series.column as usize) {
            Some(column) => {
                let rows = column.len() as u32;
                let newest = column[column.len() - 1];
                if series.row == rows && timestamp > newest {
                    column.push(timestamp);
                    self.loose_memory += size_of::<i64>();
                    true
                } else {
                    series.row + 1 == rows && timestamp == newest
                }
            }
            None => false,
        };
        if !fits {
            self.join(local, timestamp, *run);
            series = self.series.of(local);
        }
        *run = series.column;
        if series.cell.is_none() && series.bits != bits && series.count > 0 {
            self.leave_repetition(local);
            series = self.series.of(local);
        }
        let count = usize::from(series.count);
        let full = match series.cell {
            None => count + 1 == REPEATED_MAX,
            Some(cell) => {
                match self.tails.values_mut(cell).get_mut(count) {
                    Some(value) => *value = bits,
                    None => {
                        let larger = self.tails.grow(cell);
                        self.tails.values_mut(larger)[count] = bits;
                        series.cell = Some(larger);
                    }
                }
                count + 1 == TAIL
            }
        };
        series.bits = bits;
        series.row += 1;
        series.count += 1;
        if full {
            self.pack(local);
        }
        self.count(timestamp);
    }

    /// Adds a sample older than the newest of its series here, unless there is one at its timestamp.
    pub(crate) fn insert_late(&mut self, local: usize, timestamp: i64, bits: u64) {
        let late = self.late.entry(local as u32).or_insert_with(|| {
            self.loose_memory += ENTRY_MEMORY;
            BTreeMap::new()
        });
        if late.insert(timestamp, bits).is_none() {
            self.loose_memory += LATE_MEMORY;
        }
        self.count(timestamp);
    }

    /// What a series has beside floats, to be added to: samples of `memory` bytes at a timestamp.
    pub(crate) fn extras_mut(
        &mut self,
        local: usize,
        timestamp: i64,
        memory: usize,
    ) -> &mut Extras {
        self.count(timestamp);
        self.loose_memory += memory;
        self.extras.entry(local as u32).or_insert_with(|| {
            self.loose_memory += ENTRY_MEMORY;
            Extras::default()
        })
    }

    pub(crate) fn extras(&self, local: usize) -> Option<&Extras> {
        self.extras.get(&(local as u32))
    }

    /// The value of a series at a timestamp.
    pub(crate) fn value_at(&self, local: usize, timestamp: i64) -> Option<u64> {
        let mut columns = SampleColumns::default();
        self.read(local, timestamp, timestamp, &mut columns);
        columns.values.first().map(|value| value.to_bits())
    }

    /// How many series there is room for.
    pub(crate) fn len(&self) -> usize {
        let loose = self.late.keys().chain(self.extras.keys()).max();
        self.series
            .len()
            .max(loose.map_or(0, |last| *last as usize + 1))
    }

    /// Whether a series has anything here.
    pub(crate) fn has(&self, local: usize) -> bool {
        self.series(local).is_some()
            || self.late.contains_key(&(local as u32))
            || self.extras.contains_key(&(local as u32))
    }

    /// Whether a series may have anything from `start` to `end`, both inclusive.
    pub(crate) fn overlaps(&self, local: usize, start: i64, end: i64) -> bool {
        // Extras are few and not looked into.
        if self.extras.contains_key(&(local as u32)) {
            return true;
        }
        let late = self.late.get(&(local as u32));
        if late.is_some_and(|late| start <= end && late.range(start..=end).next().is_some()) {
            return true;
        }
        let Some(series) = self.series(local) else {
            return false;
        };
        let column = &self.columns[series.column as usize];
        let newest = column[series.row as usize - 1];
        let tail = column[(series.row - u32::from(series.count)) as usize..].first();
        let oldest_known = series.chunk == ChunkPlace::NONE;
        newest >= start && (!oldest_known || tail.is_some_and(|oldest| *oldest <= end))
    }

    /// Appends the samples of a series from `start` to `end`, both inclusive, to `columns`.
    pub(crate) fn read(&self, local: usize, start: i64, end: i64, columns: &mut SampleColumns) {
        if start > end {
            return;
        }
        let from = columns.len();
        if let Some(series) = self.series(local) {
            self.read_ordered(series, start, end, columns);
        }
        let Some(late) = self.late.get(&(local as u32)) else {
            return;
        };
        let mut late = late.range(start..=end).peekable();
        if late.peek().is_none() {
            return;
        }
        let ordered = SampleColumns {
            timestamps: columns.timestamps.split_off(from),
            values: columns.values.split_off(from),
        };
        for (timestamp, value) in ordered.timestamps.into_iter().zip(ordered.values) {
            while let Some((at, bits)) = late.next_if(|(at, _)| **at < timestamp) {
                columns.push(*at, f64::from_bits(*bits));
            }
            columns.push(timestamp, value);
        }
        for (at, bits) in late {
            columns.push(*at, f64::from_bits(*bits));
        }
    }

    /// What was added since the last call.
    pub(crate) fn take_change(&mut self) -> Change {
        let memory = self.memory();
        let mut change = std::mem::take(&mut self.change);
        change.memory = memory - self.counted_memory;
        self.counted_memory = memory;
        change
    }

    fn series(&self, local: usize) -> Option<&Series> {
        let series = self.series.get(local)?;
        (series.column != NONE).then_some(series)
    }

    fn read_ordered(&self, series: &Series, start: i64, end: i64, columns: &mut SampleColumns) {
        let mut chunks = Vec::new();
        let mut place = series.chunk;
        while let Some(chunk) = self.packed.get(place) {
            let column = &self.columns[chunk.column as usize];
            if column[chunk.row as usize + usize::from(chunk.count) - 1] < start {
                break;
            }
            place = chunk.before;
            chunks.push(chunk);
        }
        for chunk in chunks.into_iter().rev() {
            let rows = chunk.row as usize..chunk.row as usize + usize::from(chunk.count);
            let timestamps = &self.columns[chunk.column as usize][rows];
            let wanted = within(timestamps, start, end);
            if wanted.is_empty() {
                continue;
            }
            let before = columns.values.len();
            let mut values = chunk.values;
            codec::decode_values(&mut values, timestamps.len(), &mut columns.values)
                .expect("invariant: what lies in memory was encoded there");
            columns.values.truncate(before + wanted.end);
            columns.values.drain(before..before + wanted.start);
            columns.timestamps.extend_from_slice(&timestamps[wanted]);
        }
        let rows = (series.row - u32::from(series.count)) as usize..series.row as usize;
        let timestamps = &self.columns[series.column as usize][rows];
        let wanted = within(timestamps, start, end);
        columns
            .timestamps
            .extend_from_slice(&timestamps[wanted.clone()]);
        match series.cell {
            Some(cell) => {
                let values = self.tails.values(cell)[wanted].iter();
                columns
                    .values
                    .extend(values.map(|bits| f64::from_bits(*bits)));
            }
            None => {
                let repeated = f64::from_bits(series.bits);
                columns.values.resize(columns.timestamps.len(), repeated);
            }
        }
    }

    fn count(&mut self, timestamp: i64) {
        self.change.samples += 1;
        self.change.first = self.change.first.min(timestamp);
        self.change.last = self.change.last.max(timestamp);
    }

    /// Moves a series, which has no next row for the timestamp in its column, to another column.
    #[cold]
    fn join(&mut self, local: usize, timestamp: i64, run: u32) {
        self.pack(local);
        let joined = self.columns.get(run as usize);
        let joined = joined.filter(|column| column.last() == Some(&timestamp));
        let (column, row) = match joined {
            Some(column) => (run, column.len() - 1),
            None => {
                self.columns.push(vec![timestamp]);
                self.loose_memory += COLUMN_MEMORY;
                (self.columns.len() as u32 - 1, 0)
            }
        };
        let series = self.series.of(local);
        self.change.series += u64::from(series.column == NONE);
        series.column = column;
        series.row = row as u32;
    }

    /// Gives a tail that held one value only a cell; if it is long, its values are packed before.
    #[cold]
    fn leave_repetition(&mut self, local: usize) {
        if usize::from(self.series.of(local).count) >= TAIL {
            self.pack(local);
        }
        let series = self.series.of(local);
        let count = usize::from(series.count);
        // A series that has filled a tail before will do so again.
        let room = match series.chunk {
            ChunkPlace::NONE => count + 1,
            _ => TAIL,
        };
        let cell = self.tails.take(room);
        self.tails.values_mut(cell)[..count].fill(series.bits);
        series.cell = Some(cell);
    }

    /// Turns the tail into a mini chunk.
    fn pack(&mut self, local: usize) {
        let series = self.series.of(local);
        let count = usize::from(series.count);
        if count == 0 {
            return;
        }
        let Scratch { values, packed } = &mut self.scratch;
        values.clear();
        match series.cell {
            Some(cell) => values.extend_from_slice(&self.tails.values(cell)[..count]),
            None => values.resize(count, series.bits),
        }
        packed.clear();
        codec::encode_values(values, Effort::Fast, packed);
        let row = series.row - count as u32;
        series.chunk = self
            .packed
            .push(series.chunk, series.column, row, series.count, packed);
        series.count = 0;
        self.change.chunks += 1;
        if let Some(cell) = series.cell
            && values.iter().all(|value| *value == series.bits)
        {
            self.tails.give_back(cell);
            series.cell = None;
        }
    }

    fn memory(&self) -> usize {
        self.series.memory()
            + self.columns.capacity() * size_of::<Vec<i64>>()
            + self.tails.memory()
            + self.packed.memory()
            + self.loose_memory
    }
}

/// The places of the timestamps, which rise, from `start` to `end`, both inclusive.
fn within(timestamps: &[i64], start: i64, end: i64) -> std::ops::Range<usize> {
    let from = timestamps.partition_point(|timestamp| *timestamp < start);
    let to = timestamps.partition_point(|timestamp| *timestamp <= end);
    from..to.max(from)
}
