//! What a default message says, before any markup.

use alerts::{Notification, NotifiedAlert, Status};
use model::Timestamp;

use crate::{escape, moment, overlap};

/// How many alerts of a kind are listed; who has more reads a page, not a message.
const LISTED_MAX: usize = 25;

/// How long a text of an alert may be, in characters.
const TEXT_MAX: usize = 600;

/// How long the list of labels may be, in characters.
const LABELS_MAX: usize = 300;

/// Links that stand in annotations, and what they are called.
const LINKS: [(&str, &str); 5] = [
    ("url", "Open"),
    ("runbook_url", "Runbook"),
    ("runbook", "Runbook"),
    ("dashboard_url", "Dashboard"),
    ("dashboard", "Dashboard"),
];

/// A notification as people are told of it.
pub(crate) struct Report<'a> {
    pub(crate) subject: String,
    /// What all alerts have in common, in one line; may be empty.
    pub(crate) labels: String,
    pub(crate) firing: Vec<Entry>,
    pub(crate) resolved: Vec<Entry>,
    /// How many are not listed.
    pub(crate) firing_left_out: usize,
    pub(crate) resolved_left_out: usize,
    pub(crate) receiver: &'a str,
    pub(crate) external_url: &'a str,
}

/// One alert.
pub(crate) struct Entry {
    pub(crate) title: String,
    pub(crate) description: String,
    /// `Value: 12`; may be empty.
    pub(crate) value: String,
    pub(crate) when: String,
    /// Its own labels in one line; may be empty.
    pub(crate) labels: String,
    pub(crate) links: Vec<(&'static str, String)>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(notification: &'a Notification, external_url: &'a str) -> Self {
        let common = overlap::labels(notification);
        let of = |status: Status| {
            let alerts = notification.alerts.iter();
            let alerts: Vec<&NotifiedAlert> =
                alerts.filter(|alert| alert.status == status).collect();
            let left_out = alerts.len().saturating_sub(LISTED_MAX);
            let listed = alerts.into_iter().take(LISTED_MAX);
            let entries: Vec<Entry> = listed
                .map(|alert| Entry::new(alert, &common, notification.decided_at))
                .collect();
            (entries, left_out)
        };
        let (firing, firing_left_out) = of(Status::Firing);
        let (resolved, resolved_left_out) = of(Status::Resolved);
        let shared = common.iter();
        let shared = shared.filter(|(name, _)| *name != "alertname");
        Self {
            subject: subject(notification, &common),
            labels: label_line(shared.map(|(name, value)| (&**name, &**value))),
            firing,
            resolved,
            firing_left_out,
            resolved_left_out,
            receiver: &notification.group.receiver,
            external_url,
        }
    }

    /// Heading, alerts and how many are left out; only those that have any.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&'static str, &[Entry], usize)> {
        let sections = [
            ("Firing", &*self.firing, self.firing_left_out),
            ("Resolved", &*self.resolved, self.resolved_left_out),
        ];
        let with_entries = |section: &(_, &[Entry], _)| !section.1.is_empty();
        sections.into_iter().filter(with_entries)
    }
}

/// A number as people read it: six digits that count, more only in whole numbers.
fn measured(value: f64) -> String {
    let rounded = format!("{value:.5e}").parse().unwrap_or(value);
    let shown = if value == value.trunc() {
        value
    } else {
        rounded
    };
    match shown.abs() {
        size if size != 0.0 && !(1e-6..1e15).contains(&size) && size.is_finite() => {
            format!("{shown:e}")
        }
        _ => shown.to_string(),
    }
}

impl Entry {
    fn new(notified: &NotifiedAlert, common: &overlap::Pairs, now: Timestamp) -> Self {
        let alert = &notified.alert;
        let annotation = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| alert.annotations.get(*name));
            let text = found.find(|text| !text.trim().is_empty());
            text.map(|text| escape::cut(text.trim(), TEXT_MAX))
        };
        let name = alert.labels.get("alertname").unwrap_or("alert");
        let summary = annotation(&["summary", "title"]);
        let description = annotation(&["description", "message"]).unwrap_or_default();
        let value = annotation(&["value"]).or_else(|| alert.value.map(measured));
        let value = value.map_or(String::new(), |value| format!("Value: {value}"));
        let own = alert
            .labels
            .iter()
            .filter(|(name, _)| *name != "alertname" && !common.contains_key(*name));
        let mut links: Vec<(&'static str, String)> = Vec::new();
        for (key, name) in LINKS {
            if let Some(url) = alert.annotations.get(key)
                && escape::is_link(url)
                && links.iter().all(|(known, _)| *known != name)
            {
                links.push((name, url.clone()));
            }
        }
        if escape::is_link(&alert.generator_url) {
            links.push(("Source", alert.generator_url.clone()));
        }
        Self {
            title: escape::line(&summary.unwrap_or_else(|| name.to_owned()), TEXT_MAX),
            description,
            value,
            when: when(notified, now),
            labels: label_line(own),
            links,
        }
    }

    /// What follows the title, line by line, without links.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.description.lines().map(str::to_owned).collect();
        for line in [&self.value, &self.when, &self.labels] {
            if !line.is_empty() {
                lines.push(line.clone());
            }
        }
        lines
    }
}

/// Since when it fires, or from when to when it did.
fn when(notified: &NotifiedAlert, now: Timestamp) -> String {
    let alert = &notified.alert;
    let start = moment::shown(alert.starts_at);
    match notified.status {
        Status::Firing => {
            let span = moment::span(now.since(alert.starts_at));
            format!("since {start}, for {span}")
        }
        Status::Resolved => {
            let span = moment::span(alert.ends_at.since(alert.starts_at));
            let end = moment::shown(alert.ends_at);
            format!("from {start} to {end}, lasted {span}")
        }
    }
}

/// `[FIRING:2] MonitorDown shop (web)`: the alert's name, the group's other labels, and what else all have in common.
fn subject(notification: &Notification, common: &overlap::Pairs) -> String {
    let firing = notification
        .alerts
        .iter()
        .filter(|alert| alert.status == Status::Firing)
        .count();
    let status = match firing {
        0 => "[RESOLVED]".to_owned(),
        count => format!("[FIRING:{count}]"),
    };
    let group = overlap::group_labels(notification);
    let name = common.get("alertname").or_else(|| group.get("alertname"));
    let name = match (name, notification.alerts.len()) {
        (Some(name), _) => name.clone(),
        (None, 1) => "1 alert".to_owned(),
        (None, count) => format!("{count} alerts"),
    };
    let is_told = |label: &&String| *label != "alertname";
    let of_group: Vec<&str> = group
        .iter()
        .filter(|(label, _)| is_told(label))
        .map(|(_, value)| &**value)
        .filter(|value| !value.is_empty())
        .collect();
    let others: Vec<&str> = common
        .iter()
        .filter(|(label, _)| is_told(label) && !group.contains_key(*label))
        .map(|(_, value)| &**value)
        .collect();
    let mut subject = format!("{status} {name}");
    for value in of_group {
        subject.push(' ');
        subject.push_str(value);
    }
    if !others.is_empty() {
        subject.push_str(&format!(" ({})", others.join(" ")));
    }
    subject
}

/// `job=shop, team=web`.
fn label_line<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    escape::line(&pairs.join(", "), LABELS_MAX)
}
