//! What all alerts of a notification have in common.

use std::collections::BTreeMap;

use alerts::{Notification, NotifiedAlert, Status};

/// Names and values.
pub(crate) type Pairs = BTreeMap<String, String>;

/// The labels that all alerts have with the same value.
pub(crate) fn labels(notification: &Notification) -> Pairs {
    shared(&notification.alerts, |alert| {
        let pairs = alert.alert.labels.iter();
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    })
}

/// The annotations that all alerts have with the same value.
pub(crate) fn annotations(notification: &Notification) -> Pairs {
    shared(&notification.alerts, |alert| {
        alert.alert.annotations.clone()
    })
}

/// The labels of the group.
pub(crate) fn group_labels(notification: &Notification) -> Pairs {
    let pairs = notification.group_labels.iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether any alert fires.
pub(crate) fn is_firing(notification: &Notification) -> bool {
    let mut alerts = notification.alerts.iter();
    alerts.any(|alert| alert.status == Status::Firing)
}

/// `firing` or `resolved`, of the notification as a whole.
pub(crate) fn status(notification: &Notification) -> &'static str {
    if is_firing(notification) {
        "firing"
    } else {
        "resolved"
    }
}

fn shared(alerts: &[NotifiedAlert], pairs_of: impl Fn(&NotifiedAlert) -> Pairs) -> Pairs {
    let Some((first, others)) = alerts.split_first() else {
        return Pairs::new();
    };
    let mut shared = pairs_of(first);
    for alert in others {
        let pairs = pairs_of(alert);
        shared.retain(|name, value| pairs.get(name) == Some(value));
    }
    shared
}
