//! Receivers by name and their integrations, as a section in Alertmanager's format has them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use document::{Section, Value};

use crate::email::Email;
use crate::global::Global;
use crate::integration::{Channel, Integration};
use crate::slack::Slack;
use crate::telegram::Telegram;
use crate::template::Templates;
use crate::webhook::Webhook;

/// Of a receiver, what this version cannot do.
const UNSUPPORTED: [&str; 15] = [
    "discord_configs",
    "incidentio_configs",
    "jira_configs",
    "labels",
    "mattermost_configs",
    "msteams_configs",
    "msteamsv2_configs",
    "opsgenie_configs",
    "pagerduty_configs",
    "pushover_configs",
    "rocketchat_configs",
    "sns_configs",
    "victorops_configs",
    "webex_configs",
    "wechat_configs",
];

/// All receivers of a configuration; equal if nothing changed that could be seen in a message or its way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receivers {
    /// By receiver, then by `email[0]`.
    receivers: BTreeMap<String, BTreeMap<String, Arc<Integration>>>,
    resolve_timeout: Option<Duration>,
}

/// What the entries of a receiver are read with.
pub(crate) struct Reader<'a> {
    pub(crate) global: Global,
    pub(crate) directory: &'a Path,
    pub(crate) templates: Arc<Templates>,
}

impl Receivers {
    /// Reads `global`, `templates` and the integrations in `receivers`; paths are relative to `directory`.
    ///
    /// Problems are noted with the document; names of receivers and routes are `alerts::config`'s to check, and the
    /// caller finishes the section.
    pub fn read(section: &mut Section<'_>, directory: &Path) -> Self {
        let global = Global::read(section.section("global"), directory);
        let templates = Arc::new(Templates::read(section.value("templates"), directory));
        let reader = Reader {
            global,
            directory,
            templates,
        };
        let mut receivers = BTreeMap::new();
        let list = section.value("receivers");
        // That it is a list, `alerts::config` checks.
        let list = list.filter(|value| value.kind() == "list");
        for item in list.and_then(Value::items).unwrap_or_default() {
            if item.kind() != "section" {
                continue;
            }
            let Some(receiver) = item.section() else {
                continue;
            };
            if let Some((name, integrations)) = reader.receiver(receiver) {
                receivers.insert(name, integrations);
            }
        }
        Self {
            receivers,
            resolve_timeout: Some(reader.global.resolve_timeout),
        }
    }

    /// The integration of a receiver with a name such as `email[0]`.
    pub fn get(&self, receiver: &str, integration: &str) -> Option<&Arc<Integration>> {
        self.receivers.get(receiver)?.get(integration)
    }

    /// The integrations of a receiver with their names, in order of these.
    pub fn integrations(&self, receiver: &str) -> impl Iterator<Item = (&str, &Arc<Integration>)> {
        let integrations = self.receivers.get(receiver).into_iter().flatten();
        integrations.map(|(name, integration)| (&**name, integration))
    }

    /// The names of the receivers, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.receivers.keys().map(String::as_str)
    }

    /// After which time an alert counts as over that came without an end: `global.resolve_timeout`, 5 m by default.
    pub fn resolve_timeout(&self) -> Duration {
        let default = || Global::default().resolve_timeout;
        self.resolve_timeout.unwrap_or_else(default)
    }
}

impl Reader<'_> {
    fn receiver(
        &self,
        mut section: Section<'_>,
    ) -> Option<(String, BTreeMap<String, Arc<Integration>>)> {
        section.unsupported(UNSUPPORTED);
        let name = section.value("name");
        let mut integrations = BTreeMap::new();
        let mut add = |kind: &str, index: usize, channel: Channel| {
            let templates = Arc::clone(&self.templates);
            let integration = Integration { channel, templates };
            integrations.insert(format!("{kind}[{index}]"), Arc::new(integration));
        };
        for (index, entry) in entries(&mut section, "email_configs") {
            if let Some(email) = Email::read(entry, self) {
                add("email", index, Channel::Email(email));
            }
        }
        for (index, entry) in entries(&mut section, "slack_configs") {
            if let Some(slack) = Slack::read(entry, self) {
                add("slack", index, Channel::Slack(slack));
            }
        }
        for (index, entry) in entries(&mut section, "telegram_configs") {
            if let Some(telegram) = Telegram::read(entry, self) {
                add("telegram", index, Channel::Telegram(telegram));
            }
        }
        for (index, entry) in entries(&mut section, "webhook_configs") {
            if let Some(webhook) = Webhook::read(entry, self) {
                add("webhook", index, Channel::Webhook(webhook));
            }
        }
        section.finish();
        let name = name.filter(|name| name.kind() == "text")?;
        Some((name.text()?.to_owned(), integrations))
    }
}

fn entries<'d>(section: &mut Section<'d>, key: &'static str) -> Vec<(usize, Value<'d>)> {
    let items = section.value(key).and_then(Value::items);
    items.unwrap_or_default().into_iter().enumerate().collect()
}

#[cfg(test)]
mod tests;
