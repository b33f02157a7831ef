//! Many short runs of bytes or numbers, without an allocation or a header each.
//!
//! Runs lie behind each other in pages of fixed size; what is removed is used again for runs of the same size, or is
//! split for smaller ones. A run knows nothing of its length: whoever stores it writes that down, in the run or beside.

use std::collections::BTreeMap;

/// Elements of a page.
const PAGE: usize = 1 << 16;

/// Runs of `T`, whose places are counted in units of `UNIT` elements so that 32 bits reach further.
pub(super) struct Arena<T, const UNIT: usize> {
    pages: Vec<Box<[T]>>,
    /// The page that is being filled, and its elements that were given out.
    open: usize,
    used: usize,
    /// Numbers of pages that were given back: the first, and how many.
    free_pages: Vec<(usize, usize)>,
    /// Places that may be used again, by their size in units.
    free: BTreeMap<u32, Vec<u32>>,
    /// Elements in all pages, and those of them that are free again.
    allocated: usize,
    freed: usize,
}

impl<T, const UNIT: usize> Default for Arena<T, UNIT> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            open: 0,
            used: PAGE,
            free_pages: Vec::new(),
            free: BTreeMap::new(),
            allocated: 0,
            freed: 0,
        }
    }
}

impl<T: Copy + Default, const UNIT: usize> Arena<T, UNIT> {
    /// The run at a place, with whatever follows it.
    #[inline]
    pub(super) fn get(&self, place: u32) -> &[T] {
        let at = place as usize * UNIT;
        &self.pages[at / PAGE][at % PAGE..]
    }

    /// The first element at a place where a run may have been, if memory is there.
    #[inline]
    pub(super) fn peek(&self, place: u32) -> Option<T> {
        let at = place as usize * UNIT;
        self.pages.get(at / PAGE)?.get(at % PAGE).copied()
    }

    /// Stores a run and gives its place.
    pub(super) fn insert(&mut self, run: &[T]) -> u32 {
        let place = self.reserve(run.len());
        let at = place as usize * UNIT;
        self.pages[at / PAGE][at % PAGE..][..run.len()].copy_from_slice(run);
        place
    }

    /// Gives the place of a run of so many elements back.
    pub(super) fn remove(&mut self, place: u32, length: usize) {
        let length = length.next_multiple_of(UNIT).max(UNIT);
        if length <= PAGE {
            self.release(place, length);
            return;
        }
        let first = place as usize * UNIT / PAGE;
        self.allocated -= self.pages[first].len();
        self.pages[first] = Box::default();
        self.free_pages.push((first, length.div_ceil(PAGE)));
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.allocated * size_of::<T>()
            + self.pages.capacity() * size_of::<Box<[T]>>()
            + self.freed / UNIT
    }

    fn release(&mut self, place: u32, length: usize) {
        self.freed += length;
        let size = (length / UNIT) as u32;
        self.free.entry(size).or_default().push(place);
    }

    fn reserve(&mut self, length: usize) -> u32 {
        let length = length.next_multiple_of(UNIT).max(UNIT);
        if length > PAGE {
            // It lies in the first of as many pages as it needs numbers for.
            return numbered(self.add_pages(length) * PAGE / UNIT);
        }
        if let Some(place) = self.reuse(length) {
            return place;
        }
        if self.used + length > PAGE {
            if self.used < PAGE {
                let rest = self.open * PAGE + self.used;
                self.release(numbered(rest / UNIT), PAGE - self.used);
            }
            self.open = self.add_pages(PAGE);
            self.used = 0;
        }
        let at = self.open * PAGE + self.used;
        self.used += length;
        numbered(at / UNIT)
    }

    /// A place that is free and large enough, the smallest of them.
    fn reuse(&mut self, length: usize) -> Option<u32> {
        let size = (length / UNIT) as u32;
        let mut entry = self.free.range_mut(size..).next();
        let (found, places) = entry.as_mut()?;
        let found = **found;
        let place = places.pop()?;
        if places.is_empty() {
            self.free.remove(&found);
        }
        self.freed -= found as usize * UNIT;
        if found > size {
            self.release(place + size, (found - size) as usize * UNIT);
        }
        Some(place)
    }

    /// Adds as many pages as so many elements need numbers for, and gives the first.
    fn add_pages(&mut self, length: usize) -> usize {
        let count = length.div_ceil(PAGE);
        let reused = self.free_pages.iter().position(|(_, free)| *free >= count);
        let first = match reused {
            Some(at) if self.free_pages[at].1 == count => self.free_pages.swap_remove(at).0,
            Some(at) => {
                let (first, free) = &mut self.free_pages[at];
                *free -= count;
                *first + *free
            }
            None => {
                let first = self.pages.len();
                self.pages.resize_with(first + count, Box::default);
                first
            }
        };
        self.pages[first] = vec![T::default(); count * PAGE].into();
        self.allocated += count * PAGE;
        first
    }
}

fn numbered(place: usize) -> u32 {
    u32::try_from(place).expect("invariant: memory ends before numbers do")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_all_sizes_stay_as_they_are_and_removed_ones_are_used_again() {
        let mut arena = Arena::<u8, 4>::default();
        let run = |number: usize| vec![number as u8; number * number % 977 + number % 7 * 30_000];
        for round in 0..3 {
            let places: Vec<u32> = (0..200).map(|number| arena.insert(&run(number))).collect();
            for (number, place) in places.iter().enumerate() {
                assert!(arena.get(*place).starts_with(&run(number)), "{number}");
            }
            for (number, place) in places.iter().enumerate() {
                arena.remove(*place, run(number).len());
            }
            assert!(arena.allocated < 25 << 20, "{round}: {}", arena.allocated);
        }
    }
}
