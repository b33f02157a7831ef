//! Labels and alerts as the JSON texts in which the journal keeps them.

use std::collections::BTreeMap;

use model::{Labels, RecordedAlert, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::text::cut;

/// All alerts of one entry, in bytes of JSON; those that come later are left out. A page of the history holds many
/// entries, and nobody reads a message that long.
const ALERTS_BYTES_MAX: usize = 256 * 1024;

/// One value of a label or an annotation, in characters.
const VALUE_CHARACTERS_MAX: usize = 4_000;

#[derive(Serialize, Deserialize)]
struct SavedAlert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

/// Labels as an object.
pub(crate) fn encode_labels(labels: &Labels) -> String {
    to_json(&texts(labels.iter()))
}

/// Alerts as an array, cut where they pass the limit.
pub(crate) fn encode_alerts(alerts: &[RecordedAlert]) -> String {
    let mut json = "[".to_owned();
    for alert in alerts {
        let annotations = alert.annotations.iter();
        let saved = to_json(&SavedAlert {
            labels: texts(alert.labels.iter()),
            annotations: texts(annotations.map(|(name, value)| (name.as_str(), value.as_str()))),
            starts_at: alert.starts_at.as_millis(),
            ended_at: alert.ended_at.map(Timestamp::as_millis),
        });
        if json.len() + saved.len() > ALERTS_BYTES_MAX {
            break;
        }
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&saved);
    }
    json.push(']');
    json
}

pub(crate) fn parse_labels(json: &str) -> Result<Labels, Fault> {
    let pairs: BTreeMap<String, String> = serde_json::from_str(json).map_err(malformed)?;
    Labels::from_pairs(pairs).map_err(malformed)
}

pub(crate) fn parse_alerts(json: &str) -> Result<Vec<RecordedAlert>, Fault> {
    let saved: Vec<SavedAlert> = serde_json::from_str(json).map_err(malformed)?;
    let mut alerts = Vec::with_capacity(saved.len());
    for alert in saved {
        alerts.push(RecordedAlert {
            labels: Labels::from_pairs(alert.labels).map_err(malformed)?,
            annotations: alert.annotations,
            starts_at: Timestamp::from_millis(alert.starts_at),
            ended_at: alert.ended_at.map(Timestamp::from_millis),
        });
    }
    Ok(alerts)
}

fn texts<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let text = |text| cut(text, VALUE_CHARACTERS_MAX);
    pairs
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: only texts, numbers and maps by text are saved")
}

fn malformed(error: impl std::fmt::Display) -> Fault {
    Fault::Damaged(format!("an entry of the journal: {error}"))
}
