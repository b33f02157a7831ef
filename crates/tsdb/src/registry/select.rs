//! The series that fulfil matchers.
//!
//! 1. Equalities: one lookup each, the smallest set first.
//! 2. Other conditions that no absent label fulfils: few candidates are asked for their value; else all values of the
//!    label are tried, and the series of those that fit are kept.
//! 3. Conditions that an absent label fulfils: in the same way, the series of values that do not fit are taken away.
//!
//! Values are copied in slices under the lock and tried without it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use model::{MatchKind, Matcher};
use roaring::{MultiOps, RoaringBitmap};

use super::content::Content;
use super::index::{SLICE, SeriesIndex};
use super::postings::Ids;

/// Values that are copied in one go.
const VALUES_SLICE: usize = 512;

/// Series that are united in one go, those of the last value beside.
const UNITED_SLICE: u64 = 1 << 15;

/// So few candidates are asked for their values in any case, and so many if the label has as many values.
const CANDIDATES_FEW: u64 = 64;
const CANDIDATES_MAX: u64 = 1 << 14;

/// Characters that mean something in an expression, but for `|`.
const SPECIAL: &[char] = &[
    '\\', '.', '+', '*', '?', '(', ')', '[', ']', '{', '}', '^', '$',
];

impl SeriesIndex {
    /// The series that fulfil all matchers.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        let _pin = self.pin();
        // Those that were evicted before may be reclaimed meanwhile, and their numbers used again.
        let evicted = self.read().retired.clone();
        self.matching(matchers) - evicted
    }

    /// The series that fulfil all matchers of any of the selectors; without selectors all.
    pub(crate) fn select_any(&self, selectors: &[Vec<Matcher>]) -> RoaringBitmap {
        if selectors.is_empty() {
            return self.all();
        }
        let mut ids = RoaringBitmap::new();
        for matchers in selectors {
            ids |= self.select(matchers);
        }
        ids
    }

    fn matching(&self, matchers: &[Matcher]) -> RoaringBitmap {
        let (excluding, requiring): (Vec<_>, Vec<_>) =
            matchers.iter().partition(|matcher| matcher.matches_empty());
        let (equal, trying): (Vec<&Matcher>, Vec<&Matcher>) = requiring
            .into_iter()
            .partition(|matcher| matcher.kind() == MatchKind::Equal);
        let mut candidates = match equal[..] {
            [] => None,
            _ => Some(self.equal(&equal)),
        };
        for matcher in trying {
            candidates = Some(match candidates {
                Some(candidates) if self.are_few(&candidates, matcher) => {
                    self.filter(&candidates, matcher)
                }
                Some(candidates) => self.having(matcher) & candidates,
                None => self.having(matcher),
            });
        }
        let mut candidates = candidates.unwrap_or_else(|| self.read().all.clone());
        for matcher in excluding {
            if self.are_few(&candidates, matcher) {
                candidates = self.filter(&candidates, matcher);
            } else {
                candidates -= self.united(&self.pairs(matcher, false));
            }
        }
        candidates
    }

    /// The series that have all of these values.
    fn equal(&self, matchers: &[&Matcher]) -> RoaringBitmap {
        let content = self.read();
        let find = |matcher: &&Matcher| content.pairs.find(matcher.name(), matcher.value());
        let Some(pairs) = matchers.iter().map(find).collect::<Option<Vec<_>>>() else {
            return RoaringBitmap::new();
        };
        let mut sets: Vec<_> = pairs.iter().map(|pair| content.pairs.ids(*pair)).collect();
        sets.sort_by_key(|ids| ids.len());
        let mut sets = sets.iter();
        let mut candidates = sets.next().map(|ids| ids.to_bitmap()).unwrap_or_default();
        sets.for_each(|ids| ids.intersect(&mut candidates));
        candidates
    }

    /// Whether it is less work to ask each candidate than to try all values of the label.
    fn are_few(&self, candidates: &RoaringBitmap, matcher: &Matcher) -> bool {
        let count = candidates.len();
        if count <= CANDIDATES_FEW || count > CANDIDATES_MAX {
            return count <= CANDIDATES_FEW;
        }
        let content = self.read();
        let name = content.pairs.find_name(matcher.name());
        let values = name.map_or(0, |name| content.pairs.name(name).pairs.len());
        count < values
    }

    /// The series that have the label, with a value that fulfils the matcher.
    fn having(&self, matcher: &Matcher) -> RoaringBitmap {
        if is_any(matcher) {
            let content = self.read();
            let name = content.pairs.find_name(matcher.name());
            let count = name.map_or(0, |name| content.pairs.name(name).series);
            if count == content.all.len() {
                return content.all.clone();
            }
        }
        self.united(&self.pairs(matcher, true))
    }

    /// The pairs of the matcher's label whose value fulfils it, or does not.
    fn pairs(&self, matcher: &Matcher, fulfilled: bool) -> Vec<u32> {
        if let Some(values) = literals(matcher, fulfilled) {
            let content = self.read();
            let find = |value: &str| content.pairs.find(matcher.name(), value);
            let pairs = values.into_iter().filter_map(find);
            // Only living pairs are pinned.
            return pairs.filter(|pair| content.is_alive(*pair)).collect();
        }
        let mut pairs = Vec::new();
        self.each_value(matcher.name(), |pair, value| {
            if matcher.matches(value) == fulfilled {
                pairs.push(pair);
            }
        });
        pairs
    }

    /// Shows the values of a label, without holding the lock meanwhile; those of evicted series too, since a series may be
    /// evicted after it was found to fulfil another condition.
    pub(super) fn each_value(&self, name: &str, mut each: impl FnMut(u32, &str)) {
        let mut texts = String::new();
        let mut ends = Vec::with_capacity(VALUES_SLICE);
        let mut next = Some(0u32);
        while let Some(from) = next {
            texts.clear();
            ends.clear();
            let content = self.read();
            // The name's number may have changed meanwhile.
            let Some(name) = content.pairs.find_name(name) else {
                return;
            };
            next = None;
            let pairs = content.pairs.name(name).pairs.range(from..);
            for pair in pairs.take(VALUES_SLICE) {
                next = pair.checked_add(1);
                texts.push_str(content.pairs.value_of(pair));
                ends.push((pair, texts.len()));
            }
            drop(content);
            let mut start = 0;
            for (pair, end) in &ends {
                each(*pair, &texts[start..*end]);
                start = *end;
            }
        }
    }

    /// The series of any of the pairs, which must be of one name and pinned.
    fn united(&self, pairs: &[u32]) -> RoaringBitmap {
        let mut few = Vec::new();
        let mut united = RoaringBitmap::new();
        let mut left = pairs.iter();
        while left.len() > 0 {
            let content = self.read();
            let mut many: Vec<&RoaringBitmap> = Vec::new();
            let mut work = 0;
            while work < UNITED_SLICE
                && let Some(pair) = left.next()
            {
                let ids = content.pairs.ids(*pair);
                work += ids.len() + 16;
                match ids {
                    Ids::One(id) => few.push(id),
                    Ids::Few(ids) => few.extend_from_slice(ids),
                    Ids::Many(ids, _) => many.push(ids),
                    Ids::None => {}
                }
            }
            if !many.is_empty() {
                united |= many.union();
            }
        }
        few.sort_unstable();
        united | few.into_iter().collect::<RoaringBitmap>()
    }

    /// The candidates that fulfil a matcher, one by one.
    fn filter(&self, candidates: &RoaringBitmap, matcher: &Matcher) -> RoaringBitmap {
        let candidates: Vec<u32> = candidates.iter().collect();
        let absent = matcher.matches_empty();
        let mut verdicts: HashMap<u32, bool, RandomState> = HashMap::default();
        let mut kept = RoaringBitmap::new();
        let mut texts = String::new();
        let mut new: Vec<(u32, usize)> = Vec::with_capacity(SLICE);
        let mut found: Vec<(u32, Option<u32>)> = Vec::with_capacity(SLICE);
        for slice in candidates.chunks(SLICE) {
            texts.clear();
            new.clear();
            found.clear();
            let content = self.read();
            let name = content.pairs.find_name(matcher.name());
            for id in slice {
                let pair = name.and_then(|name| content.pair_with_name(*id, name));
                found.push((*id, pair));
                if let Some(pair) = pair
                    && let Entry::Vacant(verdict) = verdicts.entry(pair)
                {
                    verdict.insert(false);
                    texts.push_str(content.pairs.value_of(pair));
                    new.push((pair, texts.len()));
                }
            }
            drop(content);
            let mut start = 0;
            for (pair, end) in &new {
                verdicts.insert(*pair, matcher.matches(&texts[start..*end]));
                start = *end;
            }
            for (id, pair) in &found {
                if pair.map_or(absent, |pair| verdicts.get(&pair) == Some(&true)) {
                    kept.insert(*id);
                }
            }
        }
        kept
    }
}

impl Content {
    /// Whether any series that is not retired has a pair.
    pub(super) fn is_alive(&self, pair: u32) -> bool {
        self.retired.is_empty() || self.pairs.ids(pair).any(|id| !self.retired.contains(id))
    }
}

/// Whether any value that is not empty fulfils it, and no other does.
fn is_any(matcher: &Matcher) -> bool {
    match matcher.kind() {
        MatchKind::NotEqual => matcher.value().is_empty(),
        MatchKind::Regex => matcher.value() == ".+",
        _ => false,
    }
}

/// The values that fulfil a matcher, or do not, if it names them.
fn literals(matcher: &Matcher, fulfilled: bool) -> Option<Vec<&str>> {
    let value = matcher.value();
    match (matcher.kind(), fulfilled) {
        (MatchKind::Equal, true) | (MatchKind::NotEqual, false) => Some(vec![value]),
        (MatchKind::Regex, true) | (MatchKind::NotRegex, false) if !value.contains(SPECIAL) => {
            let mut values: Vec<&str> = value.split('|').collect();
            values.sort_unstable();
            values.dedup();
            Some(values)
        }
        // What any value fulfils takes nothing away.
        (MatchKind::Regex, false) if value == ".*" => Some(Vec::new()),
        _ => None,
    }
}
