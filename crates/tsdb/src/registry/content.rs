//! The series by number and by labels, as they lie under the index's lock.
//!
//! A series is a run of numbers of label pairs in the order of their names. A retired series is found by nobody any
//! more but stays as it is until nobody can know its number; then number and memory are used again.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use model::{KeyEncoding, Labels};
use roaring::RoaringBitmap;

use super::arena::Arena;
use super::paged::Paged;
use super::pairs::Pairs;
use super::postings::IDS_MAX;
use super::table::IdTable;

/// The place of a series that is not there.
const NOWHERE: u32 = u32::MAX;

/// Keys with more labels than this are compared only in order.
const UNORDERED_MAX: usize = 64;

/// Series that [`Content::touch`] takes at once.
pub(super) const TOUCHED_MAX: usize = 64;

/// A pair that is not there.
const MISSING: u32 = u32::MAX;

/// All series.
#[derive(Default)]
pub(super) struct Content {
    pub(super) pairs: Pairs,
    /// Where the labels of each series lie, and their runs: the number of labels, then the pairs.
    places: Paged<u32>,
    sets: Arena<u32, 1>,
    by_set: IdTable,
    free: Vec<u32>,
    /// All series, retired ones included, and the retired ones.
    pub(super) all: RoaringBitmap,
    pub(super) retired: RoaringBitmap,
    /// How many series were ever removed.
    removed: u64,
    hash_state: RandomState,
    scratch: Vec<u32>,
}

/// The pairs of the labels that were looked for last: those of the next are often the same.
#[derive(Default)]
pub(super) struct Recent {
    pairs: Vec<u32>,
    /// What was removed until then; after more the pairs may mean others.
    removed: u64,
}

impl Content {
    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.by_set.len() - self.retired.len() as usize
    }

    /// The series with these labels; `recent` becomes what [`Content::create`] wants.
    pub(super) fn find(&self, labels: &Labels, recent: &mut Recent) -> Option<u32> {
        if recent.removed != self.removed {
            recent.pairs.clear();
            recent.removed = self.removed;
        }
        let pairs = &mut recent.pairs;
        let mut count = 0;
        let mut is_missing = false;
        for (name, value) in labels.iter() {
            let pair = match pairs.get(count) {
                Some(pair)
                    if *pair != MISSING
                        && self.pairs.is(*pair, name.as_bytes(), value.as_bytes()) =>
                {
                    *pair
                }
                _ => self.pairs.find(name, value).unwrap_or(MISSING),
            };
            is_missing |= pair == MISSING;
            match pairs.get_mut(count) {
                Some(place) => *place = pair,
                None => pairs.push(pair),
            }
            count += 1;
        }
        pairs.truncate(count);
        if is_missing {
            return None;
        }
        let is_meant = |id| self.set(id) == pairs.as_slice() && !self.is_retired(id);
        self.by_set.find(self.hash(pairs), is_meant)
    }

    /// Adds a series that [`Content::find`] has just not found; none if there are as many as there are numbers.
    pub(super) fn create(&mut self, labels: &Labels, recent: &mut Recent) -> Option<u32> {
        let id = match self.free.pop() {
            Some(id) => id,
            None if self.places.len() >= IDS_MAX as usize => return None,
            None => {
                self.places.push(NOWHERE);
                (self.places.len() - 1) as u32
            }
        };
        let mut run = std::mem::take(&mut self.scratch);
        run.clear();
        run.push(recent.pairs.len() as u32);
        for ((name, value), pair) in labels.iter().zip(&mut recent.pairs) {
            if *pair == MISSING {
                *pair = self.pairs.add(name, value);
            }
            self.pairs.add_series(*pair, id);
            run.push(*pair);
        }
        self.places[id] = self.sets.insert(&run);
        self.by_set.insert(self.hash(&run[1..]), id);
        self.all.insert(id);
        self.scratch = run;
        Some(id)
    }

    /// Removes a retired series.
    pub(super) fn remove(&mut self, id: u32) {
        if !self.all.remove(id) {
            return;
        }
        self.retired.remove(id);
        self.removed += 1;
        let mut run = std::mem::take(&mut self.scratch);
        run.clear();
        run.extend_from_slice(self.set(id));
        self.by_set.remove(self.hash(&run), id);
        for pair in &run {
            self.pairs.remove_series(*pair, id);
        }
        self.sets.remove(self.places[id], run.len() + 1);
        self.places[id] = NOWHERE;
        self.free.push(id);
        self.scratch = run;
    }

    /// The pairs of a series in the order of their names; none if there is no such series.
    #[inline]
    pub(super) fn set(&self, id: u32) -> &[u32] {
        match self.places.get(id) {
            Some(place) if *place != NOWHERE => {
                let run = self.sets.get(*place);
                &run[1..][..run[0] as usize]
            }
            _ => &[],
        }
    }

    /// Whether there is a series with this number.
    pub(super) fn is_live(&self, id: u32) -> bool {
        !self.set(id).is_empty() && !self.is_retired(id)
    }

    #[inline]
    pub(super) fn is_retired(&self, id: u32) -> bool {
        !self.retired.is_empty() && self.retired.contains(id)
    }

    /// The value that a series has for the label with a name's number.
    pub(super) fn pair_with_name(&self, id: u32, name: u32) -> Option<u32> {
        let mut pairs = self.set(id).iter().copied();
        pairs.find(|pair| self.pairs.name_of(*pair) == name)
    }

    /// Whether a key holds exactly the labels of a series, which must not be retired.
    #[inline]
    pub(super) fn is(&self, id: u32, encoding: &KeyEncoding, key: &[u8]) -> bool {
        let set = self.set(id);
        let mut rest = key;
        for (at, pair) in set.iter().enumerate() {
            let before = rest;
            let Some((name, value)) = (encoding.next)(&mut rest) else {
                return false;
            };
            if !self.pairs.is(*pair, name, value) {
                return self.is_unordered(set, at, encoding, before) && !self.is_retired(id);
            }
        }
        rest.is_empty() && !set.is_empty() && !self.is_retired(id)
    }

    /// As [`Content::is`] when the key's labels come in another order, from the first that does.
    fn is_unordered(&self, set: &[u32], at: usize, encoding: &KeyEncoding, key: &[u8]) -> bool {
        let left = &set[at..];
        if left.len() > UNORDERED_MAX {
            return false;
        }
        let mut seen = 0u64;
        let mut rest = key;
        for _ in left {
            let Some((name, value)) = (encoding.next)(&mut rest) else {
                return false;
            };
            let found = left
                .iter()
                .position(|pair| self.pairs.is(*pair, name, value));
            match found {
                Some(found) if seen & 1 << found == 0 => seen |= 1 << found,
                _ => return false,
            }
        }
        rest.is_empty()
    }

    /// Loads what [`Content::is`] will need, step by step for all so that many loads are under way at once. The result
    /// means nothing.
    #[inline]
    pub(super) fn touch(&self, ids: &[u32], places: &mut [u32]) -> u32 {
        for (id, place) in ids.iter().zip(places.iter_mut()) {
            *place = self.places.get(*id).copied().unwrap_or(NOWHERE);
        }
        // Numbers rise, and what few series share is younger than what many share: it is not in the caches.
        let mut youngest = [0; TOUCHED_MAX];
        for (place, youngest) in places.iter().zip(&mut youngest) {
            if *place != NOWHERE {
                let run = self.sets.get(*place);
                let pairs = run[1..][..run[0] as usize].iter();
                *youngest = pairs.fold(0, |youngest, pair| youngest.max(*pair));
            }
        }
        self.pairs.touch(&mut youngest[..places.len()])
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.pairs.memory()
            + self.places.memory()
            + self.sets.memory()
            + self.by_set.memory()
            + self.free.capacity() * size_of::<u32>()
            + self.all.serialized_size()
            + self.retired.serialized_size()
    }

    fn hash(&self, set: &[u32]) -> u64 {
        self.hash_state.hash_one(set)
    }
}
