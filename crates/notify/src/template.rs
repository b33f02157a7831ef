//! Texts of the configuration in Go's template language, with Alertmanager's data and functions.
//!
//! A text is parsed once; its tree is rewritten ([`rewrite`]) where the library differs from Go: fields and methods,
//! and how values are shown. For one message an [`Expander`] joins the trees of the configuration's files, the own ones
//! (`default.tmpl`, which only call [`crate::default_text`]) and the functions. Time stands still at the moment at
//! which the notification was decided, so that each attempt sends the same.

mod data;
mod files;
mod functions;
mod layout;
mod rewrite;
mod time;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use alerts::Notification;
use document::{Value, nearest};
use gotmpl::parse::{DefineNode, ListNode, Node, Parser};
use gotmpl::{FuncMap, html};

use crate::default_text::DefaultText;
use crate::escape;
use crate::integration::Context;

pub(crate) use files::Templates;

/// How often the loops of one expansion may turn; a message lists some alerts, not a database.
const LOOPS_MAX: u64 = 100_000;

/// The longest text of an expansion, in bytes; a mail of this length is read by nobody.
const LENGTH_MAX: usize = 256 << 10;

/// The templates that every configuration has, and may replace.
static OWN: LazyLock<BTreeMap<String, ListNode>> = LazyLock::new(|| {
    let parsed = parse(include_str!("template/default.tmpl"));
    parsed.expect("invariant: the own templates parse").defines
});

/// A text with or without actions; equal if the texts are.
#[derive(Clone)]
pub(crate) struct Template {
    text: Arc<str>,
    /// Nothing if the text holds no action.
    parsed: Option<Arc<Parsed>>,
}

/// The trees of a text.
pub(crate) struct Parsed {
    main: ListNode,
    pub(crate) defines: BTreeMap<String, ListNode>,
    /// The names of the templates that it calls, each with its place.
    pub(crate) calls: Vec<(String, usize)>,
}

/// Why a text is no template.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) message: String,
    /// The byte at which it was noticed.
    pub(crate) offset: usize,
}

impl Template {
    /// Reads a text; notes a problem if it does not parse or calls a template that is not there.
    pub(crate) fn read(value: &Value<'_>, templates: &Templates) -> Option<Self> {
        let text = value.clone().text()?;
        let mut template = Self::plain(text);
        if !text.contains("{{") {
            return Some(template);
        }
        let parsed = match parse(text) {
            Ok(parsed) => parsed,
            Err(broken) => {
                let place = place(text, broken.offset);
                value.refuse(format!("at {place} of the template: {}", broken.message));
                return None;
            }
        };
        for (name, _) in &parsed.calls {
            if !parsed.defines.contains_key(name) {
                refuse_unknown(name, templates, value);
            }
        }
        template.parsed = Some(Arc::new(parsed));
        Some(template)
    }

    /// A text in which nothing is expanded.
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            text: text.into(),
            parsed: None,
        }
    }

    /// The text as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to expand.
    pub(crate) fn is_plain(&self) -> bool {
        self.parsed.is_none()
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

/// Expands the templates of one message.
pub(crate) struct Expander<'a> {
    templates: &'a Templates,
    notification: &'a Notification,
    external_url: &'a str,
    data: gotmpl::Value,
}

/// Where an expansion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A text without markup, or with one that the template's writer cares for.
    Text,
    /// HTML, for which everything that is inserted is escaped.
    Html,
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
        let parsed = parse(&call).map_err(|broken| broken.message)?;
        self.execute(&parsed, target)
    }

    fn expand(&self, template: &Template, target: Target) -> Result<String, String> {
        match &template.parsed {
            None => Ok(template.text.to_string()),
            Some(parsed) => self.execute(parsed, target),
        }
    }

    fn execute(&self, parsed: &Parsed, target: Target) -> Result<String, String> {
        // A name that no file gives to its own templates; the library starts only at a text that it parsed itself.
        const MAIN: &str = "\u{1}message";
        const START: &str = "{{ template \"\u{1}message\" . }}";
        let functions = self.functions(target);
        let files = self.templates.trees();
        let named = OWN.iter().chain(files).chain(&parsed.defines);
        let mut text = Bounded(String::new());
        let executed = match target {
            Target::Text => {
                let mut ready = gotmpl::Template::new("")
                    .max_range_iters(LOOPS_MAX)
                    .funcs(functions);
                for (name, tree) in named {
                    ready = ready.add_parse_tree(name, tree.clone());
                }
                let ready = ready.add_parse_tree(MAIN, parsed.main.clone());
                ready.execute_template_fmt(&mut text, MAIN, &self.data)
            }
            Target::Html => {
                let mut ready = html::Template::new("")
                    .max_range_iters(LOOPS_MAX)
                    .funcs(functions)
                    .parse(START)
                    .map_err(|error| functions::message(&error))?;
                for (name, tree) in named {
                    ready = ready
                        .add_parse_tree(name, tree.clone())
                        .map_err(|error| functions::message(&error))?;
                }
                let ready = ready.add_parse_tree(MAIN, parsed.main.clone());
                ready.and_then(|ready| ready.execute_fmt(&mut text, &self.data))
            }
        };
        match executed {
            Ok(()) => Ok(text.0),
            Err(error) => Err(escape::line(&functions::message(&error), 300)),
        }
    }

    fn functions(&self, target: Target) -> FuncMap {
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

/// A text of at most [`LENGTH_MAX`] bytes.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LENGTH_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Parses and rewrites a text.
///
/// Errors: what is wrong, and where.
pub(crate) fn parse(text: &str) -> Result<Parsed, Broken> {
    let Some((mut main, defines)) = parse_whole(text)? else {
        return Err(stray(text));
    };
    let mut calls = Vec::new();
    rewrite::rewrite(&mut main, &mut calls)?;
    let mut trees = BTreeMap::new();
    for mut define in defines {
        rewrite::rewrite(&mut define.body, &mut calls)?;
        trees.insert(define.name.to_string(), define.body);
    }
    Ok(Parsed {
        main,
        defines: trees,
        calls,
    })
}

/// `line 3, column 7`.
pub(crate) fn place(text: &str, offset: usize) -> String {
    let before = &text[..text.floor_char_boundary(offset.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[start..].chars().count() + 1;
    format!("line {line}, column {column}")
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

/// The library stops at an `{{end}}` that ends nothing and says nothing, so a mark behind the text must be found again.
///
/// None if it is not.
fn parse_whole(text: &str) -> Result<Option<(ListNode, Vec<DefineNode>)>, Broken> {
    const MARK: char = '\0';
    let whole = format!("{text}{MARK}");
    let parsed = Parser::with_name(None, &whole, "{{", "}}").and_then(Parser::parse);
    let (mut tree, defines) = parsed.map_err(|error| located(error, text))?;
    let Some(Node::Text(last)) = tree.nodes.last_mut() else {
        return Ok(None);
    };
    let Some(without) = last.text.strip_suffix(MARK) else {
        return Ok(None);
    };
    last.text = without.into();
    Ok(Some((tree, defines)))
}

/// The first `{{end}}` or `{{else}}` before which everything is closed.
fn stray(text: &str) -> Broken {
    for (offset, braces) in text.match_indices("{{") {
        let action = text[offset + braces.len()..]
            .trim_start_matches('-')
            .trim_start();
        let name = ["end", "else"]
            .into_iter()
            .find(|name| action.starts_with(name));
        if let Some(name) = name
            && matches!(parse_whole(&text[..offset]), Ok(Some(_)))
        {
            let message = format!("unexpected {{{{{name}}}}}");
            return Broken { message, offset };
        }
    }
    let message = "unexpected {{end}}".to_owned();
    Broken { message, offset: 0 }
}

fn located(error: gotmpl::TemplateError, text: &str) -> Broken {
    let (line, column, message) = match error {
        gotmpl::TemplateError::Parse {
            line, col, message, ..
        }
        | gotmpl::TemplateError::Lex {
            line, col, message, ..
        } => (line, col, message),
        other => (1, 1, other.to_string()),
    };
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    let offset = text[start..]
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(text.len(), |(offset, _)| start + offset);
    Broken { message, offset }
}

#[cfg(test)]
mod tests;
