//! What goes into the state machine and what comes out of it.

use model::{Alert, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{GroupId, Routing};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// An alert is raised, raised again, or over (`ends_at` is not after now).
    Alert(Alert),
    /// Time has passed: what became due is carried out.
    Tick,
    /// What became of a notification.
    Sent {
        /// [`Notification::group`].
        group: GroupId,
        /// [`Notification::id`].
        id: u64,
        /// How it went.
        outcome: Outcome,
    },
    /// Routes, receivers or cooldowns are others from now on.
    Reconfigured(Routing),
}

/// How the sending of a notification went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It went wrong, and whoever sends it will try the same notification again.
    Failed,
    /// It will not be tried again; what it said counts as untold and comes with the group's next notification.
    GaveUp,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Tell a receiver.
    Notify(Notification),
    /// Tell the operator: an alert was refused since as many as `limit` are known already.
    Refused {
        /// The alert's labels.
        labels: Labels,
        /// How many alerts may be known at a time.
        limit: usize,
    },
}

/// One message to one receiver about one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its number, never given twice in the life of a state, restarts included.
    pub id: u64,
    /// The group, and in it the receiver.
    pub group: GroupId,
    /// The labels that the group's alerts have in common by `group_by`.
    pub group_labels: Labels,
    /// The firing ones first, then those that ended and whose end was not told yet; each sorted by labels.
    pub alerts: Vec<NotifiedAlert>,
    /// Why it is sent now.
    pub reason: Reason,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// An alert as it was when a notification was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct NotifiedAlert {
    /// The alert.
    pub alert: Alert,
    /// Whether it fires.
    pub status: Status,
}

/// Whether an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

/// Why a notification is sent; of several reasons the first in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The group is told for the first time.
    First,
    /// Alerts fire that were not told yet.
    NewAlerts,
    /// Alerts that were told are over.
    Resolved,
    /// Nothing changed, but `repeat_interval` has passed.
    Repeat,
}
