//! Which series the bytes of a sender mean, so that labels are decoded only once.
//!
//! Senders repeat their series in the same order. The keys lie behind each other in the order of their arrival, and the
//! one behind the last hit is compared first; only if it is another one is the key hashed and looked up.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Bytes that the keys may take in any case.
const BYTES_MIN: usize = 16 << 20;

/// Bytes that the keys may take for each series; a sender that writes one series in ever new ways gains nothing.
const BYTES_PER_SERIES: usize = 1 << 10;

/// A bounded map from keys to series. It may forget everything at any time: whoever misses decodes the key.
#[derive(Default)]
pub(crate) struct KeyCache {
    keys: Keys,
    table: HashTable<u32>,
    /// The key that is expected next.
    expected: usize,
    hash_state: RandomState,
}

/// The keys in the order of their arrival.
#[derive(Default)]
struct Keys {
    entries: Vec<Key>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Key {
    start: usize,
    length: u32,
    series: u32,
    encoding: u8,
}

impl KeyCache {
    /// The series that a key means.
    pub(crate) fn get(&mut self, encoding: u8, key: &[u8]) -> Option<u32> {
        let expected = self.keys.entries.get(self.expected);
        if let Some(found) = expected.filter(|found| self.keys.equal(found, encoding, key)) {
            self.expected += 1;
            return Some(found.series);
        }
        let hash = hash(&self.hash_state, encoding, key);
        let equal = |at: &u32| {
            self.keys
                .equal(&self.keys.entries[*at as usize], encoding, key)
        };
        let at = *self.table.find(hash, equal)? as usize;
        self.expected = at + 1;
        Some(self.keys.entries[at].series)
    }

    /// Remembers a key that is not known; `series_count` is how many series there are.
    pub(crate) fn insert(&mut self, encoding: u8, key: &[u8], series: u32, series_count: usize) {
        if self.memory() + key.len() > BYTES_MIN.max(BYTES_PER_SERIES * series_count) {
            self.clear();
        }
        let at = self.keys.entries.len();
        let (Ok(length), Ok(at)) = (u32::try_from(key.len()), u32::try_from(at)) else {
            return;
        };
        let start = self.keys.bytes.len();
        self.keys.bytes.extend_from_slice(key);
        let entry = Key {
            start,
            length,
            series,
            encoding,
        };
        self.keys.entries.push(entry);
        self.expected = self.keys.entries.len();
        let keys = &self.keys;
        let state = &self.hash_state;
        let rehash = |at: &u32| keys.hash(state, &keys.entries[*at as usize]);
        self.table.insert_unique(rehash(&at), at, rehash);
    }

    /// Forgets the keys of series for which `keep` is false.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        if self.keys.entries.iter().all(|key| keep(key.series)) {
            return;
        }
        let keys = std::mem::take(&mut self.keys);
        self.clear();
        for key in &keys.entries {
            if keep(key.series) {
                self.insert(
                    key.encoding,
                    keys.bytes(key),
                    key.series,
                    usize::MAX / BYTES_PER_SERIES,
                );
            }
        }
    }

    /// Bytes of memory that the keys take, but for the room to grow.
    pub(crate) fn memory(&self) -> usize {
        // A table's slots are three quarters full, and take a byte more.
        self.keys.bytes.len() + self.keys.entries.len() * (size_of::<Key>() + 7)
    }

    fn clear(&mut self) {
        self.keys = Keys::default();
        self.table.clear();
        self.expected = 0;
    }
}

impl Keys {
    fn bytes(&self, key: &Key) -> &[u8] {
        &self.bytes[key.start..][..key.length as usize]
    }

    fn equal(&self, known: &Key, encoding: u8, key: &[u8]) -> bool {
        known.encoding == encoding && self.bytes(known) == key
    }

    fn hash(&self, state: &RandomState, key: &Key) -> u64 {
        hash(state, key.encoding, self.bytes(key))
    }
}

fn hash(state: &RandomState, encoding: u8, key: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(key);
    hasher.write_u8(encoding);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_of_two_encodings_are_two_keys() {
        let mut keys = KeyCache::default();
        keys.insert(0, b"a", 1, 0);
        keys.insert(1, b"a", 2, 0);
        assert_eq!((keys.get(0, b"a"), keys.get(1, b"a")), (Some(1), Some(2)));
        assert_eq!((keys.get(2, b"a"), keys.get(0, b"b")), (None, None));
        keys.retain(|series| series == 2);
        assert_eq!((keys.get(0, b"a"), keys.get(1, b"a")), (None, Some(2)));
    }

    #[test]
    fn keys_are_found_in_any_order() {
        let mut keys = KeyCache::default();
        let key = |number: u32| format!("{:>1$}", number, number as usize % 40);
        for number in 0u32..1_000 {
            keys.insert(0, key(number).as_bytes(), number, 0);
        }
        for number in (0..1_000)
            .chain((0..1_000).rev())
            .chain((0..1_000).map(|n| n * 7 % 1_000))
        {
            assert_eq!(keys.get(0, key(number).as_bytes()), Some(number));
        }
        keys.retain(|series| series.is_multiple_of(3));
        for number in 0u32..1_000 {
            let expected = number.is_multiple_of(3).then_some(number);
            assert_eq!(keys.get(0, key(number).as_bytes()), expected);
        }
    }

    #[test]
    fn ever_new_keys_take_bounded_memory() {
        let mut keys = KeyCache::default();
        let mut key = vec![7; 1 << 16];
        for round in 0u32..2_000 {
            key[..4].copy_from_slice(&round.to_le_bytes());
            keys.insert(0, &key, 1, 1);
            assert!(keys.memory() <= BYTES_MIN + (1 << 17));
            assert_eq!(keys.get(0, &key), Some(1));
        }
    }
}
