//! Alertmanager's functions for templates, and the few that close the gap to Go.

use std::sync::Arc;

use gotmpl::{FuncMap, SafeKind, TemplateError, Value, ValueFunc};
use model::Timestamp;
use regex::{Regex, RegexBuilder};

use super::rewrite::{GET, KEEP, SHOW};
use super::value::{KIND, Outcome, failure, get, json, kind, list, type_name};
use super::{LENGTH_MAX, Target, time};
use crate::http::base64;

/// What Go's language has by itself.
const BUILT_IN: [&str; 19] = [
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js",
    "urlquery", "call", "eq", "ne", "lt", "le", "gt", "ge",
];

/// Those that depend on where and when they are called.
const BOUND: [&str; 4] = ["__default", "now", "since", GET];

/// The largest regular expression, in bytes of its machine; they come from a configuration, so they are small.
const REGEX_MAX: usize = 1 << 20;

/// A function that depends on its arguments alone, and how many it takes: exactly, or at least.
type Plain = (&'static str, Count, fn(&[Value]) -> Outcome);

#[derive(Clone, Copy)]
enum Count {
    Is(usize),
    Least(usize),
}

use Count::{Is, Least};

const PLAIN: [Plain; 27] = [
    (SHOW, Is(1), |given| Ok(shown(&given[0]))),
    (KEEP, Is(1), |given| kept(&given[0])),
    ("index", Least(1), index),
    ("toUpper", Is(1), |given| {
        Ok(string(text(&given[0])?.to_uppercase()))
    }),
    ("toLower", Is(1), |given| {
        Ok(string(text(&given[0])?.to_lowercase()))
    }),
    ("title", Is(1), |given| Ok(string(title(&text(&given[0])?)))),
    ("trimSpace", Is(1), |given| {
        Ok(string(text(&given[0])?.trim().to_owned()))
    }),
    ("join", Is(2), |given| join(&text(&given[0])?, &given[1])),
    ("match", Is(2), |given| {
        Ok(Value::Bool(regex(&given[0])?.is_match(&text(&given[1])?)))
    }),
    ("reReplaceAll", Is(3), |given| {
        let (with, within) = (text(&given[1])?, text(&given[2])?);
        let replaced = regex(&given[0])?.replace_all(&within, &*with).into_owned();
        kept(&string(replaced))
    }),
    ("safeHtml", Is(1), |given| safe(SafeKind::Html, &given[0])),
    ("safeUrl", Is(1), |given| safe(SafeKind::Url, &given[0])),
    ("urlUnescape", Is(1), |given| {
        url_unescaped(&text(&given[0])?)
    }),
    ("stringSlice", Least(0), |given| {
        Ok(list(given.iter().cloned()))
    }),
    ("list", Least(0), |given| Ok(list(given.iter().cloned()))),
    ("append", Least(1), append),
    ("dict", Least(0), dict),
    ("date", Is(2), |given| {
        time::formatted(&given[1], &text(&given[0])?)
    }),
    ("tz", Is(2), |given| {
        time::in_zone(&given[1], &text(&given[0])?)
    }),
    ("toDate", Is(2), |given| {
        let parsed = time::parsed(&text(&given[0])?, &text(&given[1])?);
        Ok(parsed.unwrap_or_else(|_| time::never()))
    }),
    ("mustToDate", Is(2), |given| {
        time::parsed(&text(&given[0])?, &text(&given[1])?)
    }),
    ("humanizeDuration", Is(1), |given| {
        Ok(string(humanize_duration(number(&given[0])?)))
    }),
    ("toJson", Is(1), |given| {
        kept(&string(json(&given[0]).to_string()))
    }),
    ("base64encode", Is(1), |given| {
        kept(&string(base64(text(&given[0])?.as_bytes())))
    }),
    ("base64decode", Is(1), |given| {
        base64_decoded(&text(&given[0])?)
    }),
    ("routeLabels", Least(0), |_| Ok(super::value::texts([]))),
    ("print", Least(0), |given| {
        let texts: Vec<String> = given.iter().map(written).collect();
        Ok(string(texts.concat()))
    }),
];

/// Whether a template may call it.
pub(crate) fn is_known(name: &str) -> bool {
    let plain = PLAIN.iter().any(|(plain, ..)| *plain == name);
    plain || BUILT_IN.contains(&name) || BOUND.contains(&name)
}

/// All of them, at a moment; `default` gives the own text of a name.
pub(crate) fn all(
    at: Timestamp,
    target: Target,
    default: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> FuncMap {
    let mut functions = FuncMap::new();
    for (name, count, function) in PLAIN {
        add(&mut functions, name, move |given| {
            let (fits, word, wanted) = match count {
                Is(count) => (given.len() == count, "", count),
                Least(count) => (given.len() >= count, "at least ", count),
            };
            if fits {
                return function(given);
            }
            let got = given.len();
            Err(failure(format!(
                "wrong number of args for {name}: want {word}{wanted} got {got}"
            )))
        });
    }
    add(&mut functions, GET, |given| match given {
        [receiver, name, arguments @ ..] => get(receiver, &text(name)?, arguments),
        _ => Err(failure("a field needs a value")),
    });
    add(&mut functions, "now", move |_| Ok(time::of(at)));
    add(&mut functions, "since", move |given| match given {
        [moment] => time::until(moment, at),
        _ => Err(failure("wrong number of args for since: want 1")),
    });
    add(&mut functions, "__default", move |given| {
        let [name] = given else {
            return Err(failure("wrong number of args for __default: want 1"));
        };
        let name = text(name)?;
        let Some(text) = default(&name) else {
            return Err(failure(format!("there is no default text {name:?}")));
        };
        let is_markup = matches!(&*name, "email.default.html" | "telegram.default.message");
        if is_markup && target == Target::Html {
            return safe(SafeKind::Html, &string(text));
        }
        Ok(string(text))
    });
    functions
}

fn add(
    functions: &mut FuncMap,
    name: &str,
    function: impl Fn(&[Value]) -> Outcome + Send + Sync + 'static,
) {
    let named = name.to_owned();
    let function: ValueFunc = Arc::new(move |given: &[Value]| {
        function(given).map_err(|error| match &*named {
            GET | SHOW | KEEP => error,
            named => failure(format!("error calling {named}: {}", message(&error))),
        })
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
fn kept(value: &Value) -> Outcome {
    match value {
        Value::String(text) if text.len() > LENGTH_MAX => Err(failure(too_long())),
        other => Ok(other.clone()),
    }
}

fn string(text: String) -> Value {
    Value::String(text.into())
}

fn safe(kind: SafeKind, value: &Value) -> Outcome {
    let s = text(value)?;
    Ok(Value::Safe { kind, s })
}

fn text(value: &Value) -> Result<Arc<str>, TemplateError> {
    match value {
        Value::String(text) | Value::Safe { s: text, .. } => Ok(Arc::clone(text)),
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
        Value::String(text) => text
            .parse()
            .map_err(|_| failure(format!("{text:?} is no number"))),
        other => time::seconds(other)
            .ok_or_else(|| failure(format!("can't convert {} to float64", type_name(other)))),
    }
}

/// What an action shows; what is known to be safe stays so.
fn shown(value: &Value) -> Value {
    match value {
        Value::Safe { .. } => value.clone(),
        other => string(written(other)),
    }
}

fn written(value: &Value) -> String {
    match value {
        // Go's templates have this for what is not there.
        Value::Nil => "<no value>".to_owned(),
        Value::Safe { s, .. } => s.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Map(fields) => {
            if let Some(shown) = time::shown(value) {
                return shown;
            }
            let fields = fields.iter().filter(|(name, _)| &***name != KIND);
            if kind(value).is_empty() {
                let fields: Vec<String> = fields
                    .map(|(name, value)| format!("{name}:{}", written(value)))
                    .collect();
                return format!("map[{}]", fields.join(" "));
            }
            let fields: Vec<String> = fields.map(|(_, value)| written(value)).collect();
            format!("{{{}}}", fields.join(" "))
        }
        other => other.to_string(),
    }
}

fn join(separator: &str, items: &Value) -> Outcome {
    let Value::List(items) = items else {
        return Err(failure(format!(
            "wrong type for value; expected a list; got {}",
            type_name(items)
        )));
    };
    let texts: Vec<String> = items.iter().map(written).collect();
    kept(&string(texts.join(separator)))
}

fn append(given: &[Value]) -> Outcome {
    let Value::List(items) = &given[0] else {
        return Err(failure("append needs a list"));
    };
    // A loop adds one each time it turns, and turns a bounded number of times.
    Ok(list(items.iter().chain(&given[1..]).cloned()))
}

fn dict(given: &[Value]) -> Outcome {
    if !given.len().is_multiple_of(2) {
        return Err(failure("dict needs names and values by turns"));
    }
    let mut fields = std::collections::BTreeMap::new();
    for pair in given.chunks(2) {
        fields.insert(text(&pair[0])?, pair[1].clone());
    }
    Ok(Value::Map(Arc::new(fields)))
}

/// Go's own gives the empty text for a label that is not there.
fn index(given: &[Value]) -> Outcome {
    let Some((collection, keys)) = given.split_first() else {
        return Err(failure("wrong number of args for index: want at least 1"));
    };
    let mut value = collection.clone();
    for key in keys {
        value = match (&value, key) {
            (Value::Map(fields), key) => match fields.get(&text(key)?) {
                Some(found) => found.clone(),
                None => string(String::new()),
            },
            (Value::List(items), Value::Int(position)) => usize::try_from(*position)
                .ok()
                .and_then(|position| items.get(position))
                .cloned()
                .ok_or_else(|| failure(format!("index out of range: {position}")))?,
            (other, _) => {
                let name = type_name(other);
                return Err(failure(format!("can't index item of type {name}")));
            }
        };
    }
    Ok(value)
}

fn regex(value: &Value) -> Result<Regex, TemplateError> {
    RegexBuilder::new(&text(value)?)
        .size_limit(REGEX_MAX)
        .build()
        .map_err(|error| failure(error.to_string()))
}

/// Each word with a large first letter, the rest unchanged.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for letter in text.chars() {
        if in_word {
            titled.push(letter);
        } else {
            titled.extend(letter.to_uppercase());
        }
        in_word = letter.is_alphanumeric() || matches!(letter, '_' | '\'');
    }
    titled
}

/// `%20` and `+` as what they stand for.
fn url_unescaped(text: &str) -> Outcome {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(failure("invalid URL escape"));
                };
                bytes.push((high * 16 + low) as u8);
            }
            other => bytes.push(other),
        }
    }
    Ok(string(String::from_utf8_lossy(&bytes).into_owned()))
}

fn base64_decoded(text: &str) -> Outcome {
    let invalid = || failure("this is no base64");
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\n' | b'\r' => continue,
            _ => return Err(invalid()),
        };
        buffer = (buffer << 6 | u32::from(digit)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    Ok(string(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Seconds as `1d 2h 3m 4s`, `4.25s`, `3ms`.
fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value == 0.0 {
        return "0s".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let value = value.abs();
    if value < 1.0 {
        let (scale, unit) = match value {
            1e-3.. => (1e3, "ms"),
            1e-6.. => (1e6, "us"),
            _ => (1e9, "ns"),
        };
        return format!("{sign}{}{unit}", significant(value * scale));
    }
    let whole = value as u64;
    let (days, hours) = (whole / 86400, whole / 3600 % 24);
    let (minutes, seconds) = (whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", significant(value)),
        (0, 0, minutes) => format!("{sign}{minutes}m {seconds}s"),
        (0, hours, minutes) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        (days, hours, minutes) => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

/// A number of 1 to 1000 with four digits that count.
fn significant(value: f64) -> String {
    let decimals = match value {
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
