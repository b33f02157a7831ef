//! How the memory of the store is divided.
//!
//! Series take what they take, and blocks a little. Some room is left for what writing a block needs for a moment. What
//! remains is for samples: the less that is, the earlier a memtable becomes a block. Where too little would remain, new
//! series are refused. Those that there are go on: their samples wait until others have become blocks, and are refused
//! only if not even that makes room. Memtables that became blocks count as long as a reader holds them.

use crate::append::memory_limit;
use crate::shared::Shared;
use crate::view::View;

/// What writing a block takes for each series: its place in the order, its share of the label index.
const FLUSH_BYTES_PER_SERIES: usize = 48;

/// What writing a block takes in any case, and its share of the limit where that is less.
const FLUSH_BYTES: usize = 8 << 20;
const FLUSH_PART: usize = 16;

/// What a new series takes, about: labels, what the writer knows of it, and what writing a block takes for it. Long labels
/// take more, which the next batch finds out.
const NEW_SERIES_BYTES: usize = 320;

/// The part of the limit that new series leave for samples.
const SAMPLES_PART: usize = 8;

/// What a memtable may take for each series: room for some samples, so that writing its block is not mostly writing
/// labels.
const MEMTABLE_BYTES_PER_SERIES: usize = 160;

/// Memtables of the full size for which there is to be room: one that is written, one that becomes a block, and a part of
/// a third, so that nobody waits as a rule.
const MEMTABLES: usize = 3;

/// Memtables that wait to be written; with another one appends wait, however little they take.
const FROZEN_MAX: usize = 2;

/// The memory of the store at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    limit: usize,
    memtables: usize,
    /// What remains for memtables.
    for_samples: usize,
}

impl Room {
    /// Whether there is room for samples.
    pub(crate) fn for_samples(&self) -> bool {
        self.memtables < self.for_samples.max(self.limit / SAMPLES_PART)
    }

    /// For how many more series there is room.
    pub(crate) fn series_left(&self) -> usize {
        self.for_samples.saturating_sub(self.limit / SAMPLES_PART) / NEW_SERIES_BYTES
    }
}

impl Shared {
    /// How much room there is.
    pub(crate) fn room(&self) -> Room {
        self.room_in(&self.view())
    }

    fn room_in(&self, view: &View) -> Room {
        let limit = memory_limit(self.config().memory_max);
        let flush =
            FLUSH_BYTES.min(limit / FLUSH_PART) + self.series.len() * FLUSH_BYTES_PER_SERIES;
        let taken = self.series_memory() + self.blocks_memory(view) + flush;
        Room {
            limit,
            memtables: self.memtables_memory(),
            for_samples: limit.saturating_sub(taken),
        }
    }

    /// Bytes of memory at which a memtable is full: more with many series, less where memory is scarce.
    pub(crate) fn memtable_limit(&self) -> usize {
        let config = self.config();
        let wanted = config
            .memtable_bytes
            .max(self.series.len() * MEMTABLE_BYTES_PER_SERIES);
        let room = self.room();
        wanted.min(room.for_samples.max(room.limit / SAMPLES_PART) / MEMTABLES)
    }

    /// Whether so much waits to become blocks that appends wait too.
    pub(crate) fn is_full(&self) -> bool {
        let view = self.view();
        match view.frozen().len() {
            0 => false,
            1..=FROZEN_MAX => !self.room_in(&view).for_samples(),
            _ => true,
        }
    }
}
