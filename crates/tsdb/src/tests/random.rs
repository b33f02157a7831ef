//! Random numbers that follow from a seed, and what the environment says about seeds.

use std::ops::Range;
use std::str::FromStr;

/// A sequence of numbers that looks random (SplitMix64).
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is above 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    pub(super) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// The seeds of a test: the one that `CAMPANILE_TEST_SEED` names, else as many as `CAMPANILE_TEST_SEEDS` says.
pub(super) fn seeds(default: u64) -> Range<u64> {
    match setting("CAMPANILE_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("CAMPANILE_TEST_SEEDS").unwrap_or(default),
    }
}

/// A number from the environment.
pub(super) fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
