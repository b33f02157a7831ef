//! Which series the bytes of a sender mean, so that labels are decoded only once.

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
    table: HashTable<Key>,
    hash_state: RandomState,
    bytes: usize,
}

struct Key {
    bytes: Box<[u8]>,
    series: u32,
    encoding: u8,
}

impl KeyCache {
    /// The series that a key means.
    pub(crate) fn get(&self, encoding: u8, key: &[u8]) -> Option<u32> {
        let hash = hash(&self.hash_state, encoding, key);
        let equal = |known: &Key| known.encoding == encoding && *known.bytes == *key;
        self.table.find(hash, equal).map(|known| known.series)
    }

    /// Remembers a key that is not known; `series_count` is how many series there are.
    pub(crate) fn insert(&mut self, encoding: u8, key: &[u8], series: u32, series_count: usize) {
        if self.bytes + key.len() > BYTES_MIN.max(BYTES_PER_SERIES * series_count) {
            self.table.clear();
            self.bytes = 0;
        }
        let key = Key {
            bytes: key.into(),
            series,
            encoding,
        };
        self.bytes += memory(&key);
        let hash_state = &self.hash_state;
        let rehash = |known: &Key| hash(hash_state, known.encoding, &known.bytes);
        self.table.insert_unique(rehash(&key), key, rehash);
    }

    /// Forgets the keys of series for which `keep` is false.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        let bytes = &mut self.bytes;
        self.table.retain(|key| {
            let kept = keep(key.series);
            if !kept {
                *bytes -= memory(key);
            }
            kept
        });
    }

    /// Bytes of memory that the keys take.
    pub(crate) fn memory(&self) -> usize {
        self.bytes
    }
}

/// What a key takes in the table, whose slots are three quarters full, and on the heap.
fn memory(key: &Key) -> usize {
    size_of::<Key>() * 4 / 3 + key.bytes.len()
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
