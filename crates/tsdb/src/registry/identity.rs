//! From the keys of senders to series.
//!
//! 1. The key that is expected next is compared as it is (`order`).
//! 2. Else its hash gives a series, whose labels are compared with those in the key, without decoding it. While keys do
//!    not come in their order, whole blocks of them go this way at once, so that their memory is waited for together;
//!    now and then the order is tried again.
//! 3. A key that cannot be compared in this way is looked up as it is, among few.
//! 4. What is then unknown must be decoded: [`Identity::create`].
//!
//! Nothing found in 1 and 3 is believed without a reason: what is evicted is forgotten there at once. What 2 finds is
//! compared, so evicted series are swept out of there later, part by part.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;

use foldhash::fast::RandomState;
use model::{KeyEncoding, RejectReason, Row, Timestamp};
use roaring::RoaringBitmap;

use super::content::{Content, TOUCHED_MAX};
use super::index::{Created, SeriesIndex};
use super::order::Order;
use super::table::{IdTable, PARTS};

/// Stands for a key that is not known.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// Keys that are dealt with at once: enough to hide the waiting for memory.
const BLOCK: usize = TOUCHED_MAX;

/// When more keys of a block are not the expected ones, the following blocks are not compared with the order at all.
const MISSES_MAX: usize = BLOCK / 4;

/// After this many blocks without it the order is tried again, at first and at last.
const PAUSE_MIN: usize = 4;
const PAUSE_MAX: usize = 256;

/// Bytes of odd keys that are remembered.
const ODD_BYTES_MAX: usize = 2 << 20;

/// Entries that are allowed beside one for each series: a series may be written in several orders.
const SPARE_ENTRIES: usize = 1 << 14;

/// Which series the keys mean; the writer's own.
#[derive(Default)]
pub(crate) struct Identity {
    order: Order,
    table: IdTable,
    /// Keys whose labels cannot be compared one by one, by encoding and bytes.
    odd: HashMap<(u8, Box<[u8]>), u32, RandomState>,
    odd_bytes: usize,
    hash_state: RandomState,
    /// Series that were evicted and that the table may still have.
    unswept: usize,
    /// Blocks until the order is tried again, and for how long it pauses the next time.
    pause: usize,
    next_pause: usize,
}

impl Identity {
    /// Appends the series of each row's key to `ids`, [`UNKNOWN`] for a key that is not known.
    pub(crate) fn resolve(
        &mut self,
        index: &SeriesIndex,
        encoding: &KeyEncoding,
        rows: &[Row<'_>],
        ids: &mut Vec<u32>,
    ) {
        ids.reserve(rows.len());
        for block in rows.chunks(BLOCK) {
            if self.pause > 0 {
                self.pause -= 1;
                self.resolve_hashed(&index.read(), encoding, block, ids);
                if self.pause == 0
                    && let Some(last) = ids.last()
                    && *last != UNKNOWN
                {
                    self.order.follow(*last);
                }
            } else {
                self.resolve_ordered(index, encoding, block, ids);
            }
        }
        self.order.judge(rows.len(), index.len());
    }

    /// The series that a key means, which is created if need be; with `refusal` none is, for this reason.
    ///
    /// Errors: a key without valid labels, a limit, `refusal`.
    pub(crate) fn create(
        &mut self,
        index: &SeriesIndex,
        encoding: &KeyEncoding,
        key: &[u8],
        now: Timestamp,
        refusal: Option<RejectReason>,
    ) -> Result<Created, RejectReason> {
        let hash = self.hash(encoding, key);
        let content = index.read();
        let known = self.table.find(hash, |id| content.is(id, encoding, key));
        drop(content);
        if let Some(id) = known {
            return Ok(Created { id, is_new: false });
        }
        let labels = (encoding.decode)(key)?;
        let created = index.create(&labels, now, refusal)?;
        let content = index.read();
        if content.is(created.id, encoding, key) {
            if self.table.len() >= content.len() + self.unswept + SPARE_ENTRIES {
                self.table.clear();
            }
            self.table.insert(hash, created.id);
        } else {
            self.remember_odd(encoding, key, created.id);
        }
        drop(content);
        self.order.keep(encoding.id, key, created.id);
        Ok(created)
    }

    /// Makes series vanish: from now on nobody finds them here or in the index. Their memory is given back by
    /// [`Identity::sweep`].
    pub(crate) fn evict(&mut self, index: &SeriesIndex, ids: &[u32]) {
        if ids.is_empty() {
            return;
        }
        let gone: RoaringBitmap = ids.iter().copied().collect();
        self.order.forget(ids, |id| gone.contains(id));
        self.unswept += ids.len();
        self.odd.retain(|(_, key), id| {
            let keep = !gone.contains(*id);
            if !keep {
                self.odd_bytes -= odd_memory(key);
            }
            keep
        });
        index.retire(ids);
    }

    /// Forgets what is left of evicted series, part by part; the part after `part`, if there is another one.
    pub(crate) fn sweep(&mut self, index: &SeriesIndex, part: usize) -> Option<usize> {
        let content = index.read();
        self.table.retain(part, |id| content.is_live(id));
        if part + 1 < PARTS {
            return Some(part + 1);
        }
        self.unswept = 0;
        None
    }

    /// Whether the order of keys is tried at all.
    #[allow(
        dead_code,
        reason = "a benchmark, which includes this file, measures one without the other"
    )]
    pub(crate) fn use_order(&mut self, use_order: bool) {
        self.pause = if use_order { 0 } else { usize::MAX };
    }

    /// How many keys were found by their order since it was last judged, for tests.
    #[cfg(test)]
    pub(super) fn foreseen(&self) -> u64 {
        self.order.met()
    }

    /// Bytes of memory of the table, for tests.
    #[cfg(test)]
    pub(super) fn table_memory(&self) -> usize {
        self.table.memory()
    }

    /// The series of a key, if it is known.
    pub(crate) fn find(
        &self,
        index: &SeriesIndex,
        encoding: &KeyEncoding,
        key: &[u8],
    ) -> Option<u32> {
        let hash = self.hash(encoding, key);
        let content = index.read();
        let known = self.table.find(hash, |id| content.is(id, encoding, key));
        known.or_else(|| self.find_odd(encoding, key))
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.order.memory() + self.table.memory() + self.odd_bytes
    }

    /// Compares each key with the one that is expected.
    fn resolve_ordered(
        &mut self,
        index: &SeriesIndex,
        encoding: &KeyEncoding,
        block: &[Row<'_>],
        ids: &mut Vec<u32>,
    ) {
        let mut misses = 0;
        let mut previous: Option<(&[u8], u32)> = None;
        for row in block {
            let id = match previous {
                Some((key, id)) if std::ptr::eq(key, row.key) => id,
                _ => match self.order.next(encoding.id, row.key) {
                    Some(id) => id,
                    None => {
                        let (id, is_learned) = self.look_up(&index.read(), encoding, row.key);
                        misses += usize::from(!is_learned);
                        id
                    }
                },
            };
            previous = Some((row.key, id));
            ids.push(id);
        }
        if misses <= MISSES_MAX {
            self.next_pause = PAUSE_MIN;
        } else {
            self.pause = self.next_pause.max(PAUSE_MIN);
            self.next_pause = (2 * self.pause).min(PAUSE_MAX);
        }
    }

    /// The series of a key, and whether its place in the order is known only now.
    fn look_up(&mut self, content: &Content, encoding: &KeyEncoding, key: &[u8]) -> (u32, bool) {
        let hash = self.hash(encoding, key);
        let known = self.table.find(hash, |id| content.is(id, encoding, key));
        match known.or_else(|| self.find_odd(encoding, key)) {
            Some(id) => (id, self.order.keep(encoding.id, key, id)),
            None => (UNKNOWN, false),
        }
    }

    /// Looks all keys up by their hash: one step for all, then the next.
    fn resolve_hashed(
        &mut self,
        content: &Content,
        encoding: &KeyEncoding,
        block: &[Row<'_>],
        ids: &mut Vec<u32>,
    ) {
        let mut hashes = [0; BLOCK];
        for (hash, row) in hashes.iter_mut().zip(block) {
            *hash = self.hash(encoding, row.key);
        }
        let loaded = hashes.iter().map(|hash| self.table.touch(*hash));
        black_box(loaded.fold(0, u64::wrapping_add));
        let mut candidates = [UNKNOWN; BLOCK];
        for (candidate, hash) in candidates.iter_mut().zip(&hashes[..block.len()]) {
            *candidate = self.table.find(*hash, |_| true).unwrap_or(UNKNOWN);
        }
        black_box(content.touch(&candidates[..block.len()], &mut [0; BLOCK][..block.len()]));
        for ((hash, candidate), row) in hashes.iter().zip(candidates).zip(block) {
            let is_meant = |id| content.is(id, encoding, row.key);
            let known = match candidate {
                UNKNOWN => None,
                id if is_meant(id) => Some(id),
                _ => self.table.find(*hash, is_meant),
            };
            let known = known.or_else(|| self.find_odd(encoding, row.key));
            ids.push(known.unwrap_or(UNKNOWN));
        }
    }

    fn find_odd(&self, encoding: &KeyEncoding, key: &[u8]) -> Option<u32> {
        if self.odd.is_empty() {
            return None;
        }
        self.odd.get(&(encoding.id, Box::from(key))).copied()
    }

    fn remember_odd(&mut self, encoding: &KeyEncoding, key: &[u8], id: u32) {
        if self.odd_bytes + odd_memory(key) > ODD_BYTES_MAX {
            self.odd.clear();
            self.odd_bytes = 0;
        }
        if odd_memory(key) <= ODD_BYTES_MAX
            && self.odd.insert((encoding.id, key.into()), id).is_none()
        {
            self.odd_bytes += odd_memory(key);
        }
    }

    #[inline]
    fn hash(&self, encoding: &KeyEncoding, key: &[u8]) -> u64 {
        let mut hasher = self.hash_state.build_hasher();
        hasher.write(key);
        hasher.write_u8(encoding.id);
        hasher.finish()
    }
}

/// What an odd key takes in memory, its place in the table included.
fn odd_memory(key: &[u8]) -> usize {
    key.len() + 64
}
