//! A message that is ready to be sent, in one or more parts.

use std::fmt;

use lettre::address::Envelope;

/// What [`crate::Integration::render`] made of a notification; equal if its parts are.
#[derive(Clone, PartialEq)]
pub struct Message {
    pub(crate) parts: Vec<Part>,
    pub(crate) template_error: Option<String>,
}

/// What is sent at once.
#[derive(Clone, PartialEq)]
pub(crate) enum Part {
    /// A whole mail with its headers.
    Mail { envelope: Envelope, bytes: Vec<u8> },
    /// The body of a request; `key` is the same at each attempt.
    Json { body: Vec<u8>, key: String },
    /// Two bodies of a request: with markup, and without for a server that does not understand it.
    Marked { body: Vec<u8>, plain: Vec<u8> },
}

impl Message {
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self {
            parts,
            template_error: None,
        }
    }

    /// How many parts it has, at least one; each is sent by itself.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Why a template of the configuration could not be used; the message then has the default text instead.
    pub fn template_error(&self) -> Option<&str> {
        self.template_error.as_deref()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.parts.iter().map(|part| match part {
            Part::Mail { bytes, .. } => String::from_utf8_lossy(bytes),
            Part::Json { body, .. } | Part::Marked { body, .. } => String::from_utf8_lossy(body),
        });
        formatter.debug_list().entries(texts).finish()
    }
}
