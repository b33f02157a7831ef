//! A notification as the journal keeps it.

use alerts::{Notification, Outcome, Reason, Status};
use model::{DeliveryState, NotificationRecord, RecordedAlert};

/// The entry of a notification that is to be sent to `target`.
pub(crate) fn record(notification: &Notification, target: String) -> NotificationRecord {
    let alerts = notification.alerts.iter().map(|told| RecordedAlert {
        labels: told.alert.labels.clone(),
        annotations: told.alert.annotations.clone(),
        starts_at: told.alert.starts_at,
        ended_at: (told.status == Status::Resolved).then_some(told.alert.ends_at),
    });
    NotificationRecord {
        id: notification.id,
        receiver: notification.group.receiver.clone(),
        integration: notification.group.integration.clone(),
        target,
        group_key: notification.group.key.clone(),
        group_labels: notification.group_labels.clone(),
        reason: reason(notification.reason).to_owned(),
        alerts: alerts.collect(),
        decided_at: notification.decided_at,
        state: DeliveryState::Pending,
        attempts: 0,
        parts_delivered: 0,
        error: String::new(),
        finished_at: None,
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "first",
        Reason::NewAlerts => "new_alerts",
        Reason::Resolved => "resolved",
        Reason::Repeat => "repeat",
    }
}

/// The state of a notification whose outcome is known.
pub(crate) fn state(outcome: Outcome) -> DeliveryState {
    match outcome {
        Outcome::Delivered => DeliveryState::Delivered,
        Outcome::Failed | Outcome::GaveUp => DeliveryState::Failed,
    }
}
