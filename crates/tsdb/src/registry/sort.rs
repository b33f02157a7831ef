//! Series in the order of their labels.
//!
//! Label by label: series are grouped by the number of their pair, which needs no texts; the groups, far fewer than the
//! series, are put in order by name and value; then each group goes on with the next label. Few series are compared as
//! they are.

use std::cmp::Ordering;
use std::hint::black_box;

use super::content::{Content, TOUCHED_MAX};
use super::index::{SLICE, SeriesIndex};

/// Series that are looked at in one go under the lock.
const GATHERED: usize = 256;

/// So few series are compared directly.
const FEW: usize = 24;

/// Series with one pair at the same place.
struct Group {
    /// Where the name stands among all names; 0 is that of series that have no more labels.
    name: u32,
    /// The first bytes of the value.
    prefix: u64,
    /// The value in `Texts`.
    text: (usize, usize),
    /// The series, by their place among the keys.
    keys: (usize, usize),
}

impl SeriesIndex {
    /// Sorts series in the order of [`model::Labels`]; they must be pinned.
    pub(crate) fn sort(&self, ids: &mut [u32]) {
        let ranks = self.name_ranks();
        let mut keys: Vec<u64> = Vec::new();
        // Ranges that are to be sorted, and how many labels all in them have in common.
        let mut open = vec![(0, ids.len(), 0)];
        while let Some((start, end, mut depth)) = open.pop() {
            let part = &mut ids[start..end];
            if part.len() <= FEW {
                let content = self.read();
                part.sort_unstable_by(|left, right| content.compare(*left, *right, depth));
                continue;
            }
            keys.clear();
            if part.len() <= GATHERED {
                let content = self.read();
                for block in part.chunks(TOUCHED_MAX) {
                    black_box(content.touch(block, &mut [0; TOUCHED_MAX][..block.len()]));
                }
                depth += content.in_common(part, depth);
            }
            for slice in part.chunks(GATHERED) {
                let content = self.read();
                let pair = |id: u32| content.set(id).get(depth).map_or(0, |pair| pair + 1);
                keys.extend(
                    slice
                        .iter()
                        .map(|id| u64::from(pair(*id)) << 32 | u64::from(*id)),
                );
            }
            if keys.iter().all(|key| key >> 32 == keys[0] >> 32) {
                if keys[0] >> 32 != 0 {
                    open.push((start, end, depth + 1));
                }
                continue;
            }
            keys.sort_unstable();
            let mut at = 0;
            for group in self.groups(&keys, &ranks) {
                let (first, last) = group.keys;
                let from = at;
                for key in &keys[first..last] {
                    part[at] = *key as u32;
                    at += 1;
                }
                if last - first > 1 && group.name != 0 {
                    open.push((start + from, start + at, depth + 1));
                }
            }
        }
    }

    /// The groups of sorted keys, in order.
    fn groups(&self, keys: &[u64], ranks: &[u32]) -> Vec<Group> {
        let mut texts = String::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut runs = keys.chunk_by(|left, right| left >> 32 == right >> 32);
        let mut at = 0;
        while at < keys.len() {
            let content = self.read();
            for run in runs.by_ref().take(SLICE) {
                let end = at + run.len();
                let mut group = Group {
                    name: 0,
                    prefix: 0,
                    text: (0, 0),
                    keys: (at, end),
                };
                if let Some(pair) = ((run[0] >> 32) as u32).checked_sub(1) {
                    let value = content.pairs.value_of(pair);
                    group.name = ranks[content.pairs.name_of(pair) as usize];
                    group.prefix = prefix(value);
                    let text_start = texts.len();
                    texts.push_str(value);
                    group.text = (text_start, texts.len());
                }
                groups.push(group);
                at = end;
            }
        }
        let text = |group: &Group| &texts[group.text.0..group.text.1];
        groups.sort_unstable_by(|left, right| {
            (left.name, left.prefix)
                .cmp(&(right.name, right.prefix))
                .then_with(|| text(left).cmp(text(right)))
        });
        groups
    }

    /// The place of each name, by its number, in the order of all; from 1.
    fn name_ranks(&self) -> Vec<u32> {
        let content = self.read();
        let mut names: Vec<(&str, u32)> = content
            .pairs
            .names()
            .map(|(number, name)| (&*name.text, number))
            .collect();
        names.sort_unstable();
        let length = names.iter().map(|(_, number)| *number + 1).max();
        let mut ranks = vec![0; length.unwrap_or(0) as usize];
        for ((_, number), rank) in names.iter().zip(1..) {
            ranks[*number as usize] = rank;
        }
        ranks
    }
}

impl Content {
    /// How many labels some series have in common after the first ones, which they have.
    fn in_common(&self, ids: &[u32], depth: usize) -> usize {
        let left = |id: u32| self.set(id).get(depth..).unwrap_or(&[]);
        let mut common = ids.first().map_or(&[][..], |id| left(*id));
        for id in ids {
            let equal = common
                .iter()
                .zip(left(*id))
                .take_while(|(own, other)| own == other);
            common = &common[..equal.count()];
        }
        common.len()
    }

    /// Orders two series whose first labels are known to be equal.
    fn compare(&self, left: u32, right: u32, depth: usize) -> Ordering {
        let (left, right) = (self.set(left), self.set(right));
        let left = left.get(depth..).unwrap_or(&[]);
        let right = right.get(depth..).unwrap_or(&[]);
        let mut both = left.iter().zip(right);
        match both.find(|(left, right)| left != right) {
            Some((left, right)) => self.pairs.get(*left).cmp(&self.pairs.get(*right)),
            None => left.len().cmp(&right.len()),
        }
    }
}

/// The first eight bytes, so that they compare as the text does.
fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(8);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u64::from_be_bytes(bytes)
}
