//! Tells people: turns a notification into messages and sends them by email, Slack, Telegram and webhook.
//!
//! [`Receivers::read`] reads Alertmanager's format. Of a receiver each [`Integration`] renders a notification to a
//! [`Message`], always the same for the same notification, and sends it part by part, one attempt each; a [`SendError`]
//! says whether another attempt makes sense. One channel is one file: [`email`], [`slack`], [`telegram`], [`webhook`].
//!
//! What it is not: it decides neither whether nor when something is sent, tries nothing twice and keeps nothing.

mod default_text;
mod email;
mod endpoint;
mod error;
mod escape;
mod global;
mod http;
mod identity;
mod integration;
mod message;
mod moment;
mod overlap;
mod receivers;
mod secret;
mod slack;
mod telegram;
mod template;
mod test_notification;
mod tls;
mod webhook;

#[cfg(test)]
mod tests;

pub use error::{Class, RenderError, SendError};
pub use integration::{Context, Integration};
pub use message::Message;
pub use receivers::Receivers;
pub use test_notification::test_notification;
