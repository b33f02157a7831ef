//! Names and values of labels from several places, each once, within the memory for questions.

use std::collections::BTreeSet;

use model::{Reservation, SourceError};

/// What a word takes beside its bytes: the string, its allocation, its place in a tree.
pub(crate) const WORD_BYTES: usize = 64;

/// Words of one place after the other, each place's sorted.
pub(crate) struct Words {
    /// Sorted up to `sorted`; behind that the new ones of the place that is being added.
    words: Vec<String>,
    sorted: usize,
    /// The first of the sorted ones that may be as great as the next word.
    next: usize,
    memory: Reservation,
}

impl Words {
    /// Begins with the words of one place, for which `memory` has room.
    pub(crate) fn new(words: Vec<String>, memory: Reservation) -> Self {
        Self {
            sorted: words.len(),
            words,
            next: 0,
            memory,
        }
    }

    /// Adds a word of a place, which comes after the one before.
    ///
    /// Errors: there is no room for it.
    pub(crate) fn add(&mut self, word: &str) -> Result<(), SourceError> {
        while self.next < self.sorted && self.words[self.next].as_str() < word {
            self.next += 1;
        }
        if self.next < self.sorted && self.words[self.next] == word {
            return Ok(());
        }
        self.memory.grow(WORD_BYTES + word.len())?;
        self.words.push(word.to_owned());
        Ok(())
    }

    /// Goes on to the next place.
    pub(crate) fn end_place(&mut self) {
        if self.words.len() > self.sorted {
            self.words.sort_unstable();
        }
        self.sorted = self.words.len();
        self.next = 0;
    }

    /// All words, sorted.
    pub(crate) fn finish(mut self) -> Vec<String> {
        self.end_place();
        self.words
    }
}

/// Words in any order.
pub(crate) struct UnsortedWords {
    words: BTreeSet<String>,
    memory: Reservation,
}

impl UnsortedWords {
    pub(crate) fn new(memory: Reservation) -> Self {
        Self {
            words: BTreeSet::new(),
            memory,
        }
    }

    /// Adds a word.
    ///
    /// Errors: there is no room for it.
    pub(crate) fn add(&mut self, word: &str) -> Result<(), SourceError> {
        if self.words.contains(word) {
            return Ok(());
        }
        self.memory.grow(WORD_BYTES + word.len())?;
        self.words.insert(word.to_owned());
        Ok(())
    }

    /// All words, sorted.
    pub(crate) fn finish(self) -> Vec<String> {
        self.words.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use model::Budget;

    use super::*;

    #[test]
    fn words_of_several_places_are_told_once_and_sorted() {
        let memory = Budget::default().reservation();
        let mut words = Words::new(vec!["b".to_owned(), "d".to_owned()], memory);
        for place in [["a", "b", "e"], ["c", "d", "e"]] {
            for word in place {
                words.add(word).unwrap();
            }
            words.end_place();
        }
        assert_eq!(words.finish(), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn more_words_than_there_is_room_for_are_refused() {
        let budget = Budget::new(100 * WORD_BYTES);
        let mut words = Words::new(Vec::new(), budget.reservation());
        let added = (0..1000).take_while(|n| words.add(&format!("{n:04}")).is_ok());
        let added = added.count();
        assert!((50..100).contains(&added), "{added}");
        drop(words);
        assert_eq!(budget.reserved(), 0);
    }
}
