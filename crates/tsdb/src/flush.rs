//! From memory into blocks: a memtable is frozen, written, and its log removed.
//!
//! 1. Freezing takes no time: the next memtable and its log take what comes, under the writer's lock.
//! 2. The frozen memtable's series are sorted by labels and written, each window of time into a block of its own, so
//!    that retention can drop whole blocks and late samples do not make blocks overlap that lie far apart.
//! 3. Readers get the blocks in place of the memtable by one replacement; then its log is removed.
//! 4. Series that have not been written for long are evicted from the registry.
//!
//! A crash between 2 and 3 leaves the samples in both; they are read once, since of two samples at one timestamp one is
//! read, and merged when blocks are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::SampleColumns;

use crate::attachment;
use crate::block::{Attachment, Block, BlockHeader, BlockWriter, SeriesData};
use crate::codec::Effort;
use crate::error::Error;
use crate::memtable::{Extras, Memtable};
use crate::shared::Shared;

/// Blocks that are written at once; a memtable that spans more windows is walked over more than once.
const WRITERS_MAX: usize = 8;

/// Histograms and exemplars in one attachment, so that a reader need not decode all.
const ATTACHED_MAX: usize = 120;

/// Bytes of an attachment above which it is cut in two, for the same reason; a single histogram may be larger. A block
/// takes no attachment above 8 MiB.
const ATTACHED_BYTES_MAX: usize = 256 << 10;

/// Series that are looked at and evicted in one go, while the writer waits: some hundred microseconds.
const EVICTED_SLICE: usize = 4096;

/// A block that is being written, with its window: first and last timestamp.
struct WindowWriter {
    first: i64,
    last: i64,
    writer: Option<BlockWriter>,
}

impl Shared {
    /// Writes the oldest frozen memtable; false if there is none.
    ///
    /// Errors: the disk refused; the memtable stays.
    pub(crate) fn flush_oldest(&self) -> Result<bool, Error> {
        let _changing = self.changing();
        let Some(memtable) = self.view().frozen().first().cloned() else {
            return Ok(false);
        };
        // While this takes its time the next memtable may become full.
        self.prepare_log();
        let start = self.clock.monotonic();
        let mut numbers = Vec::new();
        let blocks = match self.write_memtable(&memtable, &mut numbers) {
            Ok(blocks) => blocks,
            Err(error) => {
                self.discard(&numbers);
                return Err(error);
            }
        };
        let bytes = blocks.iter().map(|block| block.meta().bytes).sum();
        self.replace_view(|view| {
            view.memtables
                .retain(|other| !Arc::ptr_eq(other, &memtable));
            view.blocks.extend(blocks.iter().cloned());
            view.sort();
        });
        // What the log says of metrics stands in the next one, which may not be written yet.
        match self.commits.sync() {
            Ok(()) => self.remove_log(memtable.generation),
            Err(_) => self
                .condition
                .note_doomed_log(memtable.generation, self.clock.now()),
        }
        self.evict();
        let elapsed = self.clock.monotonic().saturating_sub(start);
        self.counters.count_flush(bytes, elapsed);
        tracing::info!(
            generation = memtable.generation,
            samples = memtable.samples(),
            blocks = blocks.len(),
            bytes,
            duration_ms = elapsed.as_secs_f64() * 1000.0,
            "samples in memory were written to disk"
        );
        self.signal.notify_flushed();
        Ok(true)
    }

    fn write_memtable(
        &self,
        memtable: &Memtable,
        numbers: &mut Vec<u64>,
    ) -> Result<Vec<Arc<Block>>, Error> {
        let mut ids = memtable.series();
        let _pin = self.series.pin();
        self.series.sort(&mut ids);
        let floor = self.oldest_on_disk(self.clock.now());
        let windows = self.windows_of(memtable, &ids, floor);
        let windows: Vec<_> = windows.into_iter().collect();
        let mut blocks = Vec::new();
        for windows in windows.chunks(WRITERS_MAX) {
            let mut writers: Vec<_> = windows
                .iter()
                .map(|window| {
                    let (first, last) = self.window(*window);
                    WindowWriter {
                        first: first.max(floor),
                        last,
                        writer: None,
                    }
                })
                .collect();
            self.write_windows(memtable, &ids, &mut writers)?;
            for window in writers {
                let Some(writer) = window.writer else {
                    continue;
                };
                let number = writer.number();
                numbers.push(number);
                writer
                    .finish()
                    .map_err(|error| self.block_error("write", number, error))?;
                blocks.push(self.open_block(number)?);
            }
        }
        Ok(blocks)
    }

    /// Removes blocks that nobody has seen: otherwise the next start would find them, whatever was deleted meanwhile.
    pub(crate) fn discard(&self, numbers: &[u64]) {
        for number in numbers {
            self.remove_file(self.block_path(*number));
        }
    }

    /// The windows in which the memtable has anything from `floor` on.
    fn windows_of(&self, memtable: &Memtable, ids: &[u32], floor: i64) -> BTreeSet<i64> {
        let mut windows = BTreeSet::new();
        let Some((first, last)) = memtable.range() else {
            return windows;
        };
        let (first, last) = (
            self.window_number(first.max(floor)),
            self.window_number(last),
        );
        if first >= last {
            windows.insert(last);
            return windows;
        }
        let mut columns = SampleColumns::default();
        for id in ids {
            columns.clear();
            memtable.read(*id, floor, i64::MAX, &mut columns);
            // Neighbours are most often in one window.
            let mut known = i64::MIN..i64::MIN;
            for timestamp in &columns.timestamps {
                if !known.contains(timestamp) {
                    let number = self.window_number(*timestamp);
                    let (first, last) = self.window(number);
                    known = first..last.saturating_add(1);
                    windows.insert(number);
                }
            }
            memtable.extras(*id, |extras| {
                let timestamps = extras.timestamps().filter(|timestamp| *timestamp >= floor);
                windows.extend(timestamps.map(|timestamp| self.window_number(timestamp)));
            });
        }
        windows
    }

    fn write_windows(
        &self,
        memtable: &Memtable,
        ids: &[u32],
        writers: &mut [WindowWriter],
    ) -> Result<(), Error> {
        let header = BlockHeader {
            first_generation: memtable.generation,
            last_generation: memtable.generation,
            ..BlockHeader::default()
        };
        let mut columns = SampleColumns::default();
        let mut packed = String::new();
        let first = writers.first().map_or(i64::MAX, |window| window.first);
        let last = writers.last().map_or(i64::MIN, |window| window.last);
        for id in ids {
            columns.clear();
            memtable.read(*id, first, last, &mut columns);
            packed.clear();
            self.series.pack(*id, &mut packed);
            for window in &mut *writers {
                let timestamps = &columns.timestamps;
                let from = timestamps.partition_point(|timestamp| *timestamp < window.first);
                let to = timestamps.partition_point(|timestamp| *timestamp <= window.last);
                let payloads = memtable
                    .extras(*id, |extras| {
                        encode_extras(extras, window.first, window.last)
                    })
                    .unwrap_or_default();
                if from >= to && payloads.is_empty() {
                    continue;
                }
                let attachments: Vec<_> = payloads.iter().map(Payload::attachment).collect();
                let data = SeriesData {
                    timestamps: &timestamps[from..to],
                    values: &columns.values[from..to],
                    attachments: &attachments,
                };
                let writer = match &mut window.writer {
                    Some(writer) => writer,
                    none => {
                        let number = self.next_block_number();
                        let header = BlockHeader {
                            number,
                            ..header.clone()
                        };
                        none.insert(self.begin_block(header, Effort::Fast)?)
                    }
                };
                let number = writer.number();
                writer
                    .series(&packed, &data)
                    .map_err(|error| self.block_error("write", number, error))?;
            }
        }
        Ok(())
    }

    /// The number of the next block.
    pub(crate) fn next_block_number(&self) -> u64 {
        self.next_block.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins a block with the number of the header.
    pub(crate) fn begin_block(
        &self,
        header: BlockHeader,
        effort: Effort,
    ) -> Result<BlockWriter, Error> {
        let number = header.number;
        let header = BlockHeader {
            created: self.clock.now().as_millis(),
            ..header
        };
        BlockWriter::create(&self.disk, &self.block_path(number), header, effort)
            .map_err(|error| self.block_error("create", number, error))
    }

    /// Opens a block that was just written.
    pub(crate) fn open_block(&self, number: u64) -> Result<Arc<Block>, Error> {
        let path = self.block_path(number);
        match Block::open(&*self.disk, &path, Arc::clone(&self.pages)) {
            Ok(block) => Ok(Arc::new(block)),
            Err(error) => Err(Error::Block(error.to_string())),
        }
    }

    /// The window of time that a timestamp is in; blocks of one window are merged in the end.
    pub(crate) fn window_number(&self, timestamp: i64) -> i64 {
        timestamp.div_euclid(self.window_length())
    }

    /// First and last timestamp of a window.
    pub(crate) fn window(&self, number: i64) -> (i64, i64) {
        let length = self.window_length();
        let first = number.saturating_mul(length);
        (first, first.saturating_add(length - 1))
    }

    /// Takes series out of the registry that nothing was written to for long and that no memtable holds. The writer
    /// never waits for more than some of them.
    fn evict(&self) {
        let Ok(writer) = self.writer() else {
            return;
        };
        let epoch = writer.idle_epoch(self.clock.monotonic());
        drop(writer);
        let Some(epoch) = epoch else {
            return;
        };
        let view = self.view();
        let held = |id: &u32| view.memtables.iter().any(|memtable| memtable.has(*id));
        let all: Vec<u32> = self.series.all().iter().collect();
        let mut evicted = 0;
        for slice in all.chunks(EVICTED_SLICE) {
            let mut idle = slice.to_vec();
            let Ok(writer) = self.writer() else {
                return;
            };
            writer.retain_idle(&mut idle, epoch);
            drop(writer);
            idle.retain(|id| !held(id));
            if idle.is_empty() {
                continue;
            }
            let Ok(mut writer) = self.writer() else {
                return;
            };
            // Whatever was written to meanwhile, into whichever memtable, is no longer idle.
            writer.retain_idle(&mut idle, epoch);
            writer.evict(&idle);
            evicted += idle.len();
        }
        let mut next = (evicted > 0).then_some(0);
        while let Some(part) = next {
            let Ok(mut writer) = self.writer() else {
                return;
            };
            next = writer.sweep(part);
        }
    }
}

/// An encoded attachment.
struct Payload {
    kind: u8,
    first: i64,
    last: i64,
    count: u32,
    bytes: Vec<u8>,
}

impl Payload {
    fn attachment(&self) -> Attachment<'_> {
        Attachment {
            kind: self.kind,
            first: self.first,
            last: self.last,
            count: self.count,
            payload: &self.bytes,
        }
    }
}

/// What a series has beside floats from `first` to `last`, both inclusive.
fn encode_extras(extras: &Extras, first: i64, last: i64) -> Vec<Payload> {
    if first > last {
        return Vec::new();
    }
    let histograms = extras.histograms.range(first..=last);
    let histograms: Vec<_> = histograms
        .map(|(at, histogram)| (*at, histogram.clone()))
        .collect();
    let starts: Vec<_> = extras
        .starts
        .range(first..=last)
        .map(|(at, start)| (*at, *start))
        .collect();
    let exemplars: Vec<_> = extras.exemplars.range(first, last).cloned().collect();
    let mut payloads = Vec::new();
    push_payloads(
        &mut payloads,
        attachment::HISTOGRAM,
        &histograms,
        |(at, _)| *at,
        attachment::encode_histograms,
    );
    push_payloads(
        &mut payloads,
        attachment::EXEMPLAR,
        &exemplars,
        |exemplar| exemplar.timestamp.as_millis(),
        attachment::encode_exemplars,
    );
    push_payloads(
        &mut payloads,
        attachment::START,
        &starts,
        |(at, _)| *at,
        attachment::encode_starts,
    );
    payloads
}

fn push_payloads<T>(
    payloads: &mut Vec<Payload>,
    kind: u8,
    items: &[T],
    timestamp: impl Fn(&T) -> i64,
    encode: impl Fn(&[T]) -> Vec<u8>,
) {
    // The next run is the last one.
    let mut runs: Vec<_> = items.chunks(ATTACHED_MAX).rev().collect();
    while let Some(run) = runs.pop() {
        let bytes = encode(run);
        if bytes.len() > ATTACHED_BYTES_MAX && run.len() > 1 {
            let (first, second) = run.split_at(run.len() / 2);
            runs.extend([second, first]);
            continue;
        }
        payloads.push(Payload {
            kind,
            first: timestamp(&run[0]),
            last: timestamp(&run[run.len() - 1]),
            count: run.len() as u32,
            bytes,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_where_their_bytes_are_too_many() {
        let sizes = [1usize, 5, 200_000, 200_000, 3, 700_000, 2, 60_000];
        let items: Vec<(i64, usize)> = (0..).zip(sizes).collect();
        let mut payloads = Vec::new();
        push_payloads(
            &mut payloads,
            attachment::HISTOGRAM,
            &items,
            |(at, _)| *at,
            |run| {
                let mut bytes = Vec::new();
                for (at, size) in run {
                    bytes.extend(std::iter::repeat_n(*at as u8, *size));
                }
                bytes
            },
        );
        let mut next = 0;
        let mut bytes: Vec<u8> = Vec::new();
        for payload in &payloads {
            assert_eq!(payload.first, next, "they follow each other");
            next = payload.last + 1;
            assert_eq!(i64::from(payload.count), next - payload.first);
            assert!(payload.bytes.len() <= ATTACHED_BYTES_MAX || payload.count == 1);
            bytes.extend(&payload.bytes);
        }
        assert_eq!(next as usize, items.len());
        assert_eq!(bytes.len(), sizes.iter().sum::<usize>());
        assert!(payloads.len() < items.len(), "small ones stay together");
    }
}
