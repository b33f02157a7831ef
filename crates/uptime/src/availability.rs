//! How much of a window a monitor was up, down or unknown, from its transitions; exact to the millisecond.
//!
//! Transitions are walked from the last to the first: each gives its state the time from its `since` on that no later one
//! has taken. So what retries or a clock that was set back say later overrules what was said first, and nothing counts twice.

#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use model::Timestamp;

use crate::{State, Transition};

/// The parts of a window, in whole milliseconds; what is missing to the window's length was before the first transition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// Time UP.
    pub up: Duration,
    /// Time DOWN.
    pub down: Duration,
    /// Time UNKNOWN, which is never downtime.
    pub unknown: Duration,
    /// Time PENDING of which nobody has learned what it was.
    pub pending: Duration,
}

impl Availability {
    /// The share of time up among that of which we know, from 0 to 1; none if we know of no time.
    pub fn ratio(&self) -> Option<f64> {
        let known = self.up + self.down;
        (!known.is_zero()).then(|| self.up.as_secs_f64() / known.as_secs_f64())
    }

    /// Time in this state.
    pub(crate) fn part(&mut self, state: State) -> &mut Duration {
        match state {
            State::Up => &mut self.up,
            State::Down => &mut self.down,
            State::Unknown => &mut self.unknown,
            State::Pending => &mut self.pending,
        }
    }
}

/// The parts of the window from `from` until before `until`, of all transitions of one monitor by rising number; the first
/// one that is given may be the last before the window.
pub fn availability(transitions: &[Transition], from: Timestamp, until: Timestamp) -> Availability {
    let mut parts = Availability::default();
    let mut end = until;
    for transition in transitions.iter().rev() {
        let start = transition.since.max(from);
        if start >= end {
            continue;
        }
        *parts.part(transition.to) += end.since(start);
        end = start;
    }
    parts
}
