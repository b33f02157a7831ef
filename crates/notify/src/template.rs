//! Texts of the configuration in Go's template language.

use std::path::Path;
use std::sync::Arc;

use alerts::Notification;
use document::Value;

use crate::default_text::DefaultText;
use crate::integration::Context;
use crate::overlap;

/// The templates that the files of `templates` define.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Templates;

/// A text with or without actions; equal if the texts are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    text: Arc<str>,
}

/// Expands the templates of one message.
pub(crate) struct Expander {
    notification: Notification,
    external_url: String,
}

impl Templates {
    pub(crate) fn read(value: Option<Value<'_>>, _directory: &Path) -> Self {
        let _ = value;
        Self
    }
}

impl Template {
    /// Reads a text; notes a problem if it does not parse.
    pub(crate) fn read(value: &Value<'_>) -> Option<Self> {
        let text = value.clone().text()?.into();
        Some(Self { text })
    }

    /// A text in which nothing is expanded.
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.into() }
    }

    /// The text as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to expand.
    pub(crate) fn is_plain(&self) -> bool {
        !self.text.contains("{{")
    }
}

impl Expander {
    pub(crate) fn new(_: &Templates, notification: &Notification, context: &Context) -> Self {
        Self {
            notification: notification.clone(),
            external_url: context.external_url.clone(),
        }
    }

    /// The text for a notification.
    ///
    /// Errors: what is wrong with the template.
    pub(crate) fn text(&self, template: &Template) -> Result<String, String> {
        Ok(template.text().to_owned())
    }

    /// A named template.
    pub(crate) fn default_text(&self, name: &str) -> Result<String, String> {
        let default = DefaultText::new(&self.notification, &self.external_url);
        Ok(match name {
            "email.default.subject" | "slack.default.title" | "slack.default.fallback" => {
                default.subject()
            }
            "slack.default.text" => default.slack(),
            "slack.default.titlelink" => default.link().to_owned(),
            "slack.default.color" if overlap::is_firing(&self.notification) => "danger".to_owned(),
            "slack.default.color" => "good".to_owned(),
            "telegram.default.message" => default.plain(),
            _ => String::new(),
        })
    }

    /// A named template for HTML.
    pub(crate) fn default_html(&self, name: &str) -> Result<String, String> {
        let default = DefaultText::new(&self.notification, &self.external_url);
        Ok(match name {
            "telegram.default.message" => default.telegram(),
            _ => default.html(),
        })
    }

    /// The same with whatever it inserts escaped for HTML.
    pub(crate) fn html(&self, template: &Template) -> Result<String, String> {
        Ok(template.text().to_owned())
    }
}

/// What a message says at its end when a template failed.
pub(crate) fn note(failure: &str) -> String {
    format!("(The configured template failed: {failure})")
}
