//! Which series fulfil matchers.
//!
//! 1. A matcher that no absent label fulfils is answered by the postings of the values that fulfil it; the equalities
//!    first, the rarest of them first, then those that touch the fewest pages of values.
//! 2. A matcher that an absent label fulfils takes away the postings of the values that do not fulfil it.
//! 3. Once the candidates' labels lie in fewer pages than the values that would be gone through, the labels are compared.

use model::{Labels, MatchKind, Matcher, packed_pairs};
use roaring::RoaringBitmap;

use super::file::{PageReader, Section};
use super::postings::{Gathered, OwnedPosting, Posting};
use super::values::Go;
use super::{Block, BlockError};

/// A matcher, and what answering it by postings would cost.
struct Condition<'m> {
    matcher: &'m Matcher,
    /// Whether the postings of the values that do not fulfil it are taken away.
    excludes: bool,
    plan: Plan,
    /// How many series have the value of an equality.
    series: u64,
    /// Pages of values.
    pages: usize,
}

/// Which values' postings are needed.
enum Plan {
    /// These, of each of which the posting is known.
    Postings(Vec<OwnedPosting>),
    /// Of all values that begin so those that fulfil the matcher, or if it excludes, those that do not.
    Scan(String),
}

impl Block {
    /// The ordinal of the series with exactly these packed labels.
    pub(crate) fn find(&self, packed: &str) -> Result<Option<u32>, BlockError> {
        let Ok(labels) = Labels::from_packed(packed.as_bytes()) else {
            return Ok(None);
        };
        let equal = labels
            .iter()
            .map(|(name, value)| Matcher::equal(name, value));
        let candidates = self.select(&equal.collect::<Vec<_>>())?;
        let mut found = None;
        self.labels(&candidates, &mut |ordinal, candidate| {
            if candidate == packed {
                found = Some(ordinal);
            }
        })?;
        Ok(found)
    }

    /// The ordinals of the series that fulfil all matchers; of all series if there are none.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Result<RoaringBitmap, BlockError> {
        let mut pages = PageReader::new(self);
        let mut conditions = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            conditions.push(self.condition(&mut pages, matcher)?);
        }
        let scanned = |condition: &Condition<'_>| matches!(condition.plan, Plan::Scan(_));
        conditions.sort_by_key(|condition| {
            (
                condition.excludes,
                scanned(condition),
                condition.series,
                condition.pages,
            )
        });
        let mut candidates: Option<RoaringBitmap> = None;
        for condition in &conditions {
            if let Some(candidates) = &mut candidates {
                if candidates.is_empty() {
                    break;
                }
                if condition.pages > 0 && self.label_pages(candidates, condition.pages) {
                    *candidates = self.filter(candidates, condition.matcher)?;
                    continue;
                }
            }
            let found = self.evaluate(&mut pages, condition)?;
            candidates = Some(match (candidates, condition.excludes) {
                (None, false) => found,
                (None, true) => self.everything() - found,
                (Some(candidates), false) => candidates & found,
                (Some(candidates), true) => candidates - found,
            });
        }
        Ok(candidates.unwrap_or_else(|| self.everything()))
    }

    pub(super) fn everything(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.meta.series as u32);
        all
    }

    fn condition<'m>(
        &self,
        pages: &mut PageReader<'_>,
        matcher: &'m Matcher,
    ) -> Result<Condition<'m>, BlockError> {
        let excludes = matcher.matches_empty();
        let name = matcher.name();
        let negative = matches!(matcher.kind(), MatchKind::NotEqual | MatchKind::NotRegex);
        let is_regex = matches!(matcher.kind(), MatchKind::Regex | MatchKind::NotRegex);
        // Postings of these values are added, or taken away.
        let listed = match (matcher.alternatives(), negative == excludes) {
            // Every value fulfils it, or none.
            _ if is_regex && matcher.value() == ".*" => Some(Vec::new()),
            _ if is_regex && matcher.value() == ".+" => Some(vec![String::new()]),
            // Without the label at all, or with it.
            (Some(values), _) if values.iter().all(String::is_empty) => Some(vec![String::new()]),
            // Those named are asked for, or ruled out; "" among them says nothing about values.
            (Some(values), true) => Some(values),
            _ => None,
        };
        let mut condition = Condition {
            matcher,
            excludes,
            plan: Plan::Postings(Vec::new()),
            series: 0,
            pages: 0,
        };
        let Some(mut listed) = listed else {
            let prefix = match negative || excludes {
                true => String::new(),
                false => matcher.prefix(),
            };
            condition.pages = self.values_pages(name, &prefix);
            condition.plan = Plan::Scan(prefix);
            return Ok(condition);
        };
        let mut postings = Vec::new();
        let wants_presence = listed.iter().all(String::is_empty);
        listed.sort();
        listed.dedup();
        for value in listed {
            if value.is_empty() && !wants_presence {
                continue;
            }
            self.values_from(pages, name, &value, &mut |_, found_name, found, posting| {
                if (found_name, found) == (name, value.as_str()) {
                    condition.series += posting.len();
                    postings.push(posting.into_owned());
                }
                Ok(Go::Break(()))
            })?;
        }
        condition.plan = Plan::Postings(postings);
        Ok(condition)
    }

    fn evaluate(
        &self,
        pages: &mut PageReader<'_>,
        condition: &Condition<'_>,
    ) -> Result<RoaringBitmap, BlockError> {
        let mut gathered = Gathered::default();
        match &condition.plan {
            Plan::Postings(postings) => {
                for posting in postings {
                    gathered.add_owned(pages, posting)?;
                }
            }
            Plan::Scan(prefix) => {
                let matcher = condition.matcher;
                let name = matcher.name();
                let mut each = |pages: &mut PageReader<'_>,
                                found_name: &str,
                                value: &str,
                                posting: Posting<'_>| {
                    if found_name != name || !value.starts_with(prefix.as_str()) {
                        return Ok(Go::Break(()));
                    }
                    if !value.is_empty() && matcher.matches(value) != condition.excludes {
                        gathered.add(pages, posting)?;
                    }
                    Ok(Go::Continue(()))
                };
                self.values_from(pages, name, prefix, &mut each)?;
            }
        }
        Ok(gathered.into_bitmap())
    }

    /// Whether the labels of the candidates lie in no more than so many pages.
    fn label_pages(&self, candidates: &RoaringBitmap, most: usize) -> bool {
        let table = self.table(Section::Labels);
        let mut ordinals = candidates.iter();
        let mut pages = 0;
        while let Some(page) = ordinals.next().and_then(|ordinal| table.page_of(ordinal)) {
            pages += 1;
            if pages > most {
                return false;
            }
            ordinals.advance_to(table.items_of(page).end);
        }
        true
    }

    fn filter(
        &self,
        candidates: &RoaringBitmap,
        matcher: &Matcher,
    ) -> Result<RoaringBitmap, BlockError> {
        let mut kept = RoaringBitmap::new();
        self.labels(candidates, &mut |ordinal, packed| {
            let mut pairs = packed_pairs(packed);
            let value = pairs.find(|(name, _)| *name == matcher.name());
            if matcher.matches(value.map_or("", |(_, value)| value)) {
                kept.insert(ordinal);
            }
        })?;
        Ok(kept)
    }
}
