//! The labels of all series, each name with each of its values once, as numbers.
//!
//! A pair's value lies in an arena behind the number of its name and its length, so that one look at memory is enough
//! to compare both. A pair lives as long as a series has it; then its number and its bytes are used again.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use roaring::RoaringBitmap;

use super::arena::Arena;
use super::paged::Paged;
use super::postings::{Ids, NONE, Postings};
use super::table::IdTable;

/// Bytes that number of name and length take at most.
const HEAD_MAX: usize = 10;

/// Label pairs by number, and the numbers by name and value.
#[derive(Default)]
pub(super) struct Pairs {
    names: Vec<Name>,
    names_free: Vec<u32>,
    by_name: HashMap<Box<str>, u32, RandomState>,
    /// Where the text of each pair lies.
    texts: Paged<u32>,
    bytes: Arena<u8, 4>,
    /// The series of each pair, as a slot of `postings`.
    slots: Paged<u32>,
    postings: Postings,
    free: Vec<u32>,
    table: IdTable,
    hash_state: RandomState,
    scratch: Vec<u8>,
}

/// A label's name.
#[derive(Default)]
pub(super) struct Name {
    pub(super) text: Box<str>,
    /// The pairs with this name.
    pub(super) pairs: RoaringBitmap,
    /// How many series have it.
    pub(super) series: u64,
    /// Bytes that its values take.
    pub(super) bytes: u64,
}

impl Pairs {
    /// The number of a name.
    #[inline]
    pub(super) fn find_name(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, number: u32) -> &Name {
        &self.names[number as usize]
    }

    /// The names that any series has, with their numbers.
    pub(super) fn names(&self) -> impl Iterator<Item = (u32, &Name)> {
        let numbered = self.names.iter().zip(0..);
        numbered
            .filter(|(name, _)| !name.pairs.is_empty())
            .map(|(name, number)| (number, name))
    }

    /// The number of a pair.
    pub(super) fn find(&self, name: &str, value: &str) -> Option<u32> {
        let name = self.find_name(name)?;
        self.find_value(name, value)
    }

    pub(super) fn find_value(&self, name: u32, value: &str) -> Option<u32> {
        let is_meant = |pair| self.parts(pair) == (name, value.as_bytes());
        self.table.find(self.hash(name, value.as_bytes()), is_meant)
    }

    /// Name and value of a pair.
    pub(super) fn get(&self, pair: u32) -> (&str, &str) {
        let (name, value) = self.parts(pair);
        (&self.names[name as usize].text, text(value))
    }

    /// The number of a pair's name.
    #[inline]
    pub(super) fn name_of(&self, pair: u32) -> u32 {
        self.parts(pair).0
    }

    #[inline]
    pub(super) fn value_of(&self, pair: u32) -> &str {
        text(self.parts(pair).1)
    }

    /// Whether a pair is this one, given as bytes.
    #[inline]
    pub(super) fn is(&self, pair: u32, name: &[u8], value: &[u8]) -> bool {
        let (own_name, own_value) = self.parts(pair);
        equal(own_value, value) && equal(self.names[own_name as usize].text.as_bytes(), name)
    }

    /// Loads the texts of pairs, so that many loads are under way at once; the result means nothing.
    #[inline]
    pub(super) fn touch(&self, pairs: &mut [u32]) -> u32 {
        for pair in pairs.iter_mut() {
            *pair = self.texts.get(*pair).copied().unwrap_or(0);
        }
        let byte = |place: &u32| u32::from(self.bytes.peek(*place).unwrap_or(0));
        pairs.iter().map(byte).fold(0, u32::wrapping_add)
    }

    pub(super) fn ids(&self, pair: u32) -> Ids<'_> {
        self.postings.get(self.slots[pair])
    }

    /// How many pairs there are.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Adds a pair that is not there. It must get a series at once.
    pub(super) fn add(&mut self, name: &str, value: &str) -> u32 {
        let name = match self.find_name(name) {
            Some(number) => number,
            None => self.add_name(name),
        };
        self.scratch.clear();
        push_number(&mut self.scratch, name);
        push_number(&mut self.scratch, value.len() as u32);
        self.scratch.extend_from_slice(value.as_bytes());
        let place = self.bytes.insert(&self.scratch);
        let pair = match self.free.pop() {
            Some(pair) => {
                self.texts[pair] = place;
                pair
            }
            None => {
                self.texts.push(place);
                self.slots.push(NONE);
                (self.texts.len() - 1) as u32
            }
        };
        let hash = self.hash(name, value.as_bytes());
        self.table.insert(hash, pair);
        let name = &mut self.names[name as usize];
        name.pairs.insert(pair);
        name.bytes += self.scratch.len() as u64;
        pair
    }

    /// Notes that a series has a pair.
    pub(super) fn add_series(&mut self, pair: u32, id: u32) {
        self.postings.insert(&mut self.slots[pair], id);
        let name = self.name_of(pair);
        self.names[name as usize].series += 1;
    }

    /// Notes that a series has a pair no more; a pair without series is gone.
    pub(super) fn remove_series(&mut self, pair: u32, id: u32) {
        self.postings.remove(&mut self.slots[pair], id);
        let (name, value) = self.parts(pair);
        let hash = self.hash(name, value);
        let length = head_length(name) + head_length(value.len() as u32) + value.len();
        let own = &mut self.names[name as usize];
        own.series -= 1;
        if self.slots[pair] != NONE {
            return;
        }
        own.pairs.remove(pair);
        own.bytes -= length as u64;
        if own.pairs.is_empty() {
            self.by_name.remove(&own.text);
            *own = Name::default();
            self.names_free.push(name);
        }
        self.table.remove(hash, pair);
        self.bytes.remove(self.texts[pair], length);
        self.free.push(pair);
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        let pairs = self.names.iter().map(|name| name.pairs.len() as usize);
        self.names.capacity() * size_of::<Name>()
            // A bitmap takes 2 bytes for each number at most, once there are more than a few.
            + pairs.map(|count| count.min(1 << 16) * 2 + count / 8).sum::<usize>()
            + self.by_name.capacity() * 64
            + self.texts.memory()
            + self.bytes.memory()
            + self.slots.memory()
            + self.postings.memory()
            + self.free.capacity() * size_of::<u32>()
            + self.table.memory()
    }

    fn add_name(&mut self, text: &str) -> u32 {
        let name = Name {
            text: text.into(),
            ..Name::default()
        };
        let number = match self.names_free.pop() {
            Some(number) => {
                self.names[number as usize] = name;
                number
            }
            None => {
                self.names.push(name);
                (self.names.len() - 1) as u32
            }
        };
        self.by_name.insert(text.into(), number);
        number
    }

    /// The number of its name, and its value.
    #[inline]
    fn parts(&self, pair: u32) -> (u32, &[u8]) {
        let bytes = self.bytes.get(self.texts[pair]);
        if let [name @ 0..0x80, length @ 0..0x80, rest @ ..] = bytes {
            return (u32::from(*name), &rest[..usize::from(*length)]);
        }
        let (name, rest) = split_number(bytes);
        let (length, rest) = split_number(rest);
        (name, &rest[..length as usize])
    }

    fn hash(&self, name: u32, value: &[u8]) -> u64 {
        let mut hasher = self.hash_state.build_hasher();
        hasher.write_u32(name);
        hasher.write(value);
        hasher.finish()
    }
}

/// Whether two short texts are equal, without the call that a comparison of slices is: it takes longer than the rest.
#[inline]
fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    // The ends overlap, or meet.
    match left.len() {
        4..=8 => {
            left.first_chunk::<4>() == right.first_chunk()
                && left.last_chunk::<4>() == right.last_chunk()
        }
        9..=16 => {
            left.first_chunk::<8>() == right.first_chunk()
                && left.last_chunk::<8>() == right.last_chunk()
        }
        17..=32 => {
            left.first_chunk::<16>() == right.first_chunk()
                && left.last_chunk::<16>() == right.last_chunk()
        }
        _ => left == right,
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("invariant: values are stored from texts")
}

/// Seven bits a byte, the lowest first.
fn push_number(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn split_number(bytes: &[u8]) -> (u32, &[u8]) {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(HEAD_MAX / 2).enumerate() {
        number |= u32::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return (number, &bytes[index + 1..]);
        }
    }
    (number, &[])
}

fn head_length(number: u32) -> usize {
    (32 - (number | 1).leading_zeros() as usize).div_ceil(7)
}
