//! Texts of the configuration in Go's template language, with Alertmanager's data and functions.
//!
//! A text is parsed once. For one message an [`Expander`] joins it with the trees of the configuration's files, the own
//! ones (`default.tmpl`, which only call [`crate::default_text`]) and the functions. Time stands still at the moment at
//! which the notification was decided, so that each attempt sends the same.

mod data;
mod files;
mod functions;
mod layout;
mod time;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use alerts::Notification;
use document::{Value, nearest};
use template::{Failure, Functions, Language, Parsed, Ready, Tree};

use crate::default_text::DefaultText;
use crate::escape;
use crate::integration::Context;

pub(crate) use files::Templates;
pub(crate) use template::Target;

/// Go's language as Alertmanager's configuration speaks it.
static LANGUAGE: Language = Language {
    prelude: "",
    functions: &functions::PLAIN,
    bound: &functions::BOUND,
    method: value::method,
    written: time::shown,
    // A mail of this length is read by nobody.
    length_max: 256 << 10,
};

/// The templates that every configuration has, and may replace.
static OWN: LazyLock<BTreeMap<String, Tree>> = LazyLock::new(|| {
    let parsed = Parsed::parse(&LANGUAGE, include_str!("template/default.tmpl"));
    parsed.expect("invariant: the own templates parse").defines
});

/// A text with or without actions; equal if the texts are.
#[derive(Clone, PartialEq)]
pub(crate) struct Template(template::Template);

impl Template {
    /// Reads a text; notes a problem if it does not parse or calls a template that is not there.
    pub(crate) fn read(value: &Value<'_>, templates: &Templates) -> Option<Self> {
        let text = value.clone().text()?;
        let template = match template::Template::parse(&LANGUAGE, text) {
            Ok(template) => template,
            Err(broken) => {
                let place = broken.place(text);
                value.refuse(format!("at {place} of the template: {}", broken.message));
                return None;
            }
        };
        if let Some(parsed) = template.parsed() {
            for name in &parsed.calls {
                if !parsed.defines.contains_key(name) {
                    refuse_unknown(name, templates, value);
                }
            }
        }
        Some(Self(template))
    }

    /// A text in which nothing is expanded.
    pub(crate) fn plain(text: &str) -> Self {
        Self(template::Template::plain(text))
    }

    /// The text as it was written.
    pub(crate) fn text(&self) -> &str {
        self.0.text()
    }

    /// Whether there is nothing to expand.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.parsed().is_none()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Expands the templates of one message.
pub(crate) struct Expander<'a> {
    templates: &'a Templates,
    notification: &'a Notification,
    external_url: &'a str,
    data: template::Value,
}

impl<'a> Expander<'a> {
    pub(crate) fn new(
        templates: &'a Templates,
        notification: &'a Notification,
        context: &'a Context,
    ) -> Self {
        Self {
            templates,
            notification,
            external_url: &context.external_url,
            data: data::of(notification, &context.external_url),
        }
    }

    /// The text for a notification.
    ///
    /// Errors: what is wrong with the template.
    pub(crate) fn text(&self, template: &Template) -> Result<String, String> {
        self.expand(template, Target::Text)
    }

    /// The same with whatever it inserts escaped for HTML.
    pub(crate) fn html(&self, template: &Template) -> Result<String, String> {
        self.expand(template, Target::Html)
    }

    /// What a named template says that the configuration may have replaced.
    pub(crate) fn named(&self, name: &str, target: Target) -> Result<String, String> {
        // Nothing needs to be joined if it is the own one.
        if !self.templates.has(name) {
            let default = DefaultText::new(self.notification, self.external_url);
            if let Some(text) = default.named(name, target) {
                return Ok(text);
            }
        }
        let call = format!("{{{{ template {name:?} . }}}}");
        let parsed = Parsed::parse(&LANGUAGE, &call).map_err(|broken| broken.message)?;
        self.execute(&parsed, target)
    }

    fn expand(&self, template: &Template, target: Target) -> Result<String, String> {
        match template.0.parsed() {
            None => Ok(template.text().to_owned()),
            Some(parsed) => self.execute(parsed, target),
        }
    }

    fn execute(&self, parsed: &Parsed, target: Target) -> Result<String, String> {
        let files = self.templates.trees();
        let named = OWN.iter().chain(files).chain(&parsed.defines);
        let text = Ready::new(target, self.functions(target), named, &parsed.main)
            .and_then(|ready| ready.execute(&self.data));
        text.map_err(|failure: Failure| escape::line(&failure.to_string(), 300))
    }

    fn functions(&self, target: Target) -> Functions {
        let notification = self.notification.clone();
        let external_url = self.external_url.to_owned();
        let default = move |name: &str| {
            let default = DefaultText::new(&notification, &external_url);
            default.named(name, target)
        };
        functions::all(self.notification.decided_at, target, default)
    }
}

/// What a message says at its end when a template failed.
pub(crate) fn note(failure: &str) -> String {
    format!("(The configured template failed: {failure})")
}

fn refuse_unknown(name: &str, templates: &Templates, value: &Value<'_>) {
    if templates.has(name) || OWN.contains_key(name) {
        return;
    }
    let known = templates.trees().keys().chain(OWN.keys());
    let hint = match nearest(name, known.map(String::as_str)) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "define it in a file of templates".to_owned(),
    };
    value.refuse(format!("there is no template {name:?}; {hint}"));
}

#[cfg(test)]
mod tests;
