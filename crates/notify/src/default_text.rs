//! The text of a message if nobody wrote another one: what, where, since when, what to look at.
//!
//! One [`Report`] is made of a notification and written in four markups. Its durations count from the moment at which
//! the notification was decided, so that each attempt sends the same.

mod html;
mod report;

use std::fmt::Write as _;

use alerts::Notification;

use crate::escape;
use crate::template::Target;
use report::{Entry, Report};

/// How long a subject may be, in characters; more is shown by no list of mails.
const SUBJECT_MAX: usize = 150;

/// The default texts of a notification.
pub(crate) struct DefaultText<'a> {
    report: Report<'a>,
}

impl<'a> DefaultText<'a> {
    pub(crate) fn new(notification: &'a Notification, external_url: &'a str) -> Self {
        let report = Report::new(notification, external_url);
        Self { report }
    }

    /// `[FIRING:2] MonitorDown shop (web)`, one line.
    pub(crate) fn subject(&self) -> String {
        escape::line(&self.report.subject, SUBJECT_MAX)
    }

    /// All of it without markup.
    pub(crate) fn plain(&self) -> String {
        let mut text = self.subject();
        text.push_str("\n\n");
        text.push_str(&self.body(&Markup::PLAIN));
        text
    }

    /// A whole page for a mail.
    pub(crate) fn html(&self) -> String {
        html::page(&self.report, &self.subject())
    }

    /// What stands under the title in Slack.
    pub(crate) fn slack(&self) -> String {
        self.body(&Markup::SLACK)
    }

    /// All of it in Telegram's HTML.
    pub(crate) fn telegram(&self) -> String {
        let subject = escape::html(&self.subject());
        format!("<b>{subject}</b>\n\n{}", self.body(&Markup::TELEGRAM))
    }

    /// The text of a template that people know by this name; None if it says nothing by itself.
    pub(crate) fn named(&self, name: &str, target: Target) -> Option<String> {
        Some(match (name, target) {
            ("email.default.subject", _) => self.subject(),
            ("email.default.html", _) => self.html(),
            ("email.default.text", _) => self.plain(),
            ("slack.default.title" | "slack.default.fallback", _) => escape::slack(&self.subject()),
            ("slack.default.titlelink", _) => self.link().to_owned(),
            ("slack.default.text", _) => self.slack(),
            ("telegram.default.message", Target::Html) => self.telegram(),
            ("telegram.default.message", Target::Text) => self.plain(),
            _ => return None,
        })
    }

    /// Where the receiver's alerts are shown; may be empty.
    pub(crate) fn link(&self) -> &'a str {
        self.report.external_url
    }

    /// The alerts of one kind, as a list without markup.
    pub(crate) fn body(&self, markup: &Markup) -> String {
        let report = &self.report;
        let mut text = String::new();
        if !report.labels.is_empty() {
            let _ = writeln!(text, "{}\n", (markup.escape)(&report.labels));
        }
        for (heading, entries, left_out) in report.sections() {
            let count = entries.len() + left_out;
            let heading = format!("{heading} ({count})");
            let _ = writeln!(text, "{}", markup.strong(&heading));
            for entry in entries {
                markup.write_entry(&mut text, entry);
            }
            if left_out > 0 {
                let _ = writeln!(text, "… and {left_out} more");
            }
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        if escape::is_link(report.external_url) {
            let _ = write!(
                text,
                "\n\n{}",
                markup.link("Campanile", report.external_url)
            );
        }
        text
    }
}

/// How a text is marked up.
pub(crate) struct Markup {
    escape: fn(&str) -> String,
    /// What stands around a strong text.
    strong: [&'static str; 2],
    link: fn(name: &str, url: &str) -> String,
}

impl Markup {
    pub(crate) const PLAIN: Self = Self {
        escape: str::to_owned,
        strong: ["", ""],
        link: |name, url| format!("{name}: {url}"),
    };

    const SLACK: Self = Self {
        escape: escape::slack,
        strong: ["*", "*"],
        // Slack ends an address at these two, whatever else it does with entities.
        link: |name, url| {
            let url = url
                .replace('|', "%7C")
                .replace('>', "%3E")
                .replace('<', "%3C");
            format!("<{}|{name}>", url.replace('&', "&amp;"))
        },
    };

    const TELEGRAM: Self = Self {
        escape: escape::html,
        strong: ["<b>", "</b>"],
        link: |name, url| format!("<a href=\"{}\">{name}</a>", escape::html(url)),
    };

    fn strong(&self, text: &str) -> String {
        let [before, after] = self.strong;
        format!("{before}{}{after}", (self.escape)(text))
    }

    fn link(&self, name: &str, url: &str) -> String {
        (self.link)(name, url)
    }

    fn write_entry(&self, text: &mut String, entry: &Entry) {
        let _ = writeln!(text, "• {}", self.strong(&entry.title));
        for line in entry.lines() {
            let _ = writeln!(text, "  {}", (self.escape)(&line));
        }
        if entry.links.is_empty() {
            return;
        }
        // A link without markup is long; each has its own line then.
        let separator = if self.strong[0].is_empty() {
            "\n  "
        } else {
            " · "
        };
        let links: Vec<String> = entry
            .links
            .iter()
            .map(|(name, url)| self.link(name, url))
            .collect();
        let _ = writeln!(text, "  {}", links.join(separator));
    }
}

#[cfg(test)]
mod tests;
