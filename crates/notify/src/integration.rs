//! One way to tell a receiver.

use std::sync::Arc;

use alerts::Notification;

use crate::email::Email;
use crate::error::{RenderError, SendError};
use crate::message::Message;
use crate::slack::Slack;
use crate::telegram::Telegram;
use crate::template::Templates;
use crate::webhook::Webhook;

/// One entry of a receiver's `email_configs`, `slack_configs`, …; equal if its settings are.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    pub(crate) channel: Channel,
    pub(crate) templates: Arc<Templates>,
}

/// What a message needs to know beside the notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Where people reach this program, with a slash at its end; may be empty.
    pub external_url: String,
}

/// How it tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Channel {
    Email(Email),
    Slack(Slack),
    Telegram(Telegram),
    Webhook(Webhook),
}

impl Integration {
    /// `email`, `slack`, `telegram` or `webhook`.
    pub fn kind(&self) -> &'static str {
        match &self.channel {
            Channel::Email(_) => "email",
            Channel::Slack(_) => "slack",
            Channel::Telegram(_) => "telegram",
            Channel::Webhook(_) => "webhook",
        }
    }

    /// Where it goes, for people and without secrets: `ops@example.org`, `#ops`, `chat 4711`, `https://host/…`.
    pub fn target(&self) -> String {
        match &self.channel {
            Channel::Email(email) => email.target(),
            Channel::Slack(slack) => slack.target(),
            Channel::Telegram(telegram) => telegram.target(),
            Channel::Webhook(webhook) => webhook.target(),
        }
    }

    /// Makes a notification a message: the same for the same notification and context, at whatever time.
    ///
    /// A template that fails costs its text, not the message: the default text is sent with a note of the failure.
    ///
    /// Errors: nothing can be sent, for example since a template made no address of a mail's recipient.
    pub fn render(
        &self,
        notification: &Notification,
        context: &Context,
    ) -> Result<Message, RenderError> {
        let message = match &self.channel {
            Channel::Email(email) => email.render(notification, context, &self.templates),
            Channel::Slack(slack) => Ok(slack.render(notification, context, &self.templates)),
            Channel::Telegram(telegram) => {
                Ok(telegram.render(notification, context, &self.templates))
            }
            Channel::Webhook(webhook) => Ok(webhook.render(notification, context)),
        };
        let message = message?;
        if let Some(error) = &message.template_error {
            let group = &notification.group;
            tracing::warn!(
                receiver = group.receiver,
                integration = group.integration,
                error,
                "a template failed; the default text is sent"
            );
        }
        Ok(message)
    }

    /// Makes one attempt to send one part (from 0) of a message that this integration rendered.
    ///
    /// Errors: it was not accepted, or nobody knows; see [`crate::Class`].
    pub async fn send(&self, message: &Message, part: usize) -> Result<(), SendError> {
        let Some(part) = message.parts.get(part) else {
            return Err(SendError::permanent("the message has no such part"));
        };
        match &self.channel {
            Channel::Email(email) => email.send(part).await,
            Channel::Slack(slack) => slack.send(part).await,
            Channel::Telegram(telegram) => telegram.send(part).await,
            Channel::Webhook(webhook) => webhook.send(part).await,
        }
    }
}
