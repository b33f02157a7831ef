//! The state of one monitor, and how a result changes it.
//!
//! A success is UP. A failure is PENDING until `retries` + 1 of them stand in a row, then DOWN. Own trouble is UNKNOWN and
//! breaks the row: what is seen through a broken glass is no failure of the target. An outage lasts from the first
//! failure of its row to the next success, through any UNKNOWN between; after that, one failure is DOWN again.

use std::fmt;
use std::sync::Arc;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Monitor, Outage, alert, millis};

/// A cause is shown in messages and kept with each transition, so it is cut.
const CAUSE_CHARACTERS_MAX: usize = 500;

/// How it stands with a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not checked yet, or failing while there are retries left.
    Pending,
    /// Its last check was well.
    Up,
    /// An outage.
    Down,
    /// We cannot tell, since the trouble is our own.
    Unknown,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Success,
    /// The target is at fault, and how.
    Failure(String),
    /// We are at fault: no DNS server answers, no route, no descriptors; and how.
    OwnTrouble(String),
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Whose.
    pub monitor: Arc<str>,
    /// From 1, without gaps, for each monitor.
    pub number: u64,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// When it was found.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// Since when the new state holds. Once the retries have told what a failure was, this is before `at`: DOWN holds
    /// since the first failure, and UP since before it if nothing came of it.
    #[serde(with = "millis")]
    pub since: Timestamp,
    /// Why, in words.
    pub cause: String,
}

/// What is known of a monitor and must survive a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Whose.
    pub monitor: Arc<str>,
    /// The state now.
    pub state: State,
    /// Since when it holds.
    #[serde(with = "millis")]
    pub since: Timestamp,
    /// The number of the last transition; 0 before the first.
    pub number: u64,
    /// Failures in a row.
    pub failures: u32,
    /// When the first of them was.
    #[serde(with = "millis::optional")]
    pub failing_since: Option<Timestamp>,
    /// While PENDING after UP: since when it had been up.
    #[serde(with = "millis::optional")]
    pub up_since: Option<Timestamp>,
    /// The last outage, which may still last.
    pub outage: Option<Outage>,
    /// The last slot of the schedule that was begun.
    #[serde(with = "millis::optional")]
    pub slot: Option<Timestamp>,
}

/// What a result has changed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Change {
    pub(crate) transition: Option<Transition>,
    pub(crate) raised: bool,
    pub(crate) resolved: bool,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pending => "PENDING",
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Unknown => "UNKNOWN",
        })
    }
}

impl State {
    /// The state with this name, as it is displayed.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut states = [Self::Pending, Self::Up, Self::Down, Self::Unknown].into_iter();
        states.find(|state| state.to_string() == name)
    }
}

impl Memory {
    /// A monitor that has not been checked.
    pub(crate) fn new(monitor: Arc<str>, now: Timestamp) -> Self {
        Self {
            monitor,
            state: State::Pending,
            since: now,
            number: 0,
            failures: 0,
            failing_since: None,
            up_since: None,
            outage: None,
            slot: None,
        }
    }

    /// Takes in how a check of the monitor ended.
    pub(crate) fn apply(&mut self, monitor: &Monitor, outcome: Outcome, now: Timestamp) -> Change {
        match outcome {
            Outcome::Success => self.succeed(now),
            Outcome::Failure(cause) => self.fail(monitor, cut(cause), now),
            Outcome::OwnTrouble(cause) => {
                self.forget_failures();
                let transition = self.change(State::Unknown, now, now, cut(cause));
                Change {
                    transition,
                    ..Change::default()
                }
            }
        }
    }

    fn succeed(&mut self, now: Timestamp) -> Change {
        self.forget_failures();
        let resolved = alert::end(&mut self.outage, now);
        let since = self.up_since.unwrap_or(now);
        Change {
            transition: self.change(State::Up, now, since, "the check succeeded".to_owned()),
            raised: false,
            resolved,
        }
    }

    fn fail(&mut self, monitor: &Monitor, cause: String, now: Timestamp) -> Change {
        self.failures = self.failures.saturating_add(1);
        let failing_since = *self.failing_since.get_or_insert(now);
        let lasts = self.outage.as_ref().is_some_and(Outage::lasts);
        let is_outage = lasts || self.failures > monitor.retries;
        if !is_outage {
            let up_since = (self.state == State::Up).then_some(self.since);
            let transition = self.change(State::Pending, now, now, cause);
            if transition.is_some() {
                self.up_since = up_since;
            }
            return Change {
                transition,
                ..Change::default()
            };
        }
        let transition = self.change(State::Down, now, failing_since, cause.clone());
        if !lasts {
            self.outage = Some(Outage::new(monitor, failing_since, cause));
        }
        Change {
            transition,
            raised: !lasts,
            resolved: false,
        }
    }

    fn forget_failures(&mut self) {
        self.failures = 0;
        self.failing_since = None;
    }

    /// The transition into a state, unless it is the present one.
    fn change(
        &mut self,
        to: State,
        at: Timestamp,
        since: Timestamp,
        cause: String,
    ) -> Option<Transition> {
        if self.state == to {
            return None;
        }
        let from = std::mem::replace(&mut self.state, to);
        self.number += 1;
        self.since = since;
        self.up_since = None;
        Some(Transition {
            monitor: Arc::clone(&self.monitor),
            number: self.number,
            from,
            to,
            at,
            since,
            cause,
        })
    }
}

fn cut(mut cause: String) -> String {
    if let Some((end, _)) = cause.char_indices().nth(CAUSE_CHARACTERS_MAX) {
        cause.truncate(end);
        cause.push('…');
    }
    cause
}
