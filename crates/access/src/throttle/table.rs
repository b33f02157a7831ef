//! Failures by key, in bounded room: the one goes that has failed least recently.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use super::{FORGOTTEN_AFTER, Rule};

/// Failures by key.
#[derive(Debug)]
pub(super) struct Table<K> {
    entries: HashMap<K, Entry>,
    /// The keys by the order in which they have failed last.
    order: BTreeMap<u64, K>,
    next: u64,
    room: usize,
}

#[derive(Debug)]
struct Entry {
    failures: u32,
    last: Duration,
    place: u64,
}

impl<K: Clone + Eq + Hash> Table<K> {
    pub(super) fn new(room: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            room,
        }
    }

    /// How long a key has to wait from now on.
    pub(super) fn wait(&self, key: &K, rule: Rule, now: Duration) -> Duration {
        let Some(entry) = self.entries.get(key) else {
            return Duration::ZERO;
        };
        let until = entry.last + rule.wait(entry.failures);
        until.saturating_sub(now)
    }

    /// Counts a failure.
    pub(super) fn fail(&mut self, key: K, now: Duration) {
        let place = self.next;
        self.next += 1;
        let entry = self.entries.entry(key.clone()).or_insert(Entry {
            failures: 0,
            last: now,
            place,
        });
        if now.saturating_sub(entry.last) >= FORGOTTEN_AFTER {
            entry.failures = 0;
        }
        self.order.remove(&entry.place);
        entry.failures = entry.failures.saturating_add(1);
        entry.last = now;
        entry.place = place;
        self.order.insert(place, key);
        if self.entries.len() > self.room
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    /// Takes one failure back.
    pub(super) fn take_back(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.failures = entry.failures.saturating_sub(1);
        if entry.failures == 0 {
            self.forget(key);
        }
    }

    pub(super) fn forget(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.place);
        }
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.order.len());
        self.entries.len()
    }
}
