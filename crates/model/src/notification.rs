//! What was told to whom: an entry of the notification journal, as it is kept, listed and answered.

use std::collections::BTreeMap;

use crate::{Labels, Timestamp};

/// One notification and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationRecord {
    /// Its number; a later one is greater.
    pub id: u64,
    /// The receiver's name in the configuration.
    pub receiver: String,
    /// The receiver's integration, such as `email[0]`.
    pub integration: String,
    /// Where it goes, for people and without secrets, such as `ops@example.org`.
    pub target: String,
    /// The group's identity, as Alertmanager writes `groupKey`.
    pub group_key: String,
    /// The labels that the group's alerts have in common.
    pub group_labels: Labels,
    /// Why it was sent: `first`, `new_alerts`, `resolved`, `repeat`, or `test`.
    pub reason: String,
    /// What it tells of, the firing ones first.
    pub alerts: Vec<RecordedAlert>,
    /// When it was decided, which is before it was sent.
    pub decided_at: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Of a message in several parts, how many have arrived.
    pub parts_delivered: u32,
    /// Why the last attempt failed; empty if none did.
    pub error: String,
    /// When its outcome was known.
    pub finished_at: Option<Timestamp>,
}

/// An alert as it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedAlert {
    /// Its identity.
    pub labels: Labels,
    /// What people were told about it.
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires or fired.
    pub starts_at: Timestamp,
    /// When it ended; none if it was told as firing.
    pub ended_at: Option<Timestamp>,
}

/// How far the delivery of a notification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It is to be sent, or sent again.
    Pending,
    /// The receiver has it.
    Delivered,
    /// It was given up.
    Failed,
}

impl NotificationRecord {
    /// Whether any of its alerts was told as firing.
    pub fn is_firing(&self) -> bool {
        self.alerts.iter().any(|alert| alert.ended_at.is_none())
    }
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// The state's name in the journal, in answers and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// Which entries of the journal are wanted; the newest come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationQuery {
    /// Only those with a smaller number, to page on.
    pub before: Option<u64>,
    /// Only those to this receiver.
    pub receiver: Option<String>,
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// How many at most.
    pub limit: u32,
}
