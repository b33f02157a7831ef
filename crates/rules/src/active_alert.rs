//! One alert of a rule and its way: pending, firing, on for a while after its series has gone, inactive.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

/// How long an alert is kept after it ended, so that whoever missed the news of it hears it again.
const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// How far an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// It is over, or there is none.
    #[default]
    Inactive,
    /// Its series is there, but not for long enough.
    Pending,
    /// It fires.
    Firing,
}

impl AlertState {
    /// The word that `ALERTS` and the API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// An alert that a rule knows; its labels are its identity within the rule.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveAlert {
    /// The series' labels without name, those of the rule, `alertname`.
    pub labels: Labels,
    /// What a person should know, as of the last evaluation that gave its series.
    pub annotations: BTreeMap<String, String>,
    /// How far it is.
    pub state: AlertState,
    /// The last value of its series.
    pub value: f64,
    /// Since when its series is there.
    pub active_at: Timestamp,
    /// Since when it fires, or fired.
    pub fired_at: Option<Timestamp>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// Since when it fires only because of `keep_firing_for`.
    pub keep_firing_since: Option<Timestamp>,
    /// When it was given out last.
    pub sent_at: Option<Timestamp>,
}

impl ActiveAlert {
    /// One whose series has just appeared.
    pub(crate) fn new(
        labels: Labels,
        annotations: BTreeMap<String, String>,
        value: f64,
        at: Timestamp,
    ) -> Self {
        Self {
            labels,
            annotations,
            state: AlertState::Pending,
            value,
            active_at: at,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
            sent_at: None,
        }
    }

    /// Moves on by one evaluation, in which the series was there or not; false if the alert may be forgotten.
    pub(crate) fn apply(
        &mut self,
        present: bool,
        hold: Duration,
        keep_firing_for: Duration,
        at: Timestamp,
    ) -> bool {
        // A clock that was set back must not make it young again, nor let it fire on for as long as it was set.
        self.active_at = self.active_at.min(at);
        self.keep_firing_since = self.keep_firing_since.map(|since| since.min(at));
        if present {
            self.keep_firing_since = None;
        } else if !self.keeps_firing(keep_firing_for, at) {
            return self.end(at);
        }
        if self.state == AlertState::Pending && at.since(self.active_at) >= hold {
            self.state = AlertState::Firing;
            self.fired_at = Some(at);
        }
        true
    }

    /// Whether it has to be given out now: news, or what was said is getting old.
    pub(crate) fn is_due(&self, resend_delay: Duration, at: Timestamp) -> bool {
        if self.state == AlertState::Pending {
            return false;
        }
        let Some(sent_at) = self.sent_at else {
            return true;
        };
        self.resolved_at
            .is_some_and(|resolved_at| resolved_at > sent_at)
            || sent_at + resend_delay < at
            // The clock was set back: nobody knows how long what was said still holds.
            || sent_at > at
    }

    fn keeps_firing(&mut self, keep_firing_for: Duration, at: Timestamp) -> bool {
        if self.state != AlertState::Firing || keep_firing_for.is_zero() {
            return false;
        }
        let since = *self.keep_firing_since.get_or_insert(at);
        at.since(since) < keep_firing_for
    }

    fn end(&mut self, at: Timestamp) -> bool {
        match self.state {
            AlertState::Pending => false,
            AlertState::Firing => {
                self.state = AlertState::Inactive;
                self.resolved_at = Some(at);
                true
            }
            AlertState::Inactive => self
                .resolved_at
                .is_some_and(|resolved_at| at.since(resolved_at) <= RESOLVED_RETENTION),
        }
    }
}
