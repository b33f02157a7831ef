//! The series as the writer knows them: by key, by labels, by number.
//!
//! What decides about a sample (the newest timestamp and value) stands here, so that the common case looks neither
//! into the index nor into the samples.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use model::{InvalidLabels, KeyEncoding, Labels, RejectReason};

use crate::keys::KeyCache;
use crate::series::Series;

/// The most bytes that the labels of one series may take together.
const LABELS_BYTES_MAX: usize = 1 << 20;

/// What a series takes beside its samples and its labels: itself, its slot, its place in tables and in the index.
const SERIES_MEMORY: usize = size_of::<Series>() + size_of::<Slot>() + 64;

/// What a label takes in the index for each series that has it, on average.
const LABEL_MEMORY: usize = 8;

/// A timestamp before all that are accepted.
pub(crate) const NEVER: i64 = i64::MIN;

/// A series as the writer knows it.
pub(crate) struct Slot {
    pub(crate) series: Arc<Series>,
    /// The newest timestamp, [`NEVER`] without samples, and the value there.
    pub(crate) newest: i64,
    pub(crate) bits: u64,
    /// The segment of the log that defined the series last, and its number in it.
    pub(crate) segment: u64,
    pub(crate) reference: u32,
}

/// All series.
#[derive(Default)]
pub(crate) struct SeriesTable {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    by_labels: HashTable<u32>,
    hash_state: RandomState,
    keys: KeyCache,
    series_memory: usize,
}

impl SeriesTable {
    /// The series that a key means, if it is known.
    pub(crate) fn known(&mut self, encoding: &KeyEncoding, key: &[u8]) -> Option<u32> {
        // Packed labels are compared as they are and need no place among the keys.
        if encoding.id == KeyEncoding::PACKED.id {
            return self.find(key);
        }
        self.keys.get(encoding.id, key)
    }

    /// Remembers which series a key means.
    pub(crate) fn remember(&mut self, encoding: &KeyEncoding, key: &[u8], id: u32) {
        if encoding.id != KeyEncoding::PACKED.id {
            let count = self.len();
            self.keys.insert(encoding.id, key, id, count);
        }
    }

    /// The series with these packed labels.
    pub(crate) fn find(&self, packed: &[u8]) -> Option<u32> {
        let equal = |id: &u32| self.packed(*id) == packed;
        self.by_labels
            .find(hash(&self.hash_state, packed), equal)
            .copied()
    }

    /// Adds a series whose labels are not known; its number may be that of one that was removed.
    pub(crate) fn create(&mut self, labels: Labels) -> u32 {
        self.series_memory += series_memory(&labels);
        let slot = Slot {
            series: Arc::new(Series::new(labels)),
            newest: NEVER,
            bits: 0,
            segment: 0,
            reference: 0,
        };
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("invariant: memory ends before numbers do")
        });
        self.slots[id as usize] = Some(slot);
        let slots = &self.slots;
        let state = &self.hash_state;
        let rehash = |id: &u32| hash(state, packed(slots, *id));
        self.by_labels.insert_unique(rehash(&id), id, rehash);
        id
    }

    /// Removes series.
    pub(crate) fn remove(&mut self, ids: &[u32]) {
        for id in ids {
            let hash = hash(&self.hash_state, self.packed(*id));
            if let Ok(entry) = self.by_labels.find_entry(hash, |candidate| candidate == id) {
                entry.remove();
            }
            if let Some(slot) = self.slots[*id as usize].take() {
                self.series_memory -= series_memory(&slot.series.labels);
                self.free.push(*id);
            }
        }
        if !ids.is_empty() {
            let slots = &self.slots;
            self.keys.retain(|id| slots[id as usize].is_some());
        }
    }

    /// A series by its number.
    pub(crate) fn slot(&mut self, id: u32) -> &mut Slot {
        let slot = self.slots[id as usize].as_mut();
        slot.expect("invariant: numbers of removed series are forgotten")
    }

    /// All series with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter_map(|(id, slot)| Some((id as u32, slot.as_ref()?)))
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.by_labels.len()
    }

    /// Bytes of memory that the series take beside their samples.
    pub(crate) fn memory(&self) -> usize {
        self.series_memory + self.keys.memory()
    }

    fn packed(&self, id: u32) -> &[u8] {
        packed(&self.slots, id)
    }
}

/// Whether labels may be those of a series.
pub(crate) fn validate(labels: &Labels) -> Result<(), RejectReason> {
    let refuse = |reason: String| Err(InvalidLabels::Malformed(reason).into());
    if labels.metric_name().is_empty() {
        return refuse(format!(
            "{labels} has no metric name: label __name__ is needed"
        ));
    }
    if labels.iter().any(|(name, _)| name.is_empty()) {
        return refuse(format!("{labels} has a label without a name"));
    }
    let length = labels.as_packed().len();
    if length > LABELS_BYTES_MAX {
        return refuse(format!(
            "labels of {} take {length} bytes, at most {LABELS_BYTES_MAX} are allowed",
            labels.metric_name().chars().take(64).collect::<String>()
        ));
    }
    Ok(())
}

fn series_memory(labels: &Labels) -> usize {
    SERIES_MEMORY + labels.as_packed().len() + 16 + LABEL_MEMORY * labels.len()
}

fn packed(slots: &[Option<Slot>], id: u32) -> &[u8] {
    let slot = slots[id as usize].as_ref();
    slot.map_or(b"", |slot| slot.series.labels.as_packed().as_bytes())
}

fn hash(state: &RandomState, packed: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(packed);
    hasher.finish()
}
