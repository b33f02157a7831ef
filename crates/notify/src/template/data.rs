//! A notification as a template sees it, by Alertmanager's names.

use alerts::{Notification, NotifiedAlert, Status};
use template::{Value, list, record, string, texts};

use super::time;
use crate::{overlap, webhook};

/// What the dot is at first.
pub(crate) fn of(notification: &Notification, external_url: &str) -> Value {
    record(
        "data",
        [
            ("Receiver", string(&*notification.group.receiver)),
            ("Status", string(overlap::status(notification))),
            ("Alerts", list(notification.alerts.iter().map(alert))),
            ("GroupLabels", pairs(&overlap::group_labels(notification))),
            ("CommonLabels", pairs(&overlap::labels(notification))),
            (
                "CommonAnnotations",
                pairs(&overlap::annotations(notification)),
            ),
            ("RouteLabels", texts([])),
            ("ExternalURL", string(external_url.trim_end_matches('/'))),
            ("NotificationReason", string(webhook::reason(notification))),
        ],
    )
}

fn alert(notified: &NotifiedAlert) -> Value {
    let alert = &notified.alert;
    let (status, ends_at) = match notified.status {
        Status::Firing => ("firing", time::never()),
        Status::Resolved => ("resolved", time::of(alert.ends_at)),
    };
    record(
        "alert",
        [
            ("Status", string(status)),
            ("Labels", texts(alert.labels.iter())),
            ("Annotations", pairs(&alert.annotations)),
            ("StartsAt", time::of(alert.starts_at)),
            ("EndsAt", ends_at),
            ("GeneratorURL", string(&*alert.generator_url)),
            ("Fingerprint", string(alert.fingerprint())),
        ],
    )
}

fn pairs(pairs: &overlap::Pairs) -> Value {
    texts(pairs.iter().map(|(name, text)| (&**name, &**text)))
}
