//! What readers see: an unchanging list of memtables and blocks, which is replaced as a whole.
//!
//! A reader keeps the list that it began with; what it names lives as long as that reader. Samples move from a memtable
//! into a block by one replacement, so nobody sees them twice or not at all.

use std::sync::Arc;

use model::Matcher;
use roaring::RoaringBitmap;

use crate::block::{Block, BlockError};
use crate::memtable::Memtable;
use crate::tombstones::Tombstone;

/// The sources of samples, in the order in which they were written: the first has the say about a timestamp.
#[derive(Clone)]
pub(crate) struct View {
    /// By generation.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// Memtables that become blocks, the oldest first, and behind them the one that is written.
    pub(crate) memtables: Vec<Arc<Memtable>>,
    pub(crate) tombstones: Vec<Arc<Tombstone>>,
}

impl View {
    /// The memtable that is written.
    pub(crate) fn active(&self) -> &Arc<Memtable> {
        self.memtables
            .last()
            .expect("invariant: there is always a memtable to write to")
    }

    /// The memtables that become blocks.
    pub(crate) fn frozen(&self) -> &[Arc<Memtable>] {
        &self.memtables[..self.memtables.len() - 1]
    }

    /// Bytes of memory of all memtables.
    pub(crate) fn memtables_memory(&self) -> usize {
        let memtables = self.memtables.iter();
        memtables.map(|memtable| memtable.memory()).sum()
    }

    /// First and last timestamp of all there is.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        let blocks = self.blocks.iter().map(|block| range(block));
        let memtables = self
            .memtables
            .iter()
            .filter_map(|memtable| memtable.range());
        blocks
            .chain(memtables)
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Bytes of all blocks.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.iter().map(|block| block.meta().bytes).sum()
    }

    /// Sorts the blocks by the order in which they were written.
    ///
    /// Beside a merged block there may be some of those that it was made of, after a crash. What begins with the same
    /// generation and ends later was then merged from what is left over, and has the say only after the merged one.
    pub(crate) fn sort(&mut self) {
        self.blocks.sort_by_key(|block| {
            let header = &block.meta().header;
            (
                header.first_generation,
                header.last_generation,
                header.number,
            )
        });
    }
}

/// First and last timestamp of a block.
pub(crate) fn range(block: &Block) -> (i64, i64) {
    (block.meta().first, block.meta().last)
}

/// Whether a block has samples from `start` to `end`, both inclusive.
pub(crate) fn overlaps(block: &Block, start: i64, end: i64) -> bool {
    let (first, last) = range(block);
    first <= end && start <= last
}

/// What is deleted of a block: which series, and from when to when.
pub(crate) struct Deleted {
    pub(crate) series: RoaringBitmap,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Deleted {
    /// What tombstones say about a block.
    pub(crate) fn of(
        block: &Block,
        tombstones: &[Arc<Tombstone>],
    ) -> Result<Vec<Self>, BlockError> {
        let mut deleted = Vec::new();
        for tombstone in tombstones {
            let covers = block.meta().header.number < tombstone.before_block;
            if !covers || !overlaps(block, tombstone.start, tombstone.end) {
                continue;
            }
            let series = select_any(block, &tombstone.selectors)?;
            if !series.is_empty() {
                deleted.push(Self {
                    series,
                    start: tombstone.start,
                    end: tombstone.end,
                });
            }
        }
        Ok(deleted)
    }
}

/// The series of a block that fulfil all matchers of any of the selectors.
pub(crate) fn select_any(
    block: &Block,
    selectors: &[Vec<Matcher>],
) -> Result<RoaringBitmap, BlockError> {
    let mut series = RoaringBitmap::new();
    for matchers in selectors {
        series |= block.select(matchers)?;
    }
    Ok(series)
}
