//! Telegram: `telegram_configs`, by the method `sendMessage` of its bots.

mod split;

use alerts::Notification;
use document::Value;
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
use split::split;

/// An entry of `telegram_configs`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Telegram {
    /// With the token in its path.
    endpoint: Endpoint,
    token: Secret,
    http: Http,
    chat: i64,
    thread: Option<i64>,
    message: Option<Template>,
    mode: Mode,
    is_silent: bool,
}

/// What Telegram takes for markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Html,
    MarkdownV2,
    Markdown,
    Plain,
}

impl Telegram {
    /// Reads an entry; notes what is wrong.
    pub(crate) fn read(value: Value<'_>, reader: &Reader<'_>) -> Option<Self> {
        let mut section = value.clone().section()?;
        let _ = section.value("send_resolved").and_then(Value::boolean);
        let global = &reader.global;
        let directory = reader.directory;
        let api_url = section.value("api_url");
        let api_url = api_url.and_then(|value| Endpoint::read_value(&value));
        let api_url = api_url.unwrap_or_else(|| global.telegram_api_url.clone());
        let written = secret::read(&mut section, "bot_token", "bot_token_file", directory);
        if let Some(written) = &written
            && !is_token(&written.secret)
        {
            let message = "this is no token of a bot; it looks like 123456:ABC-DEF";
            written.value.refuse(message);
        }
        let has_token = section.value("bot_token").is_some();
        let has_token = has_token || section.value("bot_token_file").is_some();
        let token = written.map(|written| written.secret);
        let token = match has_token {
            true => token,
            false => global.telegram_bot_token.clone(),
        };
        let chat = chat(&mut section, reader);
        let has_chat = section.value("chat_id").is_some();
        let has_chat = has_chat || section.value("chat_id_file").is_some();
        let thread = section.value("message_thread_id");
        let thread = thread.and_then(|value| value.integer(0..=i64::MAX));
        let message = section.value("message");
        let message = message.and_then(|value| Template::read(&value, &reader.templates));
        let mode = section.value("parse_mode");
        let mode = mode.and_then(|value| value.choice(&["HTML", "MarkdownV2", "Markdown", ""]));
        let is_silent = section.value("disable_notifications");
        let is_silent = is_silent.and_then(Value::boolean);
        let http = webhook::http_of(section.value("http_config"), reader);
        section.finish();
        if !has_token && token.is_none() {
            value
                .refuse("a bot needs bot_token or bot_token_file, or telegram_bot_token in global");
        }
        if !has_chat {
            value.refuse("chat_id or chat_id_file is needed: the number of the chat");
        }
        let token = token?;
        Some(Self {
            endpoint: api_url.with_path(&format!("/bot{}/sendMessage", token.expose())),
            token,
            http,
            chat: chat?,
            thread: thread.filter(|thread| *thread != 0),
            message,
            mode: match mode {
                None | Some("HTML") => Mode::Html,
                Some("MarkdownV2") => Mode::MarkdownV2,
                Some("Markdown") => Mode::Markdown,
                Some(_) => Mode::Plain,
            },
            is_silent: is_silent == Some(true),
        })
    }

    pub(crate) fn target(&self) -> String {
        format!("chat {}", self.chat)
    }

    pub(crate) fn render(
        &self,
        notification: &Notification,
        context: &Context,
        templates: &Templates,
    ) -> Message {
        let expander = Expander::new(templates, notification, context);
        let expanded = match (&self.message, self.mode) {
            (Some(message), Mode::Html) => expander.html(message),
            (Some(message), _) => expander.text(message),
            (None, Mode::Html) => expander.named("telegram.default.message", Target::Html),
            (None, mode) => {
                let plain = expander.named("telegram.default.message", Target::Text);
                plain.map(|plain| mode.escape(&plain))
            }
        };
        let (text, failure) = match expanded {
            Ok(text) => (text, None),
            Err(failure) => {
                let default = DefaultText::new(notification, &context.external_url);
                let note = self.mode.escape(&note(&failure));
                let text = match self.mode {
                    Mode::Html => default.telegram(),
                    mode => mode.escape(&default.plain()),
                };
                (format!("{text}\n\n{note}"), Some(failure))
            }
        };
        let parts = split(&text, self.mode);
        let parts = parts.iter().map(|part| Part::Marked {
            body: self.body(&part.marked, self.mode),
            plain: self.body(&part.plain, Mode::Plain),
        });
        let mut message = Message::new(parts.collect());
        message.template_error = failure;
        message
    }

    fn body(&self, text: &str, mode: Mode) -> Vec<u8> {
        let mut document = Map::new();
        document.insert("chat_id".to_owned(), self.chat.into());
        if let Some(thread) = self.thread {
            document.insert("message_thread_id".to_owned(), thread.into());
        }
        document.insert("text".to_owned(), text.into());
        if let Some(mode) = mode.name() {
            document.insert("parse_mode".to_owned(), mode.into());
        }
        if self.is_silent {
            document.insert("disable_notification".to_owned(), true.into());
        }
        let no_preview = json!({"is_disabled": true});
        document.insert("link_preview_options".to_owned(), no_preview);
        Json::Object(document).to_string().into_bytes()
    }

    /// If Telegram cannot make sense of the markup, the part is sent without: a page must not be lost to it.
    pub(crate) async fn send(&self, part: &Part) -> Result<(), SendError> {
        let Part::Marked { body, plain } = part else {
            return Err(SendError::permanent("this is no message of Telegram"));
        };
        let mut request = http::Request {
            endpoint: &self.endpoint,
            body,
            headers: Vec::new(),
            timeout: http::TIMEOUT,
            secrets: vec![self.token.clone()],
        };
        let answer = self.http.post(&request).await?;
        let is_markup =
            answer.status.as_u16() == 400 && answer.body.contains("can't parse entities");
        if is_markup && self.mode != Mode::Plain {
            tracing::warn!(
                target = self.target(),
                "Telegram cannot parse the message's markup; it is sent without"
            );
            request.body = plain;
            let answer = self.http.post(&request).await?;
            return self.understand(&request, &answer);
        }
        self.understand(&request, &answer)
    }

    /// What is no answer of Telegram came from something in between, and is tried again.
    fn understand(&self, request: &http::Request<'_>, answer: &Answer) -> Result<(), SendError> {
        let object: Option<Map<String, Json>> = serde_json::from_str(&answer.body).ok();
        let object = object.unwrap_or_default();
        match object.get("ok") {
            Some(Json::Bool(true)) if answer.status.is_success() => return Ok(()),
            Some(Json::Bool(_)) => {}
            _ if answer.status.is_success() => {
                let class = Class::Temporary { retry_after: None };
                let message = format!("this is no answer of Telegram: {}", answer.body);
                return Err(self.http.failure(request, &message, class));
            }
            _ => return Err(self.http.refusal(request, answer)),
        }
        let asked = object.get("parameters");
        let asked = asked.and_then(|parameters| parameters.get("retry_after"));
        let asked = asked.and_then(Json::as_u64).map(http::wait);
        let status = match object.get("error_code").and_then(Json::as_u64) {
            Some(code) => http::status(code).unwrap_or(answer.status),
            None => answer.status,
        };
        let class = http::class_of(status, asked.or(answer.retry_after));
        let description = object.get("description").and_then(Json::as_str);
        let message = description.unwrap_or("the message was refused without a reason");
        Err(self.http.failure(request, message, class))
    }
}

impl Mode {
    /// Telegram's name for it.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Html => Some("HTML"),
            Self::MarkdownV2 => Some("MarkdownV2"),
            Self::Markdown => Some("Markdown"),
            Self::Plain => None,
        }
    }

    fn escape(self, text: &str) -> String {
        match self {
            Self::Html => escape::html(text),
            Self::MarkdownV2 => escape::markdown_v2(text),
            Self::Markdown => escape::markdown(text),
            Self::Plain => text.to_owned(),
        }
    }
}

/// `chat_id`, or the file that holds it.
fn chat(section: &mut document::Section<'_>, reader: &Reader<'_>) -> Option<i64> {
    if section.value("chat_id_file").is_none() {
        let value = section.value("chat_id")?;
        let chat = value.clone().integer(i64::MIN..=i64::MAX)?;
        if chat == 0 {
            value.refuse("0 is no chat; write the number of the chat");
        }
        return Some(chat);
    }
    let written = secret::read(section, "chat_id", "chat_id_file", reader.directory)?;
    let chat = written.secret.expose().parse().ok();
    if chat.is_none_or(|chat| chat == 0) {
        written.value.refuse("the file holds no number of a chat");
    }
    chat
}

/// A token becomes a part of a path.
fn is_token(token: &Secret) -> bool {
    let token = token.expose();
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_');
    !token.is_empty() && token.bytes().all(is_letter)
}

#[cfg(test)]
mod tests;
