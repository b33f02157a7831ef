//! Prometheus' functions for templates, and the few that close the gap to Go.

use std::net::IpAddr;
use std::sync::Arc;

use gotmpl::{FuncMap, TemplateError, Value, ValueFunc};
use model::{Timestamp, duration};
use regex::Regex;

use super::LENGTH_MAX;
use super::format::{
    humanize, humanize_duration, humanize_percentage, humanize_timestamp, humanize1024, shortest,
};
use super::rewrite::{BOUND_TEXT, GET, SHOW};
use super::value::{get, map, of_labels, type_name};
use crate::Environment;

/// What Go's language has by itself.
const BUILT_IN: [&str; 19] = [
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js",
    "urlquery", "call", "eq", "ne", "lt", "le", "gt", "ge",
];

type Outcome = Result<Value, TemplateError>;

/// A function that depends on its arguments alone, and their number.
type Plain = (&'static str, usize, fn(&[Value]) -> Outcome);

const PLAIN: [Plain; 25] = [
    (BOUND_TEXT, 1, |given| bounded(&given[0])),
    (GET, 2, |given| get(&given[0], &text(&given[1])?)),
    (SHOW, 1, |given| Ok(shown(&given[0]))),
    ("first", 1, |given| first(&given[0])),
    ("label", 2, |given| {
        get(&get(&given[1], "Labels")?, &text(&given[0])?)
    }),
    ("value", 1, |given| get(&given[0], "Value")),
    ("strvalue", 1, |given| {
        get(&get(&given[0], "Labels")?, "__value__")
    }),
    ("sortByLabel", 2, |given| {
        sort_by_label(&text(&given[0])?, &given[1])
    }),
    ("humanize", 1, |given| {
        Ok(string(humanize(number(&given[0])?)))
    }),
    ("humanize1024", 1, |given| {
        Ok(string(humanize1024(number(&given[0])?)))
    }),
    ("humanizeDuration", 1, |given| {
        Ok(string(humanize_duration(number(&given[0])?)))
    }),
    ("humanizePercentage", 1, |given| {
        Ok(string(humanize_percentage(number(&given[0])?)))
    }),
    ("humanizeTimestamp", 1, |given| timestamp(&given[0])),
    ("toTime", 1, |given| timestamp(&given[0])),
    ("title", 1, |given| Ok(string(title(&text(&given[0])?)))),
    ("toUpper", 1, |given| Ok(string(upper(&text(&given[0])?)))),
    ("toLower", 1, |given| Ok(string(lower(&text(&given[0])?)))),
    ("match", 2, |given| {
        Ok(Value::Bool(regex(&given[0])?.is_match(&text(&given[1])?)))
    }),
    ("reReplaceAll", 3, |given| {
        let (with, within) = (text(&given[1])?, text(&given[2])?);
        Ok(string(
            regex(&given[0])?.replace_all(&within, &*with).into_owned(),
        ))
    }),
    ("stripPort", 1, |given| {
        Ok(string(strip_port(&text(&given[0])?).to_owned()))
    }),
    ("stripDomain", 1, |given| {
        Ok(string(strip_domain(&text(&given[0])?)))
    }),
    ("parseDuration", 1, |given| {
        parse_duration(&text(&given[0])?)
    }),
    ("graphLink", 1, |given| {
        Ok(string(graph_link(&text(&given[0])?)))
    }),
    ("tableLink", 1, |given| {
        Ok(string(table_link(&text(&given[0])?)))
    }),
    ("safeHtml", 1, |given| Ok(given[0].clone())),
];

/// Those that depend on where and when they are called.
const BOUND: [&str; 5] = ["query", "args", "externalURL", "pathPrefix", "now"];

/// Whether a template may call it.
pub(crate) fn is_known(name: &str) -> bool {
    let plain = PLAIN.iter().any(|(plain, ..)| *plain == name);
    plain || BUILT_IN.contains(&name) || BOUND.contains(&name)
}

/// All of them, for an evaluation at a moment.
pub(crate) fn all(environment: &Environment, at: Timestamp) -> FuncMap {
    let mut functions = FuncMap::new();
    for (name, count, function) in PLAIN {
        add(&mut functions, name, move |given| {
            if given.len() == count {
                return function(given);
            }
            Err(failure(format!(
                "wrong number of args for {name}: want {count} got {}",
                given.len()
            )))
        });
    }
    let query = Arc::clone(&environment.query);
    add(&mut functions, "query", move |given| {
        let [expr] = given else {
            return Err(failure("wrong number of args for query: want 1"));
        };
        let expr = promql::parse(&text(expr)?).map_err(|error| failure(error.to_string()))?;
        let answer = query(&expr, at).map_err(|error| failure(error.to_string()))?;
        samples(answer.value)
    });
    add(&mut functions, "args", |given| {
        let names: Vec<String> = (0..given.len())
            .map(|index| format!("arg{index}"))
            .collect();
        Ok(map(names
            .iter()
            .map(String::as_str)
            .zip(given.iter().cloned())))
    });
    add(&mut functions, "index", index);
    let url = environment.external_url.clone();
    let path = path_of(&url).to_owned();
    add(&mut functions, "externalURL", move |_| {
        Ok(string(url.clone()))
    });
    add(&mut functions, "pathPrefix", move |_| {
        Ok(string(path.clone()))
    });
    add(&mut functions, "now", move |_| {
        Ok(Value::Float(at.as_seconds()))
    });
    functions
}

/// The path on this server at which an expression is shown as a table.
pub(crate) fn table_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", query_escaped(expr))
}

fn graph_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=0", query_escaped(expr))
}

fn add(
    functions: &mut FuncMap,
    name: &str,
    function: impl Fn(&[Value]) -> Outcome + Send + Sync + 'static,
) {
    let named = name.to_owned();
    let function: ValueFunc = Arc::new(move |given: &[Value]| {
        function(given)
            .map_err(|error| failure(format!("error calling {named}: {}", message(&error))))
    });
    functions.insert(name.to_owned(), function);
}

/// What went wrong, without the library's word for it.
pub(crate) fn message(error: &TemplateError) -> String {
    match error {
        TemplateError::Exec(message) => message.clone(),
        TemplateError::Write => too_long(),
        other => other.to_string(),
    }
}

fn too_long() -> String {
    format!("the text is longer than {LENGTH_MAX} bytes")
}

/// A value that a variable may hold; else a loop could double a text without end.
fn bounded(value: &Value) -> Outcome {
    match value {
        Value::String(text) if text.len() > LENGTH_MAX => Err(failure(too_long())),
        other => Ok(other.clone()),
    }
}

fn failure(message: impl Into<String>) -> TemplateError {
    TemplateError::Exec(message.into())
}

fn string(text: String) -> Value {
    Value::String(text.into())
}

fn text(value: &Value) -> Result<Arc<str>, TemplateError> {
    match value {
        Value::String(text) => Ok(Arc::clone(text)),
        other => Err(failure(format!(
            "wrong type for value; expected string; got {}",
            type_name(other)
        ))),
    }
}

fn number(value: &Value) -> Result<f64, TemplateError> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        Value::String(text) => text.parse().map_err(|_| {
            failure(format!(
                "strconv.ParseFloat: parsing {text:?}: invalid syntax"
            ))
        }),
        other => Err(failure(format!(
            "can't convert {} to float64",
            type_name(other)
        ))),
    }
}

/// What an action shows: numbers as Go writes them, also inside lists and maps.
fn shown(value: &Value) -> Value {
    match value {
        // Go's templates have this for what is not there.
        Value::Nil => string("<no value>".to_owned()),
        other => string(written(other)),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Float(number) => shortest(*number),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Map(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", written(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

/// The result of a query as a list of samples.
fn samples(value: promql::Value) -> Outcome {
    let vector = match value {
        promql::Value::Vector(vector) => vector,
        promql::Value::Scalar(sample) => vec![(model::Labels::empty(), sample)],
        _ => return Err(failure("query result is not a vector or scalar")),
    };
    let sample = |(labels, sample): (model::Labels, model::Sample)| {
        map([
            ("Labels", of_labels(&labels)),
            ("Value", Value::Float(sample.value)),
        ])
    };
    Ok(Value::List(vector.into_iter().map(sample).collect()))
}

fn first(value: &Value) -> Outcome {
    match value {
        Value::List(items) => match items.first() {
            Some(first) => Ok(first.clone()),
            None => Err(failure("first() called on vector with no elements")),
        },
        other => Err(failure(format!(
            "wrong type for value; expected a query's result; got {}",
            type_name(other)
        ))),
    }
}

fn sort_by_label(label: &str, value: &Value) -> Outcome {
    let Value::List(items) = value else {
        return first(value);
    };
    let mut keyed = Vec::with_capacity(items.len());
    for item in items.iter() {
        keyed.push((text(&get(&get(item, "Labels")?, label)?)?, item.clone()));
    }
    keyed.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(Value::List(
        keyed.into_iter().map(|(_, item)| item).collect(),
    ))
}

/// Go's own gives the empty text for a label that is not there.
fn index(given: &[Value]) -> Outcome {
    let Some((collection, keys)) = given.split_first() else {
        return Err(failure("wrong number of args for index: want at least 1"));
    };
    let mut value = collection.clone();
    for key in keys {
        value = match (&value, key) {
            (Value::Map(_), key) => get(&value, &text(key)?)?,
            (Value::List(items), Value::Int(position)) => usize::try_from(*position)
                .ok()
                .and_then(|position| items.get(position))
                .cloned()
                .ok_or_else(|| failure(format!("index out of range: {position}")))?,
            (other, _) => {
                return Err(failure(format!(
                    "can't index item of type {}",
                    type_name(other)
                )));
            }
        };
    }
    Ok(value)
}

fn timestamp(value: &Value) -> Outcome {
    let number = number(value)?;
    let shown = humanize_timestamp(number);
    let out_of_range = || {
        failure(format!(
            "{} cannot be represented as a nanoseconds timestamp since it overflows int64",
            shortest(number)
        ))
    };
    shown.map(string).ok_or_else(out_of_range)
}

/// Go changes letter by letter: what would become two letters stays as it is.
fn single(character: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(changed), None) => changed,
        _ => character,
    }
}

fn upper(text: &str) -> String {
    let upper = |character: char| single(character, character.to_uppercase());
    text.chars().map(upper).collect()
}

fn lower(text: &str) -> String {
    let lower = |character: char| single(character, character.to_lowercase());
    text.chars().map(lower).collect()
}

/// Each word with a large first letter, the rest unchanged.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        if in_word {
            titled.push(character);
        } else {
            titled.push(single(character, character.to_uppercase()));
        }
        in_word = match character {
            '_' => true,
            character if character.is_ascii() => character.is_ascii_alphanumeric(),
            character => !character.is_whitespace(),
        };
    }
    titled
}

fn regex(value: &Value) -> Result<Regex, TemplateError> {
    Regex::new(&text(value)?).map_err(|error| failure(error.to_string()))
}

/// `host:port` or `[host]:port` in two; none for anything else.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(host) => Some((host.strip_suffix(']')?, port)),
        None if host.contains([':', '[', ']']) => None,
        None => Some((host, port)),
    }
}

fn strip_port(text: &str) -> &str {
    split_host_port(text).map_or(text, |(host, _)| host)
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let short = host.split('.').next().unwrap_or(host);
    match port {
        "" => short.to_owned(),
        port => format!("{short}:{port}"),
    }
}

fn parse_duration(text: &str) -> Outcome {
    let parsed = duration::parse(text).map_err(|error| failure(error.to_string()))?;
    Ok(Value::Float(parsed.as_secs_f64()))
}

/// The path of a URL.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |slash| &rest[slash..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

fn query_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
