//! Slack: `slack_configs`, by an incoming webhook or by the method `chat.postMessage`.

use std::time::Duration;

use alerts::Notification;
use document::{Section, Value};
use serde_json::{Map, Value as Json, json};

use crate::default_text::DefaultText;
use crate::endpoint::Endpoint;
use crate::error::{Class, SendError};
use crate::escape;
use crate::http::{self, Answer, Http};
use crate::integration::Context;
use crate::message::{Message, Part};
use crate::receivers::Reader;
use crate::secret::{self, Secret};
use crate::template::{Expander, Target, Template, Templates, note};
use crate::webhook;

/// Errors of Slack's methods that pass; any other one says that the message or the configuration is wrong.
const TEMPORARY: [&str; 8] = [
    "fatal_error",
    "internal_error",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
    "timeout",
];

/// How long the text of an attachment may be, in characters; Slack cuts longer ones without a word.
const TEXT_MAX: usize = 8000;

/// Texts of an attachment: key, and the template that Alertmanager has for it.
const TEXTS: [(&str, &str); 9] = [
    ("callback_id", "slack.default.callbackid"),
    ("color", "slack.default.color"),
    ("fallback", "slack.default.fallback"),
    ("footer", "slack.default.footer"),
    ("image_url", ""),
    ("pretext", "slack.default.pretext"),
    ("thumb_url", ""),
    ("title", "slack.default.title"),
    ("title_link", "slack.default.titlelink"),
];

/// Texts of the message around it.
const OUTER: [(&str, &str); 3] = [
    ("icon_emoji", "slack.default.iconemoji"),
    ("icon_url", "slack.default.iconurl"),
    ("username", "slack.default.username"),
];

/// An entry of `slack_configs`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slack {
    endpoint: Endpoint,
    /// For the method; without it the address is that of an incoming webhook.
    token: Option<Secret>,
    http: Http,
    timeout: Duration,
    channel: Option<Template>,
    text: Option<Template>,
    /// In order of [`TEXTS`], then of [`OUTER`].
    texts: Vec<Option<Template>>,
    fields: Vec<Field>,
    actions: Vec<Vec<(&'static str, Template)>>,
    mrkdwn_in: Vec<String>,
    link_names: bool,
}

/// A short text beside others.
#[derive(Clone, Debug, PartialEq)]
struct Field {
    title: Template,
    value: Template,
    is_short: bool,
}

impl Slack {
    /// Reads an entry; notes what is wrong.
    pub(crate) fn read(value: Value<'_>, reader: &Reader<'_>) -> Option<Self> {
        let mut section = value.clone().section()?;
        section.unsupported(["message_text", "update_message"]);
        let _ = section.value("send_resolved").and_then(Value::boolean);
        let mut http = webhook::http_of(section.value("http_config"), reader);
        let way = way(&value, &mut section, reader, &mut http);
        let timeout = webhook::timeout(section.value("timeout"));
        let mut template = |key: &'static str| {
            let value = section.value(key);
            value.and_then(|value| Template::read(&value, &reader.templates))
        };
        let channel = template("channel");
        let text = template("text");
        let keys = TEXTS.iter().chain(&OUTER).map(|(key, _)| *key);
        let texts = keys.map(template).collect();
        let is_short = section.value("short_fields").and_then(Value::boolean);
        let fields = section.value("fields").and_then(Value::items);
        let fields = fields.unwrap_or_default();
        let fields = fields.into_iter();
        let fields = fields.filter_map(|value| Field::read(value, is_short == Some(true), reader));
        let fields = fields.collect();
        let actions = section.value("actions").and_then(Value::items);
        let actions = actions.unwrap_or_default();
        let actions = actions
            .into_iter()
            .filter_map(|value| action(value, reader))
            .collect();
        let mrkdwn_in = match section.value("mrkdwn_in").and_then(Value::items) {
            Some(items) => {
                let texts = items.into_iter().filter_map(Value::text);
                texts.map(str::to_owned).collect()
            }
            None => ["fallback", "pretext", "text"].map(str::to_owned).to_vec(),
        };
        let link_names = section.value("link_names").and_then(Value::boolean);
        section.finish();
        let (endpoint, token) = way?;
        if token.is_some() && channel.as_ref().is_none_or(|text| text.text().is_empty()) {
            value.refuse("with app_token a channel is needed, for example channel: '#ops'");
        }
        Some(Self {
            endpoint,
            token,
            http,
            timeout,
            channel,
            text,
            texts,
            fields,
            actions,
            mrkdwn_in,
            link_names: link_names == Some(true),
        })
    }

    pub(crate) fn target(&self) -> String {
        match &self.channel {
            Some(channel) if !channel.text().is_empty() => escape::line(channel.text(), 200),
            _ => self.endpoint.shown(),
        }
    }

    pub(crate) fn render(
        &self,
        notification: &Notification,
        context: &Context,
        templates: &Templates,
    ) -> Message {
        let expander = Expander::new(templates, notification, context);
        let (document, failure) = match self.document(&expander) {
            Ok(document) => (document, None),
            Err(failure) => {
                let default = DefaultText::new(notification, &context.external_url);
                (self.fallback(&default, &failure), Some(failure))
            }
        };
        let body = Json::Object(document).to_string().into_bytes();
        let key = String::new();
        let mut message = Message::new(vec![Part::Json { body, key }]);
        message.template_error = failure;
        message
    }

    fn document(&self, expander: &Expander<'_>) -> Result<Map<String, Json>, String> {
        let mut attachment = Map::new();
        let mut document = Map::new();
        for (index, (key, default)) in TEXTS.iter().chain(&OUTER).enumerate() {
            let text = match &self.texts[index] {
                Some(template) => expander.text(template)?,
                None if default.is_empty() => String::new(),
                None => expander.named(default, Target::Text)?,
            };
            if text.is_empty() {
                continue;
            }
            let place = match index < TEXTS.len() {
                true => &mut attachment,
                false => &mut document,
            };
            place.insert((*key).to_owned(), escape::cut_slack(&text, TEXT_MAX).into());
        }
        let text = match &self.text {
            Some(template) => expander.text(template)?,
            None => expander.named("slack.default.text", Target::Text)?,
        };
        attachment.insert("text".to_owned(), escape::cut_slack(&text, TEXT_MAX).into());
        attachment.insert("mrkdwn_in".to_owned(), json!(self.mrkdwn_in));
        let mut fields = Vec::new();
        for field in &self.fields {
            fields.push(json!({
                "title": expander.text(&field.title)?,
                "value": expander.text(&field.value)?,
                "short": field.is_short,
            }));
        }
        if !fields.is_empty() {
            attachment.insert("fields".to_owned(), fields.into());
        }
        let mut actions = Vec::new();
        for action in &self.actions {
            let mut object = Map::new();
            for (key, template) in action {
                object.insert((*key).to_owned(), expander.text(template)?.into());
            }
            actions.push(Json::Object(object));
        }
        if !actions.is_empty() {
            attachment.insert("actions".to_owned(), actions.into());
        }
        if let Some(channel) = &self.channel {
            let channel = expander.text(channel)?;
            if !channel.is_empty() {
                document.insert("channel".to_owned(), channel.into());
            }
        }
        if self.link_names {
            document.insert("link_names".to_owned(), true.into());
        }
        document.insert("attachments".to_owned(), json!([attachment]));
        Ok(document)
    }

    /// The default text, and why it is used.
    fn fallback(&self, default: &DefaultText<'_>, failure: &str) -> Map<String, Json> {
        let note = escape::slack(&note(failure));
        let subject = escape::slack(&default.subject());
        let attachment = json!({
            "title": subject,
            "title_link": default.link(),
            "fallback": subject,
            "text": format!("{}\n\n{note}", escape::cut_slack(&default.slack(), TEXT_MAX)),
            "mrkdwn_in": ["text"],
        });
        let mut document = Map::new();
        let channel = self.channel.as_ref().filter(|channel| channel.is_plain());
        if let Some(channel) = channel {
            document.insert("channel".to_owned(), channel.text().into());
        }
        document.insert("attachments".to_owned(), json!([attachment]));
        document
    }

    pub(crate) async fn send(&self, part: &Part) -> Result<(), SendError> {
        let Part::Json { body, .. } = part else {
            return Err(SendError::permanent("this is no message of Slack"));
        };
        let bearer = self.token.as_ref();
        let bearer = bearer.map(|token| format!("Bearer {}", token.expose()));
        let request = http::Request {
            endpoint: &self.endpoint,
            body,
            headers: match &bearer {
                Some(bearer) => vec![("authorization", bearer)],
                None => Vec::new(),
            },
            timeout: self.timeout,
            secrets: self.token.iter().cloned().collect(),
        };
        let answer = self.http.post(&request).await?;
        self.understand(&request, &answer)
    }

    /// Slack says with 200 both yes and no; what is neither came from something in between, and is tried again.
    fn understand(&self, request: &http::Request<'_>, answer: &Answer) -> Result<(), SendError> {
        let object: Option<Map<String, Json>> = serde_json::from_str(&answer.body).ok();
        let word = object.as_ref().and_then(|object| object.get("error"));
        let word = word.and_then(Json::as_str).unwrap_or_default();
        if !answer.status.is_success() {
            return Err(self.http.refusal(request, answer));
        }
        let Some(object) = &object else {
            // An incoming webhook says nothing else; those that imitate it say nothing at all.
            let body = answer.body.trim();
            let is_ok = self.token.is_none() && (body == "ok" || body.is_empty());
            return match is_ok {
                true => Ok(()),
                false => Err(self.not_understood(request, answer)),
            };
        };
        match object.get("ok").or_else(|| object.get("success")) {
            Some(Json::Bool(true)) => Ok(()),
            Some(Json::Bool(false)) if TEMPORARY.contains(&word) => {
                let retry_after = answer.retry_after;
                let class = Class::Temporary { retry_after };
                Err(self.http.failure(request, word, class))
            }
            Some(Json::Bool(false)) => {
                let message = match word {
                    "" => "the message was refused without a reason",
                    word => word,
                };
                Err(self.http.failure(request, message, Class::Permanent))
            }
            _ => Err(self.not_understood(request, answer)),
        }
    }

    fn not_understood(&self, request: &http::Request<'_>, answer: &Answer) -> SendError {
        let class = Class::Temporary { retry_after: None };
        let message = format!("this is no answer of Slack: {}", answer.body);
        self.http.failure(request, &message, class)
    }
}

impl Field {
    fn read(value: Value<'_>, is_short: bool, reader: &Reader<'_>) -> Option<Self> {
        let mut section = value.section()?;
        let title = section.required("title");
        let text = section.required("value");
        let short = section.value("short").and_then(Value::boolean);
        section.finish();
        Some(Self {
            title: Template::read(&title?, &reader.templates)?,
            value: Template::read(&text?, &reader.templates)?,
            is_short: short.unwrap_or(is_short),
        })
    }
}

/// Where messages go: the entry's own way counts more than that of `global`.
fn way(
    value: &Value<'_>,
    section: &mut Section<'_>,
    reader: &Reader<'_>,
    http: &mut Http,
) -> Option<(Endpoint, Option<Secret>)> {
    let global = &reader.global;
    let directory = reader.directory;
    let url = secret::read(section, "api_url", "api_url_file", directory);
    let token = secret::read(section, "app_token", "app_token_file", directory);
    let app_url = section.value("app_url");
    let app_url = app_url.and_then(|value| Endpoint::read_value(&value));
    if let (Some(_), Some(token)) = (&url, &token) {
        let message = "either api_url (an incoming webhook) or app_token is needed, not both";
        token.value.refuse(message);
        return None;
    }
    let token = match (token, &url) {
        (Some(token), _) => Some(token.secret),
        (None, Some(_)) => None,
        (None, None) => global.slack_app_token.clone(),
    };
    if let Some(token) = token {
        if http.has_authorization() {
            value.refuse("app_token is the authorization; remove the one in http_config");
        }
        let endpoint = app_url.unwrap_or_else(|| global.slack_app_url.clone());
        return Some((endpoint, Some(token)));
    }
    if let Some(url) = url {
        return Some((Endpoint::read(&url)?, None));
    }
    if let Some(endpoint) = &global.slack_api_url {
        return Some((endpoint.clone(), None));
    }
    value.refuse(
        "Slack needs api_url (an incoming webhook) or app_token, here or as slack_api_url or slack_app_token in global",
    );
    None
}

/// A button of the older kind.
fn action(value: Value<'_>, reader: &Reader<'_>) -> Option<Vec<(&'static str, Template)>> {
    let mut section = value.section()?;
    section.unsupported(["confirm"]);
    section.required("type");
    section.required("text");
    let mut texts = Vec::new();
    for key in ["type", "text", "url", "style", "name", "value"] {
        let value = section.value(key);
        if let Some(template) = value.and_then(|value| Template::read(&value, &reader.templates)) {
            texts.push((key, template));
        }
    }
    section.finish();
    Some(texts)
}

#[cfg(test)]
mod tests;
