//! Posts Alertmanager's webhook document, version 4, to an address.

use std::collections::BTreeMap;
use std::time::Duration;

use alerts::{Notification, NotifiedAlert, Reason, Status};
use document::Value;
use model::Labels;
use serde_json::{Value as Json, json};

use crate::endpoint::Endpoint;
use crate::error::SendError;
use crate::http::{self, Http};
use crate::integration::Context;
use crate::message::{Message, Part};
use crate::receivers::Reader;
use crate::{identity, moment, overlap, secret};

/// An entry of `webhook_configs`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Webhook {
    endpoint: Endpoint,
    http: Http,
    timeout: Duration,
    /// How many alerts are sent at most; 0 is no limit.
    max_alerts: usize,
}

impl Webhook {
    /// Reads an entry; notes what is wrong.
    pub(crate) fn read(value: Value<'_>, reader: &Reader<'_>) -> Option<Self> {
        let mut section = value.clone().section()?;
        section.unsupported(["payload"]);
        let _ = section.value("send_resolved").and_then(Value::boolean);
        let url = secret::read(&mut section, "url", "url_file", reader.directory);
        let has_url = url.is_some() || section.value("url_file").is_some();
        let endpoint = url.and_then(|written| Endpoint::read(&written));
        let timeout = timeout(section.value("timeout"));
        let max_alerts = section.value("max_alerts");
        let max_alerts = max_alerts.and_then(|value| value.integer(0..=i64::from(u32::MAX)));
        let http = http_of(section.value("http_config"), reader);
        section.finish();
        if !has_url {
            value.refuse("a webhook needs url or url_file");
        }
        Some(Self {
            endpoint: endpoint?,
            http,
            timeout,
            max_alerts: usize::try_from(max_alerts.unwrap_or(0)).unwrap_or(0),
        })
    }

    pub(crate) fn target(&self) -> String {
        self.endpoint.shown()
    }

    pub(crate) fn render(&self, notification: &Notification, context: &Context) -> Message {
        let body = document(notification, context, self.max_alerts);
        let key = identity::of_notification(notification, &context.external_url);
        let body = body.to_string().into_bytes();
        Message::new(vec![Part::Json { body, key }])
    }

    /// Any status of success is one, whatever the body says.
    pub(crate) async fn send(&self, part: &Part) -> Result<(), SendError> {
        let Part::Json { body, key } = part else {
            return Err(SendError::permanent("this is no message of a webhook"));
        };
        let request = http::Request {
            endpoint: &self.endpoint,
            body,
            headers: vec![("idempotency-key", key)],
            timeout: self.timeout,
            secrets: Vec::new(),
        };
        let answer = self.http.post(&request).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.http.refusal(&request, &answer))
    }
}

/// A `timeout` of an entry; absent or 0, the usual one.
pub(crate) fn timeout(value: Option<Value<'_>>) -> Duration {
    // Whoever waits longer than this holds up everything behind it.
    const LONGEST: Duration = Duration::from_secs(3600);
    let timeout = value.and_then(|value| value.duration_within(Duration::ZERO..=LONGEST));
    timeout
        .filter(|timeout| !timeout.is_zero())
        .unwrap_or(http::TIMEOUT)
}

/// An entry's own `http_config`, else that of `global`.
pub(crate) fn http_of(value: Option<Value<'_>>, reader: &Reader<'_>) -> Http {
    value
        .and_then(|value| Http::read(value, reader.directory))
        .unwrap_or_else(|| reader.global.http.clone())
}

/// The document, of at most so many alerts (0 is no limit).
fn document(notification: &Notification, context: &Context, max_alerts: usize) -> Json {
    let all = &notification.alerts;
    let sent = match max_alerts {
        0 => all.len(),
        most => most.min(all.len()),
    };
    let alerts: Vec<Json> = all[..sent].iter().map(alert).collect();
    json!({
        "version": "4",
        "groupKey": notification.group.key,
        "truncatedAlerts": all.len() - sent,
        "status": overlap::status(notification),
        "receiver": notification.group.receiver,
        "groupLabels": overlap::group_labels(notification),
        "commonLabels": overlap::labels(notification),
        "commonAnnotations": overlap::annotations(notification),
        "externalURL": context.external_url.trim_end_matches('/'),
        "notification_reason": reason(notification),
        "alerts": alerts,
    })
}

fn alert(notified: &NotifiedAlert) -> Json {
    let alert = &notified.alert;
    let (status, ends_at) = match notified.status {
        Status::Firing => ("firing", moment::NEVER.to_owned()),
        Status::Resolved => ("resolved", moment::rfc3339(alert.ends_at)),
    };
    json!({
        "status": status,
        "labels": pairs(&alert.labels),
        "annotations": alert.annotations,
        "startsAt": moment::rfc3339(alert.starts_at),
        "endsAt": ends_at,
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint(),
    })
}

fn pairs(labels: &Labels) -> BTreeMap<&str, &str> {
    labels.iter().collect()
}

/// Why it is sent, in Alertmanager's words.
pub(crate) fn reason(notification: &Notification) -> &'static str {
    match notification.reason {
        Reason::First => "first notification",
        Reason::NewAlerts => "new alerts added",
        Reason::Resolved if overlap::is_firing(notification) => "some alerts resolved",
        Reason::Resolved => "all alerts resolved",
        Reason::Repeat => "repeat interval elapsed",
    }
}

#[cfg(test)]
mod tests;
