//! The samples that are not in a block yet.
//!
//! 1. Series that are written together share a column of timestamps ([`shard`]): a sample is then a value and a row.
//! 2. A series' newest values lie raw in its tail ([`tails`]); a value that only repeats takes no room at all.
//! 3. A full tail is packed into a mini chunk ([`packed`]).
//! 4. Samples older than the newest of their series, and what is no float, lie apart, sorted.
//!
//! A memtable only grows. When it is large, old or idle it is frozen: a new one takes what comes, and this one becomes
//! a block. Series are spread over shards by their numbers, neighbours together, and each shard has a lock that is held
//! for the time of one run of samples, or of copying one series.

mod extras;
mod packed;
mod shard;
mod tails;

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use model::SampleColumns;

pub(crate) use extras::Extras;
pub(crate) use shard::Shard;

/// So many series with consecutive numbers stand in one shard before the next one follows: most runs of samples,
/// which are a target's, lock once.
const NEIGHBOURS: u32 = 512;

/// More than there are writers and readers at a time.
const SHARDS: u32 = 16;

/// Samples in memory, all of them also in one file of the log.
pub(crate) struct Memtable {
    /// The number of its log.
    pub(crate) generation: u64,
    /// When it began, by the monotonic clock: a leap of the other one writes nothing to disk.
    pub(crate) begun: Duration,
    shards: Vec<Mutex<Shard>>,
    memory: AtomicUsize,
    /// The memory of all memtables that somebody holds, this one included.
    memory_of_all: Arc<AtomicUsize>,
    samples: AtomicU64,
    /// Series with a sample that is a number.
    series: AtomicU64,
    chunks: AtomicU64,
    first: AtomicI64,
    last: AtomicI64,
}

impl Memtable {
    /// An empty one, which counts its memory in `memory_of_all` too as long as it lives.
    pub(crate) fn new(generation: u64, begun: Duration, memory_of_all: &Arc<AtomicUsize>) -> Self {
        Self {
            generation,
            begun,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            memory: AtomicUsize::new(0),
            memory_of_all: Arc::clone(memory_of_all),
            samples: AtomicU64::new(0),
            series: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            first: AtomicI64::new(i64::MAX),
            last: AtomicI64::new(i64::MIN),
        }
    }

    /// Locks the shard of a series; [`Memtable::settle`] counts what was done there.
    pub(crate) fn shard(&self, id: u32) -> MutexGuard<'_, Shard> {
        let shard = (id / NEIGHBOURS % SHARDS) as usize;
        self.shards[shard]
            .lock()
            .expect("invariant: no one panics while holding a shard")
    }

    /// Whether two series stand in one shard.
    pub(crate) fn same_shard(a: u32, b: u32) -> bool {
        a / NEIGHBOURS % SHARDS == b / NEIGHBOURS % SHARDS
    }

    /// Takes over into the totals what changed in a shard since the last time.
    pub(crate) fn settle(&self, shard: &mut Shard) {
        let change = shard.take_change();
        self.memory.fetch_add(change.memory, Ordering::Relaxed);
        self.memory_of_all
            .fetch_add(change.memory, Ordering::Relaxed);
        self.samples.fetch_add(change.samples, Ordering::Relaxed);
        self.series.fetch_add(change.series, Ordering::Relaxed);
        self.chunks.fetch_add(change.chunks, Ordering::Relaxed);
        self.first.fetch_min(change.first, Ordering::Relaxed);
        self.last.fetch_max(change.last, Ordering::Relaxed);
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// How many samples there are.
    pub(crate) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// How many series have samples that are numbers and came in order.
    pub(crate) fn series_count(&self) -> u64 {
        self.series.load(Ordering::Relaxed)
    }

    /// How many mini chunks there are.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples() == 0
    }

    /// First and last timestamp; none without samples.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        let range = (
            self.first.load(Ordering::Relaxed),
            self.last.load(Ordering::Relaxed),
        );
        (range.0 <= range.1).then_some(range)
    }

    /// Whether there may be anything from `start` to `end`, both inclusive.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.range()
            .is_some_and(|(first, last)| first <= end && start <= last)
    }

    /// Whether a series has anything here.
    pub(crate) fn has(&self, id: u32) -> bool {
        self.shard(id).has(local(id))
    }

    /// Keeps those of the series, which are sorted by number, that may have something from `start` to `end`.
    pub(crate) fn overlapping(&self, ids: &[u32], start: i64, end: i64, each: &mut dyn FnMut(u32)) {
        for run in ids.chunk_by(|a, b| a / NEIGHBOURS == b / NEIGHBOURS) {
            let shard = self.shard(run[0]);
            for id in run {
                if shard.overlaps(local(*id), start, end) {
                    each(*id);
                }
            }
        }
    }

    /// Appends the samples of a series from `start` to `end`, both inclusive, to `columns`.
    pub(crate) fn read(&self, id: u32, start: i64, end: i64, columns: &mut SampleColumns) {
        self.shard(id).read(local(id), start, end, columns);
    }

    /// The value of a series at a timestamp.
    pub(crate) fn value_at(&self, id: u32, timestamp: i64) -> Option<u64> {
        self.shard(id).value_at(local(id), timestamp)
    }

    /// Shows what a series has beside floats.
    pub(crate) fn extras<T>(&self, id: u32, show: impl FnOnce(&Extras) -> T) -> Option<T> {
        self.shard(id).extras(local(id)).map(show)
    }

    /// The numbers of all series that have anything here, rising.
    pub(crate) fn series(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        for (number, shard) in (0u32..).zip(&self.shards) {
            let shard = shard
                .lock()
                .expect("invariant: no one panics while holding a shard");
            let all = (0u32..).take(shard.len());
            let present = all.filter(|local| shard.has(*local as usize));
            ids.extend(present.map(|local| global(number, local)));
        }
        ids.sort_unstable();
        ids
    }
}

impl Drop for Memtable {
    fn drop(&mut self) {
        self.memory_of_all
            .fetch_sub(self.memory(), Ordering::Relaxed);
    }
}

/// Where a series stands in its shard.
pub(crate) fn local(id: u32) -> usize {
    (id / (NEIGHBOURS * SHARDS) * NEIGHBOURS + id % NEIGHBOURS) as usize
}

fn global(shard: u32, local: u32) -> u32 {
    local / NEIGHBOURS * (NEIGHBOURS * SHARDS) + shard * NEIGHBOURS + local % NEIGHBOURS
}

#[cfg(test)]
mod tests;
