//! Which series have which labels, for those who ask.
//!
//! For each value of each label there is the set of series that have it. Conditions that no absent label fulfils are
//! answered by those sets, the smallest first; the others then take away.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Labels, MatchKind, Matcher};
use roaring::RoaringBitmap;

use crate::series::Series;

/// So few candidates are compared one by one rather than by the sets of all values.
const CANDIDATES_FEW: u64 = 64;

/// The series by number, and the numbers by label and value.
#[derive(Default)]
pub(crate) struct Index {
    series: Vec<Option<Arc<Series>>>,
    all: RoaringBitmap,
    labels: HashMap<Box<str>, BTreeMap<Box<str>, RoaringBitmap>>,
}

impl Index {
    /// Adds a series under a number that is free.
    pub(crate) fn insert(&mut self, id: u32, series: Arc<Series>) {
        for (name, value) in series.labels.iter() {
            if !self.labels.contains_key(name) {
                self.labels.insert(name.into(), BTreeMap::new());
            }
            let values = self.labels.get_mut(name).expect("invariant: just inserted");
            match values.get_mut(value) {
                Some(ids) => _ = ids.insert(id),
                None => _ = values.insert(value.into(), RoaringBitmap::from_iter([id])),
            }
        }
        self.all.insert(id);
        let at = id as usize;
        if self.series.len() <= at {
            self.series.resize(at + 1, None);
        }
        self.series[at] = Some(series);
    }

    /// Removes a series.
    pub(crate) fn remove(&mut self, id: u32) {
        let Some(series) = self.series.get_mut(id as usize).and_then(Option::take) else {
            return;
        };
        self.all.remove(id);
        for (name, value) in series.labels.iter() {
            let Some(values) = self.labels.get_mut(name) else {
                continue;
            };
            if let Some(ids) = values.get_mut(value) {
                ids.remove(id);
                if ids.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.labels.remove(name);
            }
        }
    }

    /// The series that fulfil all matchers, in no particular order.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<Arc<Series>> {
        let ids = self.matching(matchers);
        let series = ids.iter().filter_map(|id| self.series[id as usize].clone());
        series.collect()
    }

    /// The series that fulfil all matchers of any of the selectors; without selectors all.
    pub(crate) fn select_any(&self, selectors: &[Vec<Matcher>]) -> Vec<Arc<Series>> {
        let mut ids = RoaringBitmap::new();
        if selectors.is_empty() {
            ids.clone_from(&self.all);
        }
        for matchers in selectors {
            ids |= self.matching(matchers);
        }
        let series = ids.iter().filter_map(|id| self.series[id as usize].clone());
        series.collect()
    }

    /// The values of a label that any series for which `visible` holds has, sorted; at most `limit`. Most often the
    /// first series of a value decides, so that few are looked at.
    pub(crate) fn values(
        &self,
        name: &str,
        limit: usize,
        visible: impl Fn(&Series) -> bool,
    ) -> Vec<String> {
        let visible = |id: u32| self.series[id as usize].as_deref().is_some_and(&visible);
        let values = self.labels.get(name).into_iter().flatten();
        let seen = values.filter(|(_, ids)| ids.iter().any(visible));
        seen.take(limit)
            .map(|(value, _)| value.to_string())
            .collect()
    }

    fn matching(&self, matchers: &[Matcher]) -> RoaringBitmap {
        let (excluding, mut requiring): (Vec<_>, Vec<_>) =
            matchers.iter().partition(|matcher| matcher.matches_empty());
        requiring.sort_by_key(|matcher| match matcher.kind() {
            MatchKind::Equal => (0, self.equal(matcher).map_or(0, RoaringBitmap::len)),
            _ => (1, 0),
        });
        let mut candidates: Option<RoaringBitmap> = None;
        for matcher in requiring {
            candidates = Some(match candidates {
                None => self.having(matcher),
                Some(candidates) if candidates.is_empty() => return candidates,
                Some(candidates) if candidates.len() <= CANDIDATES_FEW => {
                    self.filter(&candidates, matcher)
                }
                Some(mut candidates) => {
                    match self.equal(matcher) {
                        Some(ids) => candidates &= ids,
                        None => candidates &= self.having(matcher),
                    }
                    candidates
                }
            });
        }
        let mut candidates = candidates.unwrap_or_else(|| self.all.clone());
        for matcher in excluding {
            if candidates.len() <= CANDIDATES_FEW {
                candidates = self.filter(&candidates, matcher);
                continue;
            }
            for (value, ids) in self.labels.get(matcher.name()).into_iter().flatten() {
                if !matcher.matches(value) {
                    candidates -= ids;
                }
            }
        }
        candidates
    }

    /// The series whose label has exactly the value; none if there are none, or if the matcher asks otherwise.
    fn equal(&self, matcher: &Matcher) -> Option<&RoaringBitmap> {
        let values = self.labels.get(matcher.name())?;
        (matcher.kind() == MatchKind::Equal).then(|| values.get(matcher.value()))?
    }

    /// The series that have the label, with a value that fulfils the matcher.
    fn having(&self, matcher: &Matcher) -> RoaringBitmap {
        if matcher.kind() == MatchKind::Equal {
            return self.equal(matcher).cloned().unwrap_or_default();
        }
        let mut union = RoaringBitmap::new();
        for (value, ids) in self.labels.get(matcher.name()).into_iter().flatten() {
            if matcher.matches(value) {
                union |= ids;
            }
        }
        union
    }

    fn filter(&self, candidates: &RoaringBitmap, matcher: &Matcher) -> RoaringBitmap {
        let labels = |id: u32| {
            self.series[id as usize]
                .as_ref()
                .map(|series| &series.labels)
        };
        let fulfils = |labels: &Labels| matcher.matches_labels(labels);
        candidates
            .iter()
            .filter(|id| labels(*id).is_some_and(fulfils))
            .collect()
    }
}

#[cfg(test)]
mod tests;
