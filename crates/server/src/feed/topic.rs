//! What a subscription asks for; equal topics share one group, and so the work of telling them.

use std::time::Duration;

use model::{Labels, NAME};

use super::waiting::Kind;
use crate::json;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// Samples as they arrive.
    Metrics {
        name: Option<String>,
        /// Labels that a series must have, by name.
        labels: Vec<(String, String)>,
    },
    /// Alerts that change.
    Alerts,
    /// Monitors after each check.
    Monitors { name: Option<String> },
    /// What a query gives, again and again.
    Query { text: String, step: Duration },
}

impl Topic {
    /// What is published for it; none for a query, which is asked.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Metrics { .. } => Some(Kind::Samples),
            Self::Alerts => Some(Kind::Alerts),
            Self::Monitors { .. } => Some(Kind::Monitors),
            Self::Query { .. } => None,
        }
    }

    /// Whether samples of a series are asked for.
    pub(super) fn takes_series(&self, series: &Labels) -> bool {
        let Self::Metrics { name, labels } = self else {
            return false;
        };
        let has_name = name
            .as_deref()
            .is_none_or(|name| series.get(NAME) == Some(name));
        // As in PromQL, a label that is absent is one that is empty.
        let mut labels = labels.iter();
        has_name && labels.all(|(name, value)| series.get(name).unwrap_or("") == value)
    }

    /// Whether news of a monitor are asked for.
    pub(super) fn takes_monitor(&self, monitor: &str) -> bool {
        match self {
            Self::Monitors { name } => name.as_deref().is_none_or(|name| name == monitor),
            _ => false,
        }
    }

    /// Appends what was asked as fields of an object, beginning with `"subscription"`.
    pub(super) fn push_fields(&self, out: &mut String) {
        out.push_str(r#""subscription":"#);
        match self {
            Self::Metrics { name, labels } => {
                out.push_str(r#""metrics""#);
                push_name(out, name.as_deref());
                if !labels.is_empty() {
                    out.push_str(r#","labels":"#);
                    let pairs = labels.iter();
                    json::push_pairs(out, pairs.map(|(name, value)| (&**name, &**value)));
                }
            }
            Self::Alerts => out.push_str(r#""alerts""#),
            Self::Monitors { name } => {
                out.push_str(r#""monitors""#);
                push_name(out, name.as_deref());
            }
            Self::Query { text, step } => {
                out.push_str(r#""query","query":"#);
                json::push_string(out, text);
                out.push_str(r#","step":""#);
                json::push_display(out, model::duration::format(*step));
                out.push('"');
            }
        }
    }
}

fn push_name(out: &mut String, name: Option<&str>) {
    if let Some(name) = name {
        out.push_str(r#","name":"#);
        json::push_string(out, name);
    }
}
