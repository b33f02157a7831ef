//! Which label pairs a log's file has a number for.
//!
//! A pair gets its number the second time it is written: most pairs that occur once, such as the name of a pod, never
//! occur again, and neither take room here nor make the numbers of the others longer.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Places for pairs that were seen once, a power of two. A pair that loses its place to another is seen anew.
const SEEN_PLACES: usize = 1 << 15;

/// Bytes of text that are kept; pairs beyond are written out each time.
const TEXT_MAX: usize = 32 << 20;

/// How a pair is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In full; it has no number.
    Plain,
    /// In full, and from now on it has the next number.
    Numbered,
    /// As a number.
    Known(u32),
}

/// Pairs and their numbers, which start at 0.
pub(crate) struct Dictionary {
    hasher: RandomState,
    table: HashTable<u32>,
    entries: Vec<Entry>,
    /// Name, a byte that is in no UTF-8 text, value; pair after pair.
    text: Vec<u8>,
    /// Other bits of the hash than those that give the place.
    seen: Box<[u16]>,
}

struct Entry {
    hash: u64,
    start: u32,
}

const SEPARATOR: u8 = 0xff;

impl Dictionary {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            table: HashTable::new(),
            entries: Vec::new(),
            text: Vec::new(),
            seen: vec![0; SEEN_PLACES].into_boxed_slice(),
        }
    }

    /// How many pairs have a number.
    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Forgets all; memory beyond what a quiet file needs is given back.
    pub(crate) fn clear(&mut self) {
        self.table = HashTable::new();
        self.entries = Vec::new();
        self.text = Vec::new();
        self.seen.fill(0);
    }

    /// Heap memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.table.allocation_size()
            + self.entries.capacity() * size_of::<Entry>()
            + self.text.capacity()
            + size_of_val(&*self.seen)
    }

    /// Looks a pair up, and remembers it.
    pub(crate) fn look_up(&mut self, name: &str, value: &str) -> Form {
        let hash = self.hasher.hash_one((name, value));
        let (entries, text) = (&self.entries, &self.text);
        let found = self.table.find(hash, |number| {
            let at = *number as usize;
            entries[at].hash == hash && {
                let start = entries[at].start as usize;
                let end = entries
                    .get(at + 1)
                    .map_or(text.len(), |next| next.start as usize);
                is_pair(&text[start..end], name, value)
            }
        });
        if let Some(number) = found {
            return Form::Known(*number);
        }
        // Zero stands for an empty place.
        let mark = (hash >> 48) as u16 | 1;
        let place = &mut self.seen[hash as usize % SEEN_PLACES];
        if *place != mark {
            *place = mark;
            return Form::Plain;
        }
        if self.text.len() + name.len() + value.len() >= TEXT_MAX {
            return Form::Plain;
        }
        let number = self.len();
        self.entries.push(Entry {
            hash,
            start: self.text.len() as u32,
        });
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(SEPARATOR);
        self.text.extend_from_slice(value.as_bytes());
        let entries = &self.entries;
        self.table
            .insert_unique(hash, number, |other| entries[*other as usize].hash);
        Form::Numbered
    }
}

fn is_pair(text: &[u8], name: &str, value: &str) -> bool {
    text.split_at_checked(name.len())
        .is_some_and(|(first, rest)| {
            first == name.as_bytes()
                && rest
                    .split_first()
                    .is_some_and(|(byte, rest)| *byte == SEPARATOR && rest == value.as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_gets_a_number_when_it_comes_again() {
        let mut dictionary = Dictionary::new();
        assert_eq!(dictionary.look_up("job", "a"), Form::Plain);
        assert_eq!(dictionary.look_up("job", "a"), Form::Numbered);
        assert_eq!(dictionary.look_up("job", "a"), Form::Known(0));
        assert_eq!(dictionary.look_up("joba", ""), Form::Plain);
        assert_eq!(dictionary.len(), 1);
        dictionary.clear();
        assert_eq!(dictionary.look_up("job", "a"), Form::Plain);
    }
}
