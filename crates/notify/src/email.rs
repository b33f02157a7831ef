//! Mails: `email_configs`, a page and a text of the same message, handed in by SMTP.

mod mail;
mod smarthost;

use std::time::Duration;

use alerts::Notification;
use document::{Section, Value};
use lettre::message::{Mailbox, Mailboxes};

use crate::default_text::DefaultText;
use crate::error::{RenderError, SendError};
use crate::escape;
use crate::global::Smtp;
use crate::integration::Context;
use crate::message::{Message, Part};
use crate::receivers::Reader;
use crate::secret;
use crate::template::{Expander, Target, Template, Templates};
use crate::tls::Tls;

pub(crate) use smarthost::Smarthost;

/// How long handing in a mail may take: servers that are wary of strangers let them wait on purpose.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Headers that are made from other settings.
const RESERVED: [&str; 9] = [
    "bcc",
    "content-transfer-encoding",
    "content-type",
    "date",
    "in-reply-to",
    "message-id",
    "mime-version",
    "references",
    "return-path",
];

/// An entry of `email_configs`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Email {
    to: Template,
    from: Template,
    smarthost: Smarthost,
    smtp: Smtp,
    /// None is the default page.
    html: Option<Template>,
    /// None is the default text.
    text: Option<Template>,
    /// `Subject` among them, if it is not the default one.
    headers: Vec<(String, Template)>,
    is_threaded: bool,
}

/// What a mail says.
struct Texts {
    subject: String,
    /// At least one of the two.
    html: Option<String>,
    plain: Option<String>,
    headers: Vec<(String, String)>,
}

impl Email {
    /// Reads an entry; notes what is wrong.
    pub(crate) fn read(value: Value<'_>, reader: &Reader<'_>) -> Option<Self> {
        let mut section = value.clone().section()?;
        section.unsupported(["auth_secret", "auth_secret_file"]);
        let _ = section.value("send_resolved").and_then(Value::boolean);
        let to = section.required("to");
        let has_from = section.value("from");
        let from = match &has_from {
            Some(from) => address(from),
            None => reader.global.smtp.from.clone(),
        };
        let smtp = smtp(&mut section, reader);
        let html = section
            .value("html")
            .and_then(|value| Template::read(&value, &reader.templates));
        let text = section
            .value("text")
            .and_then(|value| Template::read(&value, &reader.templates));
        let headers = headers(section.section("headers"), reader);
        let mut threading = section.section("threading");
        threading.unsupported(["thread_by_date"]);
        let is_threaded = threading.value("enabled").and_then(Value::boolean);
        threading.finish();
        section.finish();
        if from.is_none() && has_from.is_none() {
            value.refuse("a mail needs a sender: write from here or smtp_from in global");
        }
        if smtp.smarthost.is_none() {
            value.refuse("a mail needs a server: write smarthost here or smtp_smarthost in global");
        }
        check_credentials(&value, &smtp);
        let is_empty = |template: &Option<Template>| {
            let template = template.as_ref();
            template.is_some_and(|template| template.text().is_empty())
        };
        if is_empty(&html) && is_empty(&text) {
            value.refuse("html and text are both empty; the mail would say nothing");
        }
        let to = to?;
        let template = Template::read(&to, &reader.templates)?;
        if template.is_plain() && template.text().parse::<Mailboxes>().is_err() {
            to.refuse("this is no address; write for example ops@example.org");
            return None;
        }
        Some(Self {
            to: template,
            from: Template::plain(&from?),
            smarthost: smtp.smarthost.clone()?,
            smtp,
            html,
            text,
            headers,
            is_threaded: is_threaded != Some(false),
        })
    }

    pub(crate) fn target(&self) -> String {
        escape::line(self.to.text(), 200)
    }

    pub(crate) fn render(
        &self,
        notification: &Notification,
        context: &Context,
        templates: &Templates,
    ) -> Result<Message, RenderError> {
        let expander = Expander::new(templates, notification, context);
        let (texts, failure) = match self.texts(&expander) {
            Ok(texts) => (texts, None),
            Err(failure) => {
                let default = DefaultText::new(notification, &context.external_url);
                (Texts::default_with(&default, &failure), Some(failure))
            }
        };
        let expand = |template: &Template| expander.text(template).map_err(RenderError::new);
        let envelope = mail::Addresses {
            from: mailbox(&expand(&self.from)?)?,
            to: mailboxes(&expand(&self.to)?)?,
        };
        let thread = self.is_threaded;
        let mail = mail::build(envelope, texts, notification, context, thread)?;
        let mut message = Message::new(vec![Part::Mail {
            envelope: mail.envelope().clone(),
            bytes: mail.formatted(),
        }]);
        message.template_error = failure;
        Ok(message)
    }

    fn texts(&self, expander: &Expander<'_>) -> Result<Texts, String> {
        let html = match &self.html {
            Some(html) if html.text().is_empty() => None,
            Some(html) => Some(expander.html(html)?),
            None => Some(expander.named("email.default.html", Target::Html)?),
        };
        let plain = match &self.text {
            Some(text) if text.text().is_empty() => None,
            Some(text) => Some(expander.text(text)?),
            // Beside a page of one's own the default text would say something else.
            None if self.html.is_some() && html.is_some() => None,
            None => Some(expander.named("email.default.text", Target::Text)?),
        };
        let mut subject = None;
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            let value = expander.text(template)?;
            if name.eq_ignore_ascii_case("subject") {
                subject = Some(value);
            } else {
                headers.push((name.clone(), value));
            }
        }
        let subject = match subject {
            Some(subject) => subject,
            None => expander.named("email.default.subject", Target::Text)?,
        };
        Ok(Texts {
            subject,
            html,
            plain,
            headers,
        })
    }

    pub(crate) async fn send(&self, part: &Part) -> Result<(), SendError> {
        let Part::Mail { envelope, bytes } = part else {
            return Err(SendError::permanent("this is no mail"));
        };
        let sent = self.smarthost.hand_in(&self.smtp, envelope, bytes);
        match tokio::time::timeout(TIMEOUT, sent).await {
            Ok(sent) => sent,
            Err(_) => {
                let limit = model::duration::format(TIMEOUT);
                let message = format!("{} did not take the mail within {limit}", self.smarthost);
                Err(SendError::temporary(message))
            }
        }
    }
}

impl Texts {
    /// The default text, and why it is used.
    fn default_with(default: &DefaultText<'_>, failure: &str) -> Self {
        let note = crate::template::note(failure);
        let html = default.html();
        let page = html.replace(
            "</body>",
            &format!("<p>{}</p>\n</body>", escape::html(&note)),
        );
        Self {
            subject: default.subject(),
            html: Some(page),
            plain: Some(format!("{}\n\n{note}", default.plain())),
            headers: Vec::new(),
        }
    }
}

/// How this entry hands in its mails: what it does not say comes from `global`.
fn smtp(section: &mut Section<'_>, reader: &Reader<'_>) -> Smtp {
    let mut smtp = reader.global.smtp.clone();
    if let Some(value) = section.value("smarthost") {
        smtp.smarthost = Smarthost::read(&value).or(smtp.smarthost);
    }
    if let Some(value) = section.value("hello") {
        smtp.hello = hello(&value).unwrap_or(smtp.hello);
    }
    if let Some(value) = section.value("auth_username") {
        smtp.username = value.text().map(str::to_owned);
    }
    refuse_identity(section.value("auth_identity"));
    let directory = reader.directory;
    let password = secret::read(section, "auth_password", "auth_password_file", directory);
    if let Some(password) = password {
        smtp.password = Some(password.secret);
    }
    if let Some(required) = section.value("require_tls").and_then(Value::boolean) {
        smtp.require_tls = required;
    }
    let implicit = section.value("force_implicit_tls");
    if let Some(implicit) = implicit.and_then(Value::boolean) {
        smtp.force_implicit_tls = Some(implicit);
    }
    if let Some(tls) = section.value("tls_config").and_then(Value::section) {
        smtp.tls = Tls::read(tls, directory);
    }
    smtp
}

/// A user needs a password, and a password needs a connection that nobody listens to.
fn check_credentials(value: &Value<'_>, smtp: &Smtp) {
    let has_user = smtp.username.as_ref().is_some_and(|user| !user.is_empty());
    if !has_user {
        return;
    }
    if smtp.password.is_none() {
        value.refuse("auth_username needs auth_password or auth_password_file");
    }
    let Some(smarthost) = &smtp.smarthost else {
        return;
    };
    if !smtp.require_tls && !smarthost.is_implicit_tls(smtp) && !smarthost.is_this_machine() {
        let message = "the password would be sent without encryption; set require_tls: true";
        value.refuse(message);
    }
}

/// `headers`: names and templates.
fn headers(section: Section<'_>, reader: &Reader<'_>) -> Vec<(String, Template)> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    for (name, value) in section.pairs() {
        let is_reserved = RESERVED
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if is_reserved || !is_name {
            value.refuse(format!("the header {name:?} cannot be set here"));
            continue;
        }
        if headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            value.refuse(format!("the header {name:?} is set twice"));
            continue;
        }
        if let Some(template) = Template::read(&value, &reader.templates) {
            headers.push((name.to_owned(), template));
        }
    }
    headers
}

/// A single address, with or without a name; notes a problem if it is none.
pub(crate) fn address(value: &Value<'_>) -> Option<String> {
    let text = value.clone().text()?;
    if text.contains("{{") {
        value.refuse("templates in a sender's address are not supported yet");
        return None;
    }
    if text.parse::<Mailbox>().is_err() {
        value.refuse("this is no address; write for example campanile@example.org");
        return None;
    }
    Some(text.to_owned())
}

/// The name with which this machine greets a server.
pub(crate) fn hello(value: &Value<'_>) -> Option<String> {
    let name = value.clone().text()?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_name {
        value.refuse("this is no name of a machine; write for example watch.example.org");
        return None;
    }
    Some(name.to_owned())
}

/// Another identity than the user's is what nobody needs who sends as himself.
pub(crate) fn refuse_identity(value: Option<Value<'_>>) {
    if let Some(value) = value
        && value.clone().text().is_some_and(|text| !text.is_empty())
    {
        value.refuse("an identity beside the username is not supported yet; remove it");
    }
}

fn mailbox(text: &str) -> Result<Mailbox, RenderError> {
    let parsed = text.trim().parse::<Mailbox>();
    parsed.map_err(|_| RenderError::new(format!("{text:?} is no address of a mail")))
}

fn mailboxes(text: &str) -> Result<Mailboxes, RenderError> {
    let refuse = || RenderError::new(format!("{text:?} is no list of mail addresses"));
    let parsed: Mailboxes = text.trim().parse().map_err(|_| refuse())?;
    match parsed.iter().next() {
        Some(_) => Ok(parsed),
        None => Err(refuse()),
    }
}

#[cfg(test)]
mod tests;
