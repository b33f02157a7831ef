//! What the tests of this crate share: an example of a notification.

pub(crate) mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use alerts::{GroupId, Notification, NotifiedAlert, Reason, Status};
use document::{Document, Options, Source, Syntax};
use model::{Alert, Labels, Timestamp};

use crate::{Context, Integration, Message, Receivers};

/// 2026-11-21 08:47:45.331 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_250_865_331);

/// Two firing alerts.
pub(crate) fn notification() -> Notification {
    let labels = |path| {
        [
            ("alertname", "MonitorDown"),
            ("monitor", "shop"),
            ("team", "web"),
            ("path", path),
        ]
    };
    let mut first = alert(
        &labels("/a"),
        &[
            ("summary", "shop is down"),
            ("description", "connection refused"),
            ("value", "0"),
            ("runbook_url", "https://wiki.example.org/shop?a=1&b=2"),
        ],
    );
    first.alert.generator_url = "https://watch.example.org/graph?x=1".to_owned();
    Notification {
        id: 42,
        group: GroupId {
            receiver: "ops".to_owned(),
            integration: "email[0]".to_owned(),
            key: "{}:{alertname=\"MonitorDown\", monitor=\"shop\"}".to_owned(),
        },
        group_labels: Labels::from_pairs([("alertname", "MonitorDown"), ("monitor", "shop")])
            .unwrap(),
        alerts: vec![first, alert(&labels("/b"), &[])],
        reason: Reason::First,
        decided_at: NOW,
    }
}

/// A firing alert, since 12 minutes and five seconds.
pub(crate) fn alert(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> NotifiedAlert {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    NotifiedAlert {
        alert: Alert {
            labels: Labels::from_pairs(labels.iter().copied()).unwrap(),
            annotations: annotations.iter().map(pair).collect::<BTreeMap<_, _>>(),
            value: None,
            starts_at: NOW - Duration::from_secs(725),
            ends_at: NOW + Duration::from_secs(240),
            generator_url: String::new(),
        },
        status: Status::Firing,
    }
}

/// The same alert, over since five seconds.
pub(crate) fn resolved(mut alert: NotifiedAlert) -> NotifiedAlert {
    alert.status = Status::Resolved;
    alert.alert.ends_at = NOW - Duration::from_secs(5);
    alert
}

/// With an address outside.
pub(crate) fn context() -> Context {
    Context {
        external_url: "https://watch.example.org/".to_owned(),
    }
}

/// The receivers of a configuration, and what is wrong with it.
pub(crate) fn read(yaml: &str, directory: &Path) -> (Receivers, String) {
    let source = Source::new("test.yml", yaml);
    let document = Document::parse(&source, Syntax::Yaml, &Options::default()).unwrap();
    let mut section = document.section();
    let receivers = Receivers::read(&mut section, directory);
    section.finish();
    let problems = document.into_problems();
    let shown: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.path(), problem.message()))
        .collect();
    (receivers, shown.join("\n"))
}

/// What is wrong with a configuration.
pub(crate) fn problems_of(yaml: &str) -> String {
    read(yaml, Path::new("/nonexistent")).1
}

/// An integration of the receiver `ops` of a configuration without problems.
pub(crate) fn integration(yaml: &str, name: &str) -> Integration {
    let (receivers, problems) = read(yaml, Path::new("/nonexistent"));
    assert_eq!(problems, "");
    Integration::clone(receivers.get("ops", name).unwrap())
}

/// The example as a message.
pub(crate) fn render(integration: &Integration) -> Message {
    integration.render(&notification(), &context()).unwrap()
}

/// Waits for a future.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
