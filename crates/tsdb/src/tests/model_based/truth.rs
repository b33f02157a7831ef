//! What may, what must and what must not be read from a store, after all that was done with it.
//!
//! A place is a series and a timestamp. Of each the values that were sent there are known, and how sure it is that one of
//! them is read: an append that failed may have left its value, one that was acknowledged has.

use std::collections::BTreeMap;

use model::{Labels, Matcher, RejectReason, Timestamp};

use super::super::Contents;
use crate::Config;

/// How sure it is that something is read, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sure {
    Maybe,
    UntilPowerFails,
    Always,
}

#[derive(Clone)]
struct Place {
    /// All that was sent and not refused.
    sent: Vec<u64>,
    /// How sure it is that one of them is read.
    any: Sure,
    /// The one of them that is read if any is, and how sure that is.
    first: Option<(u64, Sure)>,
}

#[derive(Clone)]
pub(super) struct Truth {
    /// How sure an acknowledgement makes something.
    acknowledged: Sure,
    series: BTreeMap<Labels, BTreeMap<i64, Place>>,
    /// All values that were ever sent.
    ever_sent: BTreeMap<Labels, BTreeMap<i64, Vec<u64>>>,
    /// The newest timestamp that was ever sent.
    newest: BTreeMap<Labels, i64>,
    /// What is older may be gone.
    floor: Option<i64>,
}

/// The question to which an answer was given.
pub(super) struct Question<'a> {
    pub(super) matchers: &'a [Matcher],
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Question<'_> {
    /// Everything.
    pub(super) const ALL: Self = Self {
        matchers: &[],
        start: i64::MIN,
        end: i64::MAX,
    };
}

impl Truth {
    /// What is true of a store that is empty. Whether what it acknowledges survives the loss of power at once?
    pub(super) fn new(acknowledged_is_durable: bool) -> Self {
        let acknowledged = match acknowledged_is_durable {
            true => Sure::Always,
            false => Sure::UntilPowerFails,
        };
        Self {
            acknowledged,
            series: BTreeMap::new(),
            ever_sent: BTreeMap::new(),
            newest: BTreeMap::new(),
            floor: None,
        }
    }

    /// Time has come so far that what is older than `floor` may go.
    pub(super) fn let_go_before(&mut self, floor: i64) {
        self.floor = self.floor.max(Some(floor));
    }

    /// A sample was acknowledged.
    pub(super) fn acknowledged(&mut self, labels: &Labels, timestamp: i64, bits: u64) {
        let sure = self.acknowledged;
        self.remember(labels, timestamp, bits);
        let place = self.place(labels, timestamp);
        let is_first = place.sent.is_empty();
        place.send(bits);
        place.any = place.any.max(sure);
        match &mut place.first {
            None if is_first => place.first = Some((bits, sure)),
            Some((first, known)) if *first == bits => *known = sure.max(*known),
            _ => {}
        }
    }

    /// A sample was sent, and nobody knows what has become of it.
    pub(super) fn sent(&mut self, labels: &Labels, timestamp: i64, bits: u64) {
        self.remember(labels, timestamp, bits);
        self.place(labels, timestamp).send(bits);
    }

    fn remember(&mut self, labels: &Labels, timestamp: i64, bits: u64) {
        let sent = self.ever_sent.entry(labels.clone()).or_default();
        let sent = sent.entry(timestamp).or_default();
        if !sent.contains(&bits) {
            sent.push(bits);
        }
    }

    /// A sample was refused; whether there was cause.
    pub(super) fn refused(
        &mut self,
        labels: &Labels,
        timestamp: i64,
        bits: u64,
        (reason, now, config): (&RejectReason, Timestamp, &Config),
    ) -> Result<(), String> {
        let at = Timestamp::from_millis(timestamp);
        let there = self.series.get(labels);
        let there = there.and_then(|places| places.get(&timestamp));
        let is_true = match reason {
            RejectReason::Duplicate { .. } => {
                there.is_some_and(|place| place.sent.iter().any(|sent| *sent != bits))
            }
            RejectReason::OutOfOrder { .. } => {
                let newest = self.newest.get(labels).copied().unwrap_or(i64::MIN);
                at < Timestamp::from_millis(newest) - config.out_of_order_window
            }
            RejectReason::BeyondRetention { .. } => {
                self.floor.is_some_and(|floor| timestamp < floor)
            }
            RejectReason::InFuture { .. } => at > now,
            _ => false,
        };
        match is_true {
            true => Ok(()),
            false => Err(format!(
                "{labels} at {timestamp} was refused without cause: {reason}"
            )),
        }
    }

    /// What was acknowledged was made durable.
    pub(super) fn synced(&mut self) {
        for place in self.places() {
            if place.any == Sure::UntilPowerFails {
                place.any = Sure::Always;
            }
            if let Some((_, sure @ Sure::UntilPowerFails)) = &mut place.first {
                *sure = Sure::Always;
            }
        }
    }

    /// Power failed.
    pub(super) fn lost_power(&mut self) {
        for place in self.places() {
            if place.any < Sure::Always {
                place.any = Sure::Maybe;
            }
            place.first = place.first.filter(|(_, sure)| *sure == Sure::Always);
        }
    }

    /// Samples were deleted; if that failed, they may be there or not.
    pub(super) fn deleted(&mut self, selectors: &[Vec<Matcher>], start: i64, end: i64, done: bool) {
        for (labels, places) in &mut self.series {
            if !selectors.iter().any(|matchers| matches(matchers, labels)) {
                continue;
            }
            if done {
                places.retain(|timestamp, _| !(start..=end).contains(timestamp));
            } else {
                for (_, place) in places.range_mut(start..=end) {
                    place.any = Sure::Maybe;
                }
            }
        }
    }

    /// Whether an answer is right.
    pub(super) fn check(
        &mut self,
        question: &Question<'_>,
        shown: &Contents,
    ) -> Result<(), String> {
        self.check_each(question, shown)?;
        self.settle(shown, false);
        Ok(())
    }

    /// Whether all that a newly opened store holds is right. What it has not got is gone, what it has stays.
    pub(super) fn check_opened(&mut self, shown: &Contents) -> Result<(), String> {
        self.check_each(&Question::ALL, shown)?;
        self.settle(shown, true);
        Ok(())
    }

    /// Whether nothing is read that was never sent, or was deleted, or is not the value that was sent first.
    pub(super) fn check_invented(&self, shown: &Contents) -> Result<(), String> {
        for (labels, samples) in shown {
            for (timestamp, bits) in samples {
                let place = self
                    .series
                    .get(labels)
                    .and_then(|places| places.get(timestamp));
                let Some(place) = place else {
                    return Err(format!(
                        "{labels} at {timestamp} is there ({bits:#x}) and must not"
                    ));
                };
                let is_right = match place.first {
                    Some((first, _)) => first == *bits,
                    None => place.sent.contains(bits),
                };
                if !is_right {
                    let problem = format!("{labels} at {timestamp} is {bits:#x}");
                    return Err(format!(
                        "{problem}, expected {:?} of {:x?}",
                        place.first, place.sent
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether nothing is read that was never sent there: of a damaged store, in which a later value may have come to
    /// light because the first one cannot be read, or a deleted one because the deletion cannot.
    pub(super) fn check_made_up(&self, shown: &Contents) -> Result<(), String> {
        for (labels, samples) in shown {
            for (timestamp, bits) in samples {
                let sent = self.ever_sent.get(labels);
                let sent = sent.and_then(|sent| sent.get(timestamp));
                if !sent.is_some_and(|sent| sent.contains(bits)) {
                    return Err(format!(
                        "{labels} at {timestamp} is {bits:#x}, which was never sent"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The places of a series that must have a sample.
    pub(super) fn must<'a>(
        &'a self,
        question: &'a Question<'_>,
    ) -> impl Iterator<Item = (&'a Labels, i64)> {
        let series = self.series.iter();
        let series = series.filter(|(labels, _)| matches(question.matchers, labels));
        let range = question.start..=question.end.max(question.start);
        series.flat_map(move |(labels, places)| {
            let places = places.range(range.clone());
            let sure = places.filter(|(timestamp, place)| {
                place.any > Sure::Maybe && self.floor.is_none_or(|floor| **timestamp >= floor)
            });
            sure.map(move |(timestamp, _)| (labels, *timestamp))
        })
    }

    fn check_each(&self, question: &Question<'_>, shown: &Contents) -> Result<(), String> {
        self.check_invented(shown)?;
        for (labels, samples) in shown {
            let outside = |at: &i64| !(question.start..=question.end).contains(at);
            if !matches(question.matchers, labels) || samples.keys().any(outside) {
                return Err(format!("{labels} was not asked for, or not then"));
            }
        }
        if question.start > question.end {
            return Ok(());
        }
        for (labels, timestamp) in self.must(question) {
            let there = shown
                .get(labels)
                .and_then(|samples| samples.get(&timestamp));
            if there.is_none() {
                let place = &self.series[labels][&timestamp];
                let (sent, any) = (&place.sent, place.any);
                return Err(format!(
                    "{labels} at {timestamp} is lost ({any:?}, {sent:x?})"
                ));
            }
        }
        Ok(())
    }

    /// Takes over what was seen.
    fn settle(&mut self, shown: &Contents, is_opened: bool) {
        let floor = self.floor;
        for (labels, places) in &mut self.series {
            let shown = shown.get(labels);
            places.retain(|timestamp, place| {
                let seen = shown.and_then(|samples| samples.get(timestamp));
                let Some(bits) = seen else {
                    // A file with old samples may be removed, and come back when power fails.
                    return !is_opened || floor.is_some_and(|floor| *timestamp < floor);
                };
                if is_opened {
                    place.any = place.any.max(Sure::UntilPowerFails);
                }
                if place.first.is_none() && place.any > Sure::Maybe {
                    place.first = Some((*bits, Sure::UntilPowerFails));
                }
                true
            });
        }
    }

    fn place(&mut self, labels: &Labels, timestamp: i64) -> &mut Place {
        let newest = self.newest.entry(labels.clone()).or_insert(timestamp);
        *newest = timestamp.max(*newest);
        let places = self.series.entry(labels.clone()).or_default();
        places.entry(timestamp).or_insert_with(|| Place {
            sent: Vec::new(),
            any: Sure::Maybe,
            first: None,
        })
    }

    fn places(&mut self) -> impl Iterator<Item = &mut Place> {
        self.series.values_mut().flat_map(BTreeMap::values_mut)
    }
}

impl Place {
    fn send(&mut self, bits: u64) {
        if !self.sent.contains(&bits) {
            self.sent.push(bits);
        }
    }
}

pub(super) fn matches(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers
        .iter()
        .all(|matcher| matcher.matches_labels(labels))
}
