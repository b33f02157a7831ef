//! What a monitor went through, in a few bytes for each change, so that the figures of a thousand monitors can be shown
//! from memory: shares of windows, and the bar of the last day.
//!
//! A history is a row of spans, each from its start to the start of the next. A transition that holds from before the
//! last starts takes their time over, which is the rule of [`availability()`](crate::availability()) applied as it comes.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use model::Timestamp;

use crate::{Availability, State};

/// Spans that a history has at most, 64 KiB: a monitor that changes every minute fills them in three days.
const SPANS_MAX: usize = 4_096;

/// The states of one monitor and when they began, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    spans: VecDeque<(Timestamp, State)>,
}

impl History {
    /// Takes a transition in: `to` holds from `since` on, whatever was said of that time before.
    pub fn push(&mut self, since: Timestamp, to: State) {
        while self.spans.back().is_some_and(|(start, _)| *start >= since) {
            self.spans.pop_back();
        }
        if self.spans.len() >= SPANS_MAX {
            self.spans.pop_front();
        }
        self.spans.push_back((since, to));
    }

    /// Forgets what no window that begins at `from` or later can see.
    pub fn forget_before(&mut self, from: Timestamp) {
        while self.spans.get(1).is_some_and(|(start, _)| *start <= from) {
            self.spans.pop_front();
        }
    }

    /// The parts of the window from `from` until before `until`.
    pub fn availability(&self, from: Timestamp, until: Timestamp) -> Availability {
        let mut parts = Availability::default();
        let mut end = until;
        for (start, state) in self.spans.iter().rev() {
            let start = (*start).max(from);
            if start < end {
                *parts.part(*state) += end.since(start);
                end = start;
            }
            if end <= from {
                break;
            }
        }
        parts
    }

    /// What [`Availability::ratio`] says of each of `slots` windows of the length `step`, the first of which begins at
    /// `from`; nothing after `now` is known.
    pub fn bar(
        &self,
        from: Timestamp,
        step: Duration,
        slots: usize,
        now: Timestamp,
    ) -> Vec<Option<f64>> {
        let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        let mut start = from;
        let mut bar = Vec::with_capacity(slots);
        for _ in 0..slots {
            let end = Timestamp::from_millis(start.as_millis().saturating_add(millis));
            bar.push(self.availability(start, end.min(now)).ratio());
            start = end;
        }
        bar
    }
}
