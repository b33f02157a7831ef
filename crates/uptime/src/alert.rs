//! What a person is told of an outage: the alert `MonitorDown`, raised once and resolved once.

use std::collections::BTreeMap;

use model::{Alert, Labels, LabelsBuilder, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Monitor, millis};

/// The name of the alert of a monitor that is down.
pub const ALERT_NAME: &str = "MonitorDown";

/// A time without service, and the labels under which it was told; new labels do not change an alert that was raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Its first failure.
    #[serde(with = "millis")]
    pub started_at: Timestamp,
    /// The success after it; none while it lasts.
    #[serde(with = "millis::optional")]
    pub ended_at: Option<Timestamp>,
    /// The failure that made it one, in words.
    pub cause: String,
    /// What was checked.
    pub url: String,
    /// The labels of its alert.
    pub labels: BTreeMap<String, String>,
}

impl Outage {
    pub(crate) fn new(monitor: &Monitor, started_at: Timestamp, cause: String) -> Self {
        let mut labels = LabelsBuilder::from_labels(&monitor.series_labels());
        labels.set("alertname", ALERT_NAME);
        let labels = labels
            .build()
            .expect("invariant: a monitor's labels have been read and are short");
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            started_at,
            ended_at: None,
            cause,
            url: monitor.check.url.to_string(),
            labels: labels.iter().map(own).collect(),
        }
    }

    /// Whether it has not ended.
    pub fn lasts(&self) -> bool {
        self.ended_at.is_none()
    }

    /// The alert as it is now; while the outage lasts, it has no end.
    pub fn alert(&self) -> Alert {
        let name = self.labels.get("monitor").map_or("", String::as_str);
        let annotations = [
            ("summary", format!("{name} is down")),
            ("description", self.cause.clone()),
            ("url", self.url.clone()),
        ];
        Alert {
            // Only a memory that was changed by hand has labels that are none; its alert is told all the same.
            labels: Labels::from_pairs(&self.labels).unwrap_or_default(),
            annotations: annotations
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text))
                .collect(),
            value: None,
            starts_at: self.started_at,
            ends_at: self.ended_at.unwrap_or(Timestamp::MAX),
            generator_url: String::new(),
        }
    }
}

/// Ends the outage if it lasts, never before it began, and says whether it did.
pub(crate) fn end(outage: &mut Option<Outage>, now: Timestamp) -> bool {
    match outage {
        Some(outage) if outage.lasts() => {
            outage.ended_at = Some(now.max(outage.started_at));
            true
        }
        _ => false,
    }
}
