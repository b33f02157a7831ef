//! Pages in memory, those used last, up to a budget of bytes.
//!
//! The cache is split by key into shards, each with a lock that is held for a look-up or an insertion and never while a
//! page is read or decompressed: two threads that miss the same page at once both read it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hashbrown::HashMap;

/// Enough that threads seldom meet, few enough that each shard can hold some of the largest pages.
const SHARDS: usize = 8;

/// What an entry takes besides its content: the map's slot, the list's node, the counted pointer.
const ENTRY_BYTES: usize = 128;

/// No entry.
const NONE: u32 = u32::MAX;

/// A block's number in the cache, and the page's in the block.
pub(super) type Key = (u64, u64);

/// Something that was read and decoded.
#[derive(Debug)]
pub(super) enum Page {
    /// The content of a page.
    Bytes(Vec<u8>),
    /// A column of timestamps.
    Timestamps(Vec<i64>),
}

impl Page {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Timestamps(_) => &[],
        }
    }

    pub(super) fn timestamps(&self) -> &[i64] {
        match self {
            Self::Bytes(_) => &[],
            Self::Timestamps(timestamps) => timestamps,
        }
    }

    fn memory(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Self::Bytes(bytes) => bytes.capacity(),
                Self::Timestamps(timestamps) => timestamps.capacity() * 8,
            }
    }
}

/// What a cache has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheStatistics {
    /// Pages that were there.
    pub(crate) hits: u64,
    /// Pages that had to be read.
    pub(crate) misses: u64,
    /// Bytes of memory that it takes now.
    pub(crate) bytes: u64,
}

/// Decompressed pages of all blocks of a store; the least recently used go first.
#[derive(Debug)]
pub(crate) struct PageCache {
    shards: [Mutex<Shard>; SHARDS],
    blocks: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl PageCache {
    /// A cache that takes at most `budget` bytes; one of 0 holds nothing.
    pub(crate) fn new(budget: usize) -> Self {
        let shard = |_| Mutex::new(Shard::new(budget / SHARDS));
        Self {
            shards: std::array::from_fn(shard),
            blocks: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes).sum()
    }

    /// Hits, misses and bytes.
    pub(crate) fn statistics(&self) -> CacheStatistics {
        let bytes = |shard| lock(shard).bytes as u64;
        CacheStatistics {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            bytes: self.shards.iter().map(bytes).sum(),
        }
    }

    /// A number for one more block.
    pub(super) fn register(&self) -> u64 {
        self.blocks.fetch_add(1, Ordering::Relaxed)
    }

    /// Drops the pages of a block.
    pub(super) fn forget(&self, block: u64) {
        for shard in &self.shards {
            lock(shard).forget(block);
        }
    }

    /// A page from the cache, or as `load` gives it.
    pub(super) fn get_or_load<E>(
        &self,
        key: Key,
        load: impl FnOnce() -> Result<Page, E>,
    ) -> Result<Arc<Page>, E> {
        let mixed = (key.0 ^ key.1.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let shard = &self.shards[(mixed >> 61) as usize % SHARDS];
        if let Some(page) = lock(shard).get(key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(page);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let page = Arc::new(load()?);
        lock(shard).insert(key, page.clone());
        Ok(page)
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard
        .lock()
        .expect("invariant: the cache does not panic under its lock")
}

/// A map into a ring of entries from the most to the least recently used.
#[derive(Debug)]
struct Shard {
    budget: usize,
    bytes: usize,
    slots: HashMap<Key, u32, foldhash::fast::RandomState>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    page: Option<Arc<Page>>,
    newer: u32,
    older: u32,
}

impl Shard {
    fn new(budget: usize) -> Self {
        Self {
            budget,
            bytes: 0,
            slots: HashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    fn get(&mut self, key: Key) -> Option<Arc<Page>> {
        let slot = *self.slots.get(&key)?;
        if self.newest != slot {
            self.unlink(slot);
            self.link(slot);
        }
        self.entries[slot as usize].page.clone()
    }

    fn insert(&mut self, key: Key, page: Arc<Page>) {
        let bytes = page.memory();
        if bytes > self.budget || self.slots.contains_key(&key) {
            return;
        }
        while self.bytes + bytes > self.budget && self.oldest != NONE {
            self.remove(self.oldest);
        }
        let entry = Entry {
            key,
            page: Some(page),
            newer: NONE,
            older: NONE,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.slots.insert(key, slot);
        self.bytes += bytes;
        self.link(slot);
    }

    fn forget(&mut self, block: u64) {
        let of_block: Vec<u32> = self
            .slots
            .iter()
            .filter(|(key, _)| key.0 == block)
            .map(|(_, slot)| *slot)
            .collect();
        for slot in of_block {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        let entry = &mut self.entries[slot as usize];
        self.slots.remove(&entry.key);
        if let Some(page) = entry.page.take() {
            self.bytes -= page.memory();
        }
        self.free.push(slot);
    }

    fn link(&mut self, slot: u32) {
        let older = std::mem::replace(&mut self.newest, slot);
        let entry = &mut self.entries[slot as usize];
        (entry.newer, entry.older) = (NONE, older);
        match older {
            NONE => self.oldest = slot,
            older => self.entries[older as usize].newer = slot,
        }
    }

    fn unlink(&mut self, slot: u32) {
        let entry = &self.entries[slot as usize];
        let (newer, older) = (entry.newer, entry.older);
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(cache: &PageCache, block: u64, page: u64) -> bool {
        let before = cache.statistics().hits;
        let load = || Ok::<_, ()>(Page::Bytes(vec![page as u8; 1000]));
        let content = cache.get_or_load((block, page), load).unwrap();
        assert_eq!(content.bytes(), [page as u8; 1000]);
        cache.statistics().hits > before
    }

    #[test]
    fn it_never_takes_more_than_its_budget_and_keeps_what_was_used_last() {
        let cache = PageCache::new(200_000);
        let mut hits = 0;
        for page in 0..10_000 {
            assert!(!get(&cache, 1, page));
            hits += u32::from(get(&cache, 1, 7_000_000));
            assert!(cache.statistics().bytes <= 200_000);
        }
        assert_eq!(hits, 9_999, "a page used again and again stays");
        assert!(cache.statistics().bytes > 150_000);
    }

    #[test]
    fn pages_of_a_block_that_is_gone_are_dropped() {
        let cache = PageCache::new(1 << 20);
        for page in 0..100 {
            get(&cache, 1, page);
            get(&cache, 2, page);
        }
        cache.forget(1);
        assert!(get(&cache, 2, 5) && !get(&cache, 1, 5));
        cache.forget(1);
        cache.forget(2);
        assert_eq!(cache.statistics().bytes, 0);
    }

    #[test]
    fn a_failure_to_load_is_not_kept() {
        let cache = PageCache::new(1 << 20);
        assert_eq!(
            cache.get_or_load((1, 1), || Err("broken")).err(),
            Some("broken")
        );
        assert!(!get(&cache, 1, 1));
    }

    #[test]
    fn without_budget_nothing_is_kept() {
        let cache = PageCache::new(0);
        assert!(!get(&cache, 1, 1) && !get(&cache, 1, 1));
    }
}
