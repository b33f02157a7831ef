//! Which label names and values there are, of all series or of some.

use std::collections::{BTreeSet, HashSet};

use foldhash::fast::RandomState;
use roaring::RoaringBitmap;

use super::index::{SLICE, SeriesIndex};

/// So many series are asked for the names of their labels before those that were not seen are looked for.
const SERIES_ASKED: usize = 512;

impl SeriesIndex {
    /// The names of all labels, or of those that any of the given series has; sorted.
    pub(crate) fn label_names(&self, of: Option<&RoaringBitmap>) -> Vec<String> {
        let _pin = self.pin();
        let content = self.read();
        let names = content.pairs.names().map(|(_, name)| name.text.to_string());
        let mut left: BTreeSet<String> = names.collect();
        let mut seen = BTreeSet::new();
        let is_clean = content.retired.is_empty();
        drop(content);
        let Some(of) = of else {
            if !is_clean {
                left.retain(|name| self.has_alive(name));
            }
            return left.into_iter().collect();
        };
        let ids: Vec<u32> = of.iter().take(SERIES_ASKED).collect();
        for slice in ids.chunks(SLICE) {
            let content = self.read();
            let mut numbers: HashSet<u32, RandomState> = HashSet::default();
            for id in slice {
                let pairs = content.set(*id).iter();
                numbers.extend(pairs.map(|pair| content.pairs.name_of(*pair)));
            }
            for number in numbers {
                let name = &*content.pairs.name(number).text;
                if let Some(name) = left.take(name) {
                    seen.insert(name);
                }
            }
        }
        if of.len() > SERIES_ASKED as u64 {
            seen.extend(left.into_iter().filter(|name| self.has_any(name, of)));
        }
        seen.into_iter().collect()
    }

    /// The values of a label that any series has, or any of the given ones; the first `limit` of them, sorted.
    pub(crate) fn label_values(
        &self,
        name: &str,
        of: Option<&RoaringBitmap>,
        limit: usize,
    ) -> Vec<String> {
        let _pin = self.pin();
        let mut first = First {
            values: Vec::new(),
            limit,
            bound: None,
        };
        let number = self.read().pairs.find_name(name);
        let count = number.map_or(0, |name| self.count_values(name));
        match of {
            None => self.each_value(name, |pair, value| {
                if self.read().is_alive(pair) {
                    first.add(value);
                }
            }),
            Some(of) if of.len() < count => self.each_value_of(name, of, |value| first.add(value)),
            Some(of) => {
                let mut pairs = Vec::new();
                self.each_value(name, |pair, _| pairs.push(pair));
                for slice in pairs.chunks(SLICE) {
                    let content = self.read();
                    for pair in slice {
                        if content.pairs.ids(*pair).meet(of) {
                            first.add(content.pairs.value_of(*pair));
                        }
                    }
                }
            }
        }
        first.finish()
    }

    /// How many values a label has, and their bytes.
    pub(crate) fn values_size(&self, name: &str) -> (usize, usize) {
        let content = self.read();
        let number = content.pairs.find_name(name);
        number.map_or((0, 0), |number| {
            let name = content.pairs.name(number);
            (name.pairs.len() as usize, name.bytes as usize)
        })
    }

    fn count_values(&self, name: u32) -> u64 {
        let content = self.read();
        let name = content.pairs.names().find(|(number, _)| *number == name);
        name.map_or(0, |(_, name)| name.pairs.len())
    }

    /// Shows the values that some series have, each once.
    fn each_value_of(&self, name: &str, of: &RoaringBitmap, mut each: impl FnMut(&str)) {
        let mut seen: HashSet<u32, RandomState> = HashSet::default();
        let ids: Vec<u32> = of.iter().collect();
        for slice in ids.chunks(SLICE) {
            let content = self.read();
            let Some(name) = content.pairs.find_name(name) else {
                return;
            };
            for id in slice {
                if let Some(pair) = content.pair_with_name(*id, name)
                    && seen.insert(pair)
                {
                    each(content.pairs.value_of(pair));
                }
            }
        }
    }

    /// Whether a series that is not retired has a label.
    fn has_alive(&self, name: &str) -> bool {
        let content = self.read();
        let name = content.pairs.find_name(name);
        let mut pairs = name
            .into_iter()
            .flat_map(|name| content.pairs.name(name).pairs.iter());
        pairs.any(|pair| content.is_alive(pair))
    }

    /// Whether any of the given series has a label.
    fn has_any(&self, name: &str, of: &RoaringBitmap) -> bool {
        let mut next = Some(0);
        while let Some(from) = next {
            let content = self.read();
            let Some(name) = content.pairs.find_name(name) else {
                return false;
            };
            next = None;
            let pairs = content.pairs.name(name).pairs.range(from..);
            for pair in pairs.take(SLICE) {
                if content.pairs.ids(pair).meet(of) {
                    return true;
                }
                next = pair.checked_add(1);
            }
        }
        false
    }
}

/// The first values in order, without keeping all.
struct First {
    values: Vec<String>,
    limit: usize,
    /// No value from here on is among the first.
    bound: Option<String>,
}

impl First {
    fn add(&mut self, value: &str) {
        if self.bound.as_deref().is_some_and(|bound| value >= bound) {
            return;
        }
        if self.values.len() >= self.limit.saturating_mul(2).saturating_add(1024) {
            self.cut();
            self.bound = self.values.last().cloned();
        }
        self.values.push(value.to_owned());
    }

    fn cut(&mut self) {
        self.values.sort_unstable();
        self.values.truncate(self.limit);
    }

    fn finish(mut self) -> Vec<String> {
        self.cut();
        self.values
    }
}
