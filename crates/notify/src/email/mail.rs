//! A mail byte by byte: headers in which nothing can be smuggled, page and text, names by which mails make a thread.

use std::time::{Duration, SystemTime};

use alerts::Notification;
use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MultiPart, SinglePart, header};

use super::Texts;
use crate::error::RenderError;
use crate::integration::Context;
use crate::{escape, identity};

/// How long a header may be, in characters.
const HEADER_MAX: usize = 500;

/// The last second that the format of dates can say.
const LAST_SECOND: u64 = 253_402_300_799;

/// From whom and to whom.
pub(super) struct Addresses {
    pub(super) from: Mailbox,
    pub(super) to: Mailboxes,
}

/// Puts a mail together.
///
/// Errors: a header that must hold addresses does not.
pub(super) fn build(
    addresses: Addresses,
    texts: Texts,
    notification: &Notification,
    context: &Context,
    is_threaded: bool,
) -> Result<Message, RenderError> {
    let name = identity::of_notification(notification, &context.external_url);
    let recipients = addresses.to.iter().map(|to| to.email.clone()).collect();
    // What the headers show does not change to whom it goes.
    let envelope = Envelope::new(Some(addresses.from.email.clone()), recipients)
        .map_err(|error| RenderError::new(format!("no mail: {error}")))?;
    let domain = addresses.from.email.domain().to_owned();
    let mut builder = Message::builder()
        .envelope(envelope)
        .from(addresses.from)
        .message_id(Some(format!("<{name}@{domain}>")))
        .date(date(notification))
        .subject(escape::line(&texts.subject, HEADER_MAX));
    for to in addresses.to {
        builder = builder.to(to);
    }
    if is_threaded {
        let group = identity::of_group(&notification.group, &context.external_url);
        let group = format!("<{group}@{domain}>");
        builder = builder.in_reply_to(group.clone()).references(group);
    }
    builder = builder
        .raw_header(raw("Auto-Submitted", "auto-generated")?)
        .raw_header(raw(
            "X-Mailer",
            concat!("campanile/", env!("CARGO_PKG_VERSION")),
        )?);
    for (name, value) in &texts.headers {
        let is_address = ["From", "To", "Cc", "Reply-To", "Sender"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        let value = escape::line(value, HEADER_MAX);
        if !is_address {
            builder = builder.raw_header(raw(name, &value)?);
            continue;
        }
        let refuse = || RenderError::new(format!("the header {name} holds no mail addresses"));
        let shown: Mailboxes = value.parse().map_err(|_| refuse())?;
        builder = match name.to_ascii_lowercase().as_str() {
            "from" => builder.header(header::From::from(shown)),
            "to" => builder.header(header::To::from(shown)),
            "cc" => builder.header(header::Cc::from(shown)),
            "reply-to" => builder.header(header::ReplyTo::from(shown)),
            _ => {
                let first = shown.into_iter().next().ok_or_else(refuse)?;
                builder.header(header::Sender::from(first))
            }
        };
    }
    let unbuilt = |error: lettre::error::Error| RenderError::new(format!("no mail: {error}"));
    let plain = |text: String| SinglePart::plain(text);
    match (texts.plain, texts.html) {
        (Some(text), Some(page)) => {
            let parts = MultiPart::alternative()
                .boundary(format!("=_{name}"))
                .build();
            let parts = parts.singlepart(plain(text));
            builder.multipart(parts.singlepart(SinglePart::html(page)))
        }
        (Some(text), None) => builder.singlepart(plain(text)),
        (None, Some(page)) => builder.singlepart(SinglePart::html(page)),
        (None, None) => return Err(RenderError::new("the mail has neither html nor text")),
    }
    .map_err(unbuilt)
}

/// When it was decided, so that each attempt has the same date.
fn date(notification: &Notification) -> SystemTime {
    let seconds = notification.decided_at.as_millis().max(0) / 1000;
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn raw(name: &str, value: &str) -> Result<HeaderValue, RenderError> {
    let name = HeaderName::new_from_ascii(name.to_owned())
        .map_err(|_| RenderError::new(format!("{name:?} is no name of a header")))?;
    Ok(HeaderValue::new(name, value.to_owned()))
}
