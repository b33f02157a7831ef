//! Which series have a label: most labels of most stores belong to one series or few, some to nearly all.
//!
//! One series costs 4 bytes, up to [`FEW_MAX`] a small list, more a bitmap.

use roaring::RoaringBitmap;

use super::paged::Paged;

/// Up to so many series a list is smaller than a bitmap, and as fast.
const FEW_MAX: usize = 48;

/// Marks a slot that says where the list is; numbers of series are smaller.
const LISTED: u32 = 1 << 31;

/// Series have numbers below this.
pub(super) const IDS_MAX: u32 = LISTED - 1;

/// A slot without series.
pub(super) const NONE: u32 = u32::MAX;

/// What a bitmap takes for each series at most, room to grow included, and beside that.
const MANY_ID_MEMORY: usize = 3;
const MANY_MEMORY: usize = 128;

/// Sets of series by slot. A slot is a number that the owner keeps, and passes in to be changed.
#[derive(Default)]
pub(super) struct Postings {
    lists: Paged<List>,
    free: Vec<u32>,
    memory: usize,
}

/// The series of one label.
pub(super) enum Ids<'a> {
    One(u32),
    Few(&'a [u32]),
    Many(&'a RoaringBitmap, u32),
    None,
}

enum List {
    /// Sorted.
    Few(Vec<u32>),
    /// With their number, which the bitmap would have to count.
    Many(RoaringBitmap, u32),
}

impl Postings {
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Ids<'_> {
        if slot == NONE {
            return Ids::None;
        }
        if slot & LISTED == 0 {
            return Ids::One(slot);
        }
        match &self.lists[slot & !LISTED] {
            List::Few(ids) => Ids::Few(ids),
            List::Many(ids, count) => Ids::Many(ids, *count),
        }
    }

    pub(super) fn insert(&mut self, slot: &mut u32, id: u32) {
        if *slot == NONE {
            *slot = id;
        } else if *slot & LISTED == 0 {
            let mut ids = Vec::with_capacity(2);
            ids.extend([id.min(*slot), id.max(*slot)]);
            self.memory += 8;
            *slot = LISTED | self.add(List::Few(ids));
        } else {
            let list = &mut self.lists[*slot & !LISTED];
            let before = list.memory();
            list.insert(id);
            self.memory = self.memory + list.memory() - before;
        }
    }

    pub(super) fn remove(&mut self, slot: &mut u32, id: u32) {
        if *slot == id {
            *slot = NONE;
        } else if *slot != NONE && *slot & LISTED != 0 {
            let at = *slot & !LISTED;
            let list = &mut self.lists[at];
            let before = list.memory();
            let left = list.remove(id);
            self.memory = self.memory + list.memory() - before;
            if let Some(left) = left {
                self.memory -= self.lists[at].memory();
                self.lists[at] = List::Few(Vec::new());
                self.free.push(at);
                *slot = left;
            }
        }
    }

    /// Bytes of memory; bitmaps are taken for the largest they may be.
    pub(super) fn memory(&self) -> usize {
        self.memory + self.lists.memory() + self.free.capacity() * size_of::<u32>()
    }

    fn add(&mut self, list: List) -> u32 {
        if let Some(at) = self.free.pop() {
            self.lists[at] = list;
            return at;
        }
        self.lists.push(list);
        (self.lists.len() - 1) as u32
    }
}

impl List {
    fn memory(&self) -> usize {
        match self {
            Self::Few(ids) => ids.capacity() * size_of::<u32>(),
            Self::Many(_, count) => MANY_MEMORY + *count as usize * MANY_ID_MEMORY,
        }
    }

    fn insert(&mut self, id: u32) {
        match self {
            Self::Few(ids) => {
                let Err(at) = ids.binary_search(&id) else {
                    return;
                };
                if ids.len() == FEW_MAX {
                    let mut many =
                        RoaringBitmap::from_sorted_iter(ids.iter().copied()).unwrap_or_default();
                    many.insert(id);
                    *self = Self::Many(many, FEW_MAX as u32 + 1);
                    return;
                }
                if ids.len() == ids.capacity() {
                    ids.reserve_exact(ids.len().div_ceil(2));
                }
                ids.insert(at, id);
            }
            Self::Many(ids, count) => *count += u32::from(ids.insert(id)),
        }
    }

    /// The slot that does without the list, if one or none is left.
    fn remove(&mut self, id: u32) -> Option<u32> {
        match self {
            Self::Few(ids) => {
                if let Ok(at) = ids.binary_search(&id) {
                    ids.remove(at);
                }
                match ids[..] {
                    [] => Some(NONE),
                    [left] => Some(left),
                    _ => None,
                }
            }
            Self::Many(ids, count) => {
                *count -= u32::from(ids.remove(id));
                if *count as usize <= FEW_MAX / 2 {
                    *self = Self::Few(ids.iter().collect());
                }
                None
            }
        }
    }
}

impl Ids<'_> {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Few(ids) => ids.len() as u64,
            Self::Many(_, count) => u64::from(*count),
            Self::None => 0,
        }
    }

    pub(super) fn any(&self, is_meant: impl FnMut(u32) -> bool) -> bool {
        match self {
            Self::One(id) => [*id].into_iter().any(is_meant),
            Self::Few(ids) => ids.iter().copied().any(is_meant),
            Self::Many(ids, _) => ids.iter().any(is_meant),
            Self::None => false,
        }
    }

    /// Whether any is in a set.
    pub(super) fn meet(&self, set: &RoaringBitmap) -> bool {
        match self {
            Self::Many(ids, _) => !ids.is_disjoint(set),
            few => few.any(|id| set.contains(id)),
        }
    }

    pub(super) fn to_bitmap(&self) -> RoaringBitmap {
        match self {
            Self::One(id) => RoaringBitmap::from_iter([*id]),
            Self::Few(ids) => ids.iter().copied().collect(),
            Self::Many(ids, _) => (*ids).clone(),
            Self::None => RoaringBitmap::new(),
        }
    }

    /// Keeps those of a set that are among them.
    pub(super) fn intersect(&self, set: &mut RoaringBitmap) {
        match self {
            Self::Many(ids, _) => *set &= *ids,
            few => {
                let set_now = std::mem::take(set);
                few.any(|id| {
                    if set_now.contains(id) {
                        set.insert(id);
                    }
                    false
                });
            }
        }
    }
}
