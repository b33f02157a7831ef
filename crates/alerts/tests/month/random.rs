//! Random numbers that a seed repeats, SplitMix64, and the durations that a world is made of.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that nobody knows before.
    pub(crate) fn seed() -> u64 {
        RandomState::new().build_hasher().finish() % 1_000_000_000
    }

    /// A stream of its own, so that what happens to one thing does not hang on how often another one was asked.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `first` to `last`, both included.
    pub(crate) fn within(&mut self, first: i64, last: i64) -> i64 {
        let width = (last - first + 1).unsigned_abs();
        first + (self.next() % width).cast_signed()
    }

    /// True so many times in a thousand.
    pub(crate) fn chance(&mut self, in_thousand: i64) -> bool {
        self.within(0, 999) < in_thousand
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize].clone()
    }

    /// Often short, seldom long: each doubling of the length from `first` to `last` is equally likely.
    pub(crate) fn long_tailed(&mut self, first: i64, last: i64) -> i64 {
        let doublings = (last / first).max(1).ilog2();
        let low = first << self.within(0, i64::from(doublings));
        self.within(low, (low * 2).min(last).max(low))
    }
}
