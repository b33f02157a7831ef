//! Templates of labels and annotations: Go's language with Prometheus' functions and variables.
//!
//! A text is parsed once, after a prelude that names `$labels`, `$externalLabels`, `$externalURL` and `$value`. Its
//! tree is rewritten ([`rewrite`]) where the library differs from Go: fields of maps and how values are shown. An
//! [`Expander`] joins it with the functions of one evaluation; a failure becomes the text, as in Prometheus.

mod format;
mod functions;
mod rewrite;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gotmpl::parse::{DefineNode, ListNode, Node, Parser};
use gotmpl::{FuncMap, Value};
use model::{Labels, Timestamp};

use crate::Environment;

pub(crate) use functions::table_link;

/// What Prometheus puts before each text.
const PRELUDE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// How often the loops of one expansion may turn; an annotation lists some series, not a database.
const LOOPS_MAX: u64 = 100_000;

/// The longest text, of an expansion or a variable, in bytes; it is to be read by people.
const LENGTH_MAX: usize = 64 << 10;

/// A template that parses; two are equal if their texts are.
#[derive(Clone)]
pub struct Template {
    text: Arc<str>,
    /// By name; the text itself has the empty one. Nothing if the text holds no action.
    trees: Option<Arc<BTreeMap<String, ListNode>>>,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub(crate) message: String,
    /// The byte of the text at which it was noticed.
    pub(crate) offset: usize,
}

impl Template {
    /// Parses a text.
    ///
    /// Errors: what is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut template = Self::verbatim(text);
        if !text.contains("{{") {
            return Ok(template);
        }
        let Some((tree, defines)) = parse_whole(text)? else {
            return Err(stray(text));
        };
        let mut trees = BTreeMap::new();
        for define in defines {
            trees.insert(define.name.to_string(), define.body);
        }
        trees.insert(String::new(), tree);
        for tree in trees.values_mut() {
            rewrite::rewrite(tree).map_err(|unknown| TemplateError {
                message: unknown.message,
                offset: unknown.offset.saturating_sub(PRELUDE.len()),
            })?;
        }
        template.trees = Some(Arc::new(trees));
        Ok(template)
    }

    /// A text in which nothing is expanded.
    pub(crate) fn verbatim(text: &str) -> Self {
        Self {
            text: text.into(),
            trees: None,
        }
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
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

/// What a template sees of one alert.
pub(crate) struct Data(Value);

impl Data {
    pub(crate) fn new(labels: &Labels, value: f64, environment: &Environment) -> Self {
        let fields = [
            ("Labels", value::of_labels(labels)),
            (
                "ExternalLabels",
                value::of_labels(&environment.external_labels),
            ),
            (
                "ExternalURL",
                Value::String(environment.external_url.as_str().into()),
            ),
            ("Value", Value::Float(value)),
        ];
        Self(value::map(fields))
    }
}

/// The templates of a rule, ready for one evaluation.
pub(crate) struct Expander {
    name: String,
    /// By text, for those that have something to expand.
    ready: BTreeMap<Arc<str>, gotmpl::Template>,
}

impl Expander {
    pub(crate) fn new<'a>(
        alert_name: &str,
        templates: impl Iterator<Item = &'a Template>,
        environment: &Environment,
        at: Timestamp,
    ) -> Self {
        let mut expander = Self {
            name: format!("__alert_{alert_name}"),
            ready: BTreeMap::new(),
        };
        let mut functions: Option<FuncMap> = None;
        for template in templates {
            let Some(trees) = &template.trees else {
                continue;
            };
            let functions = functions.get_or_insert_with(|| functions::all(environment, at));
            let mut ready = gotmpl::Template::new(&expander.name)
                .max_range_iters(LOOPS_MAX)
                .funcs(functions.clone());
            for (name, tree) in &**trees {
                ready = ready.add_parse_tree(name, tree.clone());
            }
            expander.ready.insert(Arc::clone(&template.text), ready);
        }
        expander
    }

    /// The text for one alert; if it cannot be made, what is wrong.
    pub(crate) fn expand(&self, template: &Template, data: &Data) -> String {
        let Some(ready) = self.ready.get(&template.text) else {
            return template.text.to_string();
        };
        let mut text = Bounded(String::new());
        match ready.execute_template_fmt(&mut text, "", &data.0) {
            Ok(()) => text.0,
            Err(error) => format!(
                "<error expanding template: error executing template {}: {}>",
                self.name,
                functions::message(&error)
            ),
        }
    }
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

/// The library stops at an `{{end}}` that ends nothing and says nothing, so a mark behind the text must be found again.
///
/// None if it is not.
fn parse_whole(text: &str) -> Result<Option<(ListNode, Vec<DefineNode>)>, TemplateError> {
    const MARK: char = '\0';
    let whole = format!("{PRELUDE}{text}{MARK}");
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
fn stray(text: &str) -> TemplateError {
    for (offset, braces) in text.match_indices("{{") {
        let action = text[offset + braces.len()..]
            .trim_start_matches('-')
            .trim_start();
        let ends = action.starts_with("end") || action.starts_with("else");
        if ends && matches!(parse_whole(&text[..offset]), Ok(Some(_))) {
            let name = if action.starts_with("end") {
                "end"
            } else {
                "else"
            };
            let message = format!("unexpected {{{{{name}}}}}");
            return TemplateError { message, offset };
        }
    }
    let message = "unexpected {{end}}".to_owned();
    TemplateError { message, offset: 0 }
}

fn located(error: gotmpl::TemplateError, text: &str) -> TemplateError {
    let (line, column, message) = match error {
        gotmpl::TemplateError::Parse {
            line, col, message, ..
        }
        | gotmpl::TemplateError::Lex {
            line, col, message, ..
        } => (line, col, message),
        other => (1, 1, other.to_string()),
    };
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    // Only the first line stands behind the prelude.
    let before = if line <= 1 { PRELUDE.len() } else { 0 };
    let column = column.saturating_sub(1).saturating_sub(before);
    let offset = text[start..]
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(offset, _)| start + offset);
    TemplateError { message, offset }
}
