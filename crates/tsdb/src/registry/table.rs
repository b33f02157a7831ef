//! A hash table from the hash of something that lies elsewhere to its number.
//!
//! A slot holds 32 bits of the hash and the number, so growing needs nothing but the slots. There are many small
//! tables, each of which grows by a quarter when it is full: growing is cheap, and never holds much twice.

/// Small tables: as many as make each of them small at a million entries, and few enough to cost nothing without any.
const SHARDS: usize = 64;

/// Parts of a table that are looked through one by one.
pub(super) const PARTS: usize = SHARDS;

/// Slots of a table at least.
const SLOTS_MIN: usize = 8;

const EMPTY: u64 = 0;

/// Numbers by hash; equal hashes are told apart by whoever asks.
pub(super) struct IdTable {
    shards: Vec<Shard>,
    len: usize,
}

#[derive(Clone, Default)]
struct Shard {
    /// The upper half of the hash, and the number plus one. An entry lies where its hash says, or behind.
    slots: Vec<u64>,
    len: usize,
}

impl Default for IdTable {
    fn default() -> Self {
        Self {
            shards: vec![Shard::default(); SHARDS],
            len: 0,
        }
    }
}

impl IdTable {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The first number with this hash for which `is_meant` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is_meant: impl FnMut(u32) -> bool) -> Option<u32> {
        let shard = &self.shards[hash as usize % SHARDS];
        if shard.len == 0 {
            return None;
        }
        let mut at = home(hash, shard.slots.len());
        loop {
            let slot = shard.slots[at];
            if slot == EMPTY {
                return None;
            }
            if (slot ^ hash) >> 32 == 0 && is_meant(number(slot)) {
                return Some(number(slot));
            }
            at = behind(at, shard.slots.len());
        }
    }

    /// Loads the slot where a hash belongs, so that many can be under way at once; the result means nothing.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u64 {
        let shard = &self.shards[hash as usize % SHARDS];
        let slot = shard.slots.get(home(hash, shard.slots.len()));
        slot.copied().unwrap_or(EMPTY)
    }

    /// Adds a number; the same one may be there several times.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        self.shards[hash as usize % SHARDS].insert(slot(hash, number));
        self.len += 1;
    }

    /// Removes a number that stands under this hash.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        if self.shards[hash as usize % SHARDS].remove(slot(hash, number)) {
            self.len -= 1;
        }
    }

    /// Removes all numbers of a part, of [`PARTS`], for which `keep` does not hold.
    pub(super) fn retain(&mut self, part: usize, mut keep: impl FnMut(u32) -> bool) {
        let shard = &mut self.shards[part];
        let kept = |slot: &&u64| **slot != EMPTY && keep(number(**slot));
        let slots: Vec<u64> = shard.slots.iter().filter(kept).copied().collect();
        if slots.len() < shard.len {
            self.len -= shard.len - slots.len();
            shard.rebuild(slots.into_iter(), shard.slots.len());
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        let slots: usize = self.shards.iter().map(|shard| shard.slots.len()).sum();
        slots * size_of::<u64>() + SHARDS * size_of::<Shard>()
    }
}

impl Shard {
    fn insert(&mut self, slot: u64) {
        if self.len * 4 >= self.slots.len() * 3 {
            let capacity = (self.slots.len() + self.slots.len() / 4).max(SLOTS_MIN);
            let slots = std::mem::take(&mut self.slots);
            self.rebuild(slots.into_iter().filter(|slot| *slot != EMPTY), capacity);
        }
        self.place(slot);
    }

    fn rebuild(&mut self, slots: impl Iterator<Item = u64>, capacity: usize) {
        self.slots = vec![EMPTY; capacity];
        self.len = 0;
        for slot in slots {
            self.place(slot);
        }
    }

    fn place(&mut self, slot: u64) {
        let mut at = home(slot, self.slots.len());
        while self.slots[at] != EMPTY {
            at = behind(at, self.slots.len());
        }
        self.slots[at] = slot;
        self.len += 1;
    }

    fn remove(&mut self, slot: u64) -> bool {
        if self.len == 0 {
            return false;
        }
        let capacity = self.slots.len();
        let mut hole = home(slot, capacity);
        while self.slots[hole] != slot {
            if self.slots[hole] == EMPTY {
                return false;
            }
            hole = behind(hole, capacity);
        }
        // Whatever follows moves up, unless the hole lies before its own place.
        let mut at = behind(hole, capacity);
        while self.slots[at] != EMPTY {
            let home = home(self.slots[at], capacity);
            let distance = |from: usize, to: usize| (to + capacity - from) % capacity;
            if distance(home, at) >= distance(hole, at) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = behind(at, capacity);
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
        true
    }
}

/// Where an entry belongs: the upper half of its hash as a share of all slots.
#[inline]
fn home(hash: u64, capacity: usize) -> usize {
    (((hash >> 32) * capacity as u64) >> 32) as usize
}

#[inline]
fn behind(at: usize, capacity: usize) -> usize {
    if at + 1 == capacity { 0 } else { at + 1 }
}

#[inline]
fn slot(hash: u64, number: u32) -> u64 {
    (hash >> 32 << 32) | (u64::from(number) + 1)
}

#[inline]
fn number(slot: u64) -> u32 {
    slot as u32 - 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn entries_are_found_until_they_are_removed() {
        let mut table = IdTable::default();
        let mut naive: HashMap<u32, u64> = HashMap::new();
        let mut state = 1u64;
        for step in 0..60_000u32 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695);
            // Few different hashes, so that many collide and runs are long.
            let hash = (state >> 40) % 3_000 * 0x0001_0003_0000_0401;
            let id = step % 4_000;
            if let Some(hash) = naive.remove(&id) {
                table.remove(hash, id);
                assert_eq!(table.find(hash, |found| found == id), None);
            } else {
                naive.insert(id, hash);
                table.insert(hash, id);
            }
            if step == 30_000 {
                for part in 0..PARTS {
                    table.retain(part, |id| id % 3 != 0);
                }
                naive.retain(|id, _| id % 3 != 0);
            }
        }
        assert_eq!(table.len(), naive.len());
        for (id, hash) in &naive {
            assert_eq!(table.find(*hash, |found| found == *id), Some(*id));
        }
    }
}
