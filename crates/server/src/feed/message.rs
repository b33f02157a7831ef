//! What the server says, in JSON. An update is written once for all who asked for the same; only the id that each has
//! given it differs, and stands first.

use model::{Labels, NAME, Timestamp};

use super::topic::Topic;
use super::{AlertChange, MonitorNews};
use crate::error::ApiError;
use crate::{json, monitors};

/// A message but for its id.
#[derive(Clone, Debug)]
pub(super) struct Update {
    kind: &'static str,
    /// Fields that follow the id, each with the comma before it.
    fields: String,
}

impl Update {
    /// Samples, as they were written one after the other by [`push_sample`].
    pub(super) fn metrics(samples: &str) -> Self {
        let fields = [r#","metrics":["#, samples, "]"].concat();
        Self::new("metric_update", fields)
    }

    pub(super) fn alert(change: &AlertChange) -> Self {
        let mut fields = String::from(r#","labels":"#);
        json::push_labels(&mut fields, &change.labels);
        fields.push_str(r#","annotations":"#);
        json::push_texts(&mut fields, &change.annotations);
        fields.push_str(r#","state":""#);
        fields.push_str(change.phase.as_str());
        fields.push_str(r#"","activeAt":"#);
        json::push_moment(&mut fields, change.active_at);
        fields.push_str(r#","value":""#);
        wire::float::push_scientific(&mut fields, change.value);
        fields.push('"');
        if let Some(rule) = &change.rule {
            fields.push_str(r#","rule":"#);
            json::push_string(&mut fields, rule);
        }
        if let Some(at) = change.resolved_at {
            fields.push_str(r#","resolvedAt":"#);
            json::push_moment(&mut fields, at);
        }
        Self::new("alert", fields)
    }

    pub(super) fn monitor(news: &MonitorNews) -> Self {
        let fields = match news {
            MonitorNews::Now(status) => {
                let mut fields = String::from(r#","monitor":{"#);
                monitors::push_status(&mut fields, status);
                fields.push('}');
                fields
            }
            MonitorNews::Removed(name) => {
                let mut fields = String::from(r#","removed":"#);
                json::push_string(&mut fields, name);
                fields
            }
        };
        Self::new("monitor", fields)
    }

    /// What a query gave: `result` are the fields `"resultType":…,"result":…`.
    pub(super) fn query(text: &str, time: Timestamp, result: &str) -> Self {
        let mut fields = String::from(r#","query":"#);
        json::push_string(&mut fields, text);
        fields.push_str(r#","time":"#);
        json::push_timestamp(&mut fields, time);
        fields.push(',');
        fields.push_str(result);
        Self::new("query_update", fields)
    }

    pub(super) fn error(error: &ApiError) -> Self {
        let mut fields = String::from(",");
        push_error(&mut fields, error);
        Self::new("error", fields)
    }

    fn new(kind: &'static str, fields: String) -> Self {
        Self { kind, fields }
    }

    /// The whole message for a subscription.
    pub(super) fn with_id(&self, id: &str) -> String {
        let mut out = String::with_capacity(self.fields.len() + id.len() + 64);
        push_head(&mut out, self.kind, id);
        out.push_str(&self.fields);
        out.push_str("}}");
        out
    }
}

/// Appends what is the same of each sample of a series, up to its value.
pub(super) fn push_series(out: &mut String, series: &Labels) {
    out.push_str(r#"{"name":"#);
    json::push_string(out, series.get(NAME).unwrap_or(""));
    out.push_str(r#","labels":"#);
    json::push_pairs(out, series.iter().filter(|(name, _)| *name != NAME));
    out.push_str(r#","value":"#);
}

/// Appends what differs. A value that JSON has no number for is a text.
pub(super) fn push_sample(out: &mut String, timestamp: Timestamp, value: f64) {
    if value.is_finite() {
        wire::float::push_json(out, value);
    } else {
        out.push('"');
        wire::float::push_json(out, value);
        out.push('"');
    }
    out.push_str(r#","timestamp":"#);
    json::push_timestamp(out, timestamp);
    out.push('}');
}

pub(super) fn subscribed(id: &str, topic: &Topic) -> String {
    let mut out = String::new();
    push_head(&mut out, "subscribed", id);
    out.push(',');
    topic.push_fields(&mut out);
    out.push_str("}}");
    out
}

pub(super) fn unsubscribed(id: &str) -> String {
    let mut out = String::new();
    push_head(&mut out, "unsubscribed", id);
    out.push_str("}}");
    out
}

pub(super) fn pong() -> &'static str {
    r#"{"type":"pong"}"#
}

pub(super) fn resynchronize(dropped: u64) -> String {
    format!(r#"{{"type":"resynchronize","data":{{"dropped":{dropped}}}}}"#)
}

/// The answer to a request that is refused; with the id that it bears.
pub(super) fn error(id: Option<&str>, error: &ApiError) -> String {
    if let Some(id) = id {
        return Update::error(error).with_id(id);
    }
    let mut out = String::from(r#"{"type":"error","data":{"#);
    push_error(&mut out, error);
    out.push_str("}}");
    out
}

fn push_head(out: &mut String, kind: &str, id: &str) {
    out.push_str(r#"{"type":""#);
    out.push_str(kind);
    out.push_str(r#"","data":{"id":"#);
    json::push_string(out, id);
}

fn push_error(out: &mut String, error: &ApiError) {
    out.push_str(r#""errorType":""#);
    out.push_str(error.type_name());
    out.push_str(r#"","error":"#);
    json::push_string(out, error.message());
}
