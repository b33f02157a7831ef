//! Keys in the order in which senders repeat them.
//!
//! The key behind the last one that was found is compared first; if it is the one, nothing is hashed. Keys are kept
//! until their room is full, and no longer than they are of use: when over many keys fewer than a quarter of those
//! kept were met again in their order, all begins anew.

use super::arena::Arena;
use super::paged::Paged;

/// Bytes that keys and entries may take, the pages that are just begun beside.
const BYTES_MAX: usize = 24 << 20;

/// A key longer than this is not kept.
const KEY_MAX: usize = 1 << 14;

/// How often each kept key could have been met before the worth of keeping them is judged.
const ROUNDS: u64 = 4;

/// Keys between two judgements at least.
const WINDOW_MIN: u64 = 1 << 16;

/// How much longer it takes to the next judgement, at most, when keeping keys has been of no use several times.
const PATIENCE_MAX: u64 = 16;

/// An entry of a series that is no more, and the place of a series without entry.
const NOWHERE: u32 = u32::MAX;

/// The keys in order.
pub(super) struct Order {
    entries: Paged<Entry>,
    keys: Arena<u8, 1>,
    bytes: usize,
    /// The entry of each series; a series has one at most.
    places: Paged<u32>,
    /// The entry that is expected next.
    expected: u32,
    /// Keys that were asked for, and those that were found by their order, since the last judgement.
    asked: u64,
    met: u64,
    patience: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    start: u32,
    length: u16,
    encoding: u8,
    id: u32,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            entries: Paged::default(),
            keys: Arena::default(),
            bytes: 0,
            places: Paged::default(),
            expected: 0,
            asked: 0,
            met: 0,
            patience: 1,
        }
    }
}

impl Order {
    /// The series of a key, if it is the one that is expected.
    #[inline]
    pub(super) fn next(&mut self, encoding: u8, key: &[u8]) -> Option<u32> {
        let entry = self.entries.get(self.expected)?;
        if usize::from(entry.length) != key.len()
            || entry.encoding != encoding
            || entry.id == NOWHERE
            || self.keys.get(entry.start)[..key.len()] != *key
        {
            return None;
        }
        self.expected += 1;
        self.met += 1;
        Some(entry.id)
    }

    /// Goes on behind a series that was found in another way, or nowhere if it has no entry.
    #[inline]
    pub(super) fn follow(&mut self, id: u32) {
        let place = self.places.get(id).copied().unwrap_or(NOWHERE);
        self.expected = place.saturating_add(1);
    }

    /// Goes on behind a key that was found in another way; it is kept if there is room and its series has none. Tells
    /// whether it was.
    pub(super) fn keep(&mut self, encoding: u8, key: &[u8], id: u32) -> bool {
        let has_entry = self.places.get(id).is_some_and(|place| *place != NOWHERE);
        let size = key.len() + size_of::<Entry>();
        if has_entry || key.len() > KEY_MAX || self.bytes + size > BYTES_MAX {
            self.follow(id);
            return false;
        }
        while self.places.len() <= id as usize {
            self.places.push(NOWHERE);
        }
        self.places[id] = self.entries.len() as u32;
        self.entries.push(Entry {
            start: self.keys.insert(key),
            length: key.len() as u16,
            encoding,
            id,
        });
        self.bytes += size;
        self.follow(id);
        true
    }

    /// Notes that keys were asked for, of `count` series; begins anew if keeping keys is of no use.
    pub(super) fn judge(&mut self, asked: usize, count: usize) {
        self.asked += asked as u64;
        let window = WINDOW_MIN.max(ROUNDS * count as u64);
        if self.asked < window * self.patience {
            return;
        }
        if self.met < self.entries.len() as u64 * self.patience {
            let patience = (2 * self.patience).min(PATIENCE_MAX);
            *self = Self {
                patience,
                ..Self::default()
            };
        } else {
            self.patience = 1;
        }
        self.asked = 0;
        self.met = 0;
    }

    /// Forgets the keys of series; `is_gone` tells them.
    pub(super) fn forget(&mut self, ids: &[u32], is_gone: impl Fn(u32) -> bool) {
        for at in 0..self.entries.len() as u32 {
            let entry = &mut self.entries[at];
            if entry.id != NOWHERE && is_gone(entry.id) {
                entry.id = NOWHERE;
            }
        }
        for id in ids {
            if (*id as usize) < self.places.len() {
                self.places[*id] = NOWHERE;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn met(&self) -> u64 {
        self.met
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.entries.memory() + self.keys.memory() + self.places.memory()
    }
}
