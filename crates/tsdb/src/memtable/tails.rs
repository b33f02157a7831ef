//! Raw values of many series in few allocations: cells of 4, 8, 16 or 32 values.
//!
//! A million series with two samples each must not pay for 32, and a busy one must not move often.

use std::num::NonZeroU32;

/// Values in a full tail.
pub(crate) const TAIL: usize = 32;

/// Values in the smallest cell.
const SMALLEST: usize = 4;

/// Cell sizes: 4, 8, 16, 32.
const CLASSES: usize = 4;

/// Values in a page, from which cells are cut.
const PAGE: usize = 4096;

/// A cell's class, in the two highest bits, and its place, plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell(NonZeroU32);

impl Cell {
    fn new(class: usize, place: u32) -> Self {
        let number = (class as u32) << CLASS_SHIFT | (place + 1);
        Self(NonZeroU32::new(number).expect("invariant: places are numbered from one"))
    }

    fn class(self) -> usize {
        (self.0.get() >> CLASS_SHIFT) as usize
    }

    fn place(self) -> u32 {
        (self.0.get() & ((1 << CLASS_SHIFT) - 1)) - 1
    }
}

/// A shard is frozen long before it has 2^30 cells.
const CLASS_SHIFT: u32 = 30;

/// All cells of a shard.
#[derive(Default)]
pub(crate) struct Tails {
    classes: [Class; CLASSES],
    pages: usize,
}

#[derive(Default)]
struct Class {
    pages: Vec<Box<[u64]>>,
    free: Vec<u32>,
    used: u32,
}

impl Tails {
    /// A cell with room for at least `count` ≤ [`TAIL`] values.
    pub(crate) fn take(&mut self, count: usize) -> Cell {
        let class = (0..CLASSES - 1)
            .find(|class| SMALLEST << class >= count)
            .unwrap_or(CLASSES - 1);
        let cells = &mut self.classes[class];
        let place = cells.free.pop().unwrap_or_else(|| {
            let place = cells.used;
            cells.used += 1;
            if (place as usize).is_multiple_of(PAGE / (SMALLEST << class)) {
                cells.pages.push(vec![0; PAGE].into_boxed_slice());
                self.pages += 1;
            }
            place
        });
        Cell::new(class, place)
    }

    /// Gives a cell back.
    pub(crate) fn give_back(&mut self, cell: Cell) {
        self.classes[cell.class()].free.push(cell.place());
    }

    /// The values of a cell.
    #[inline]
    pub(crate) fn values(&self, cell: Cell) -> &[u64] {
        let (page, start, length) = position(cell);
        &self.classes[cell.class()].pages[page][start..start + length]
    }

    /// The values of a cell, to be changed.
    #[inline]
    pub(crate) fn values_mut(&mut self, cell: Cell) -> &mut [u64] {
        let (page, start, length) = position(cell);
        &mut self.classes[cell.class()].pages[page][start..start + length]
    }

    /// A larger cell in place of this one, with the same values at its beginning.
    pub(crate) fn grow(&mut self, cell: Cell) -> Cell {
        let length = SMALLEST << cell.class();
        let larger = self.take(2 * length);
        let mut values = [0; TAIL];
        values[..length].copy_from_slice(self.values(cell));
        self.values_mut(larger)[..length].copy_from_slice(&values[..length]);
        self.give_back(cell);
        larger
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.pages * PAGE * size_of::<u64>()
    }
}

#[inline]
fn position(cell: Cell) -> (usize, usize, usize) {
    let length = SMALLEST << cell.class();
    let per_page = PAGE / length;
    let place = cell.place() as usize;
    (place / per_page, place % per_page * length, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_apart_and_keep_their_values_when_they_grow() {
        let mut tails = Tails::default();
        let mut cells: Vec<_> = (0..5_000u64)
            .map(|number| {
                let cell = tails.take(1 + number as usize % TAIL);
                tails.values_mut(cell).fill(number);
                cell
            })
            .collect();
        for (number, cell) in (0u64..).zip(&mut cells) {
            assert!(tails.values(*cell).iter().all(|value| *value == number));
            if tails.values(*cell).len() < TAIL {
                let before = tails.values(*cell).len();
                *cell = tails.grow(*cell);
                assert_eq!(tails.values(*cell).len(), 2 * before);
                assert!(
                    tails.values(*cell)[..before]
                        .iter()
                        .all(|value| *value == number)
                );
                tails.values_mut(*cell).fill(number);
            }
        }
        let memory = tails.memory();
        for cell in cells {
            tails.give_back(cell);
        }
        (0..1_000).for_each(|_| _ = tails.take(TAIL));
        assert_eq!(tails.memory(), memory);
    }
}
