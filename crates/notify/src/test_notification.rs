//! A notification that nobody needs to act on, to try a receiver out.

use std::collections::BTreeMap;
use std::time::Duration;

use alerts::{GroupId, Notification, NotifiedAlert, Reason, Status};
use model::{Alert, Labels, Timestamp};

/// One firing alert that says it is a test; its number is the moment, so that two tests differ.
pub fn test_notification(receiver: &str, integration: &str, now: Timestamp) -> Notification {
    let labels = Labels::from_pairs([
        ("alertname", "CampanileTest"),
        ("receiver", receiver),
        ("severity", "info"),
    ]);
    let labels = labels.unwrap_or_else(|_| Labels::empty());
    let texts = [
        ("summary", "This is a test of Campanile's notifications."),
        ("description", "Nothing is wrong, and nobody needs to act."),
    ];
    let pair = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    let alert = Alert {
        labels: labels.clone(),
        annotations: texts.into_iter().map(pair).collect::<BTreeMap<_, _>>(),
        value: None,
        starts_at: now,
        ends_at: now + Duration::from_secs(300),
        generator_url: String::new(),
    };
    Notification {
        id: u64::try_from(now.as_millis()).unwrap_or(0),
        group: GroupId {
            receiver: receiver.to_owned(),
            integration: integration.to_owned(),
            key: "{}:{alertname=\"CampanileTest\"}".to_owned(),
        },
        group_labels: labels.filtered(|name| name == "alertname"),
        alerts: vec![NotifiedAlert {
            alert,
            status: Status::Firing,
        }],
        reason: Reason::First,
        decided_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{context, integration};

    #[test]
    fn a_test_says_that_it_is_one() {
        let notification = test_notification("a receiver \"x\"", "email[0]", Timestamp::MAX);
        let alert = &notification.alerts[0].alert;
        assert_eq!(alert.labels.get("alertname"), Some("CampanileTest"));
        assert!(alert.annotations["description"].contains("Nothing is wrong"));
        let integration = integration(
            "receivers: [{name: ops, slack_configs: [{api_url: 'http://a'}]}]",
            "slack[0]",
        );
        let message = integration.render(&notification, &context()).unwrap();
        assert!(
            format!("{message:?}").contains("[FIRING:1] CampanileTest"),
            "{message:?}"
        );
    }
}
