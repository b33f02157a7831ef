//! The functions that every language has: Go's own, and those that Prometheus and Alertmanager share.

use std::collections::HashSet;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::language::{Count, Failure, Function, Language, Outcome};
use crate::number::humanize_duration;
use crate::value::{Value, field, kind, number, string, text, type_name};

/// What the library has of Go's language.
pub(crate) const BUILT_IN: [&str; 19] = [
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js",
    "urlquery", "call", "eq", "ne", "lt", "le", "gt", "ge",
];

/// The largest regular expression, in bytes of its machine; people write them, so they are small.
const REGEX_MAX: usize = 1 << 20;

/// How deep lists and maps may nest in a variable; writing and dropping them takes stack for each level.
const NESTING_MAX: usize = 100;

pub(crate) const SHARED: [Function; 6] = [
    ("index", Count::Least(1), index),
    ("toUpper", Count::Is(1), |given| {
        Ok(string(upper(&text(&given[0])?)))
    }),
    ("toLower", Count::Is(1), |given| {
        Ok(string(lower(&text(&given[0])?)))
    }),
    ("match", Count::Is(2), |given| {
        Ok(Value::Bool(regex(&given[0])?.is_match(&text(&given[1])?)))
    }),
    ("reReplaceAll", Count::Is(3), |given| {
        let (with, within) = (text(&given[1])?, text(&given[2])?);
        let replaced = regex(&given[0])?.replace_all(&within, &*with).into_owned();
        Ok(string(replaced))
    }),
    ("humanizeDuration", Count::Is(1), |given| {
        Ok(string(humanize_duration(number(&given[0])?)))
    }),
];

/// What an action shows; what is known to be safe stays so.
pub(crate) fn shown(language: &Language, value: &Value) -> Outcome {
    match value {
        // Go's templates have this for what is not there.
        Value::Nil => Ok(string("<no value>")),
        Value::Safe { .. } => Ok(value.clone()),
        other => language.write(other).map(string),
    }
}

/// A value that a variable may hold; else a loop could double a text without end.
pub(crate) fn kept(language: &Language, value: Value) -> Outcome {
    match &value {
        Value::String(text) | Value::Safe { s: text, .. } if text.len() > language.length_max => {
            Err(Failure::TooLong(language.length_max))
        }
        _ => Ok(value),
    }
}

/// A value that a variable may be given; else a loop could put it into a list in a list without end.
pub(crate) fn assigned(value: &Value) -> Outcome {
    let mut level = vec![value];
    for _ in 0..NESTING_MAX {
        // What stands in several places is looked at once, since a few lists can stand in a great many.
        let mut seen = HashSet::new();
        let mut next = Vec::new();
        for outer in level {
            let mut note = |inner| {
                if address(inner).is_some_and(|address| seen.insert(address)) {
                    next.push(inner);
                }
            };
            match outer {
                Value::List(items) => items.iter().for_each(&mut note),
                Value::Map(fields) => fields.values().for_each(&mut note),
                _ => {}
            }
        }
        if next.is_empty() {
            return Ok(value.clone());
        }
        level = next;
    }
    let message = format!("lists and maps nest deeper than {NESTING_MAX} levels");
    Err(Failure::new(message))
}

/// Where a list or map stands in memory.
fn address(value: &Value) -> Option<usize> {
    match value {
        Value::List(items) => Some(items.as_ptr().addr()),
        Value::Map(fields) => Some(Arc::as_ptr(fields).addr()),
        _ => None,
    }
}

/// As Go's, with a space between two neighbours of which neither is a text.
pub(crate) fn print(language: &Language, given: &[Value]) -> Outcome {
    let is_text = |value: &Value| matches!(value, Value::String(_) | Value::Safe { .. });
    let mut printed = String::new();
    let mut after_text = true;
    for value in given {
        if !after_text && !is_text(value) {
            printed.push(' ');
        }
        printed.push_str(&language.write(value)?);
        after_text = is_text(value);
    }
    Ok(string(printed))
}

/// As Go's, with a space between all neighbours.
pub(crate) fn println(language: &Language, given: &[Value]) -> Outcome {
    let written = given.iter().map(|value| language.write(value));
    let written: Vec<String> = written.collect::<Result<_, _>>()?;
    Ok(string(written.join(" ") + "\n"))
}

/// A value for a function of the library, to which records are unknown.
pub(crate) fn plain(language: &Language, value: &Value) -> Outcome {
    let is_record = |value: &Value| !kind(value).is_empty();
    match value {
        Value::List(items) if items.iter().any(is_record) => language.write(value).map(string),
        value if is_record(value) => language.write(value).map(string),
        other => Ok(other.clone()),
    }
}

/// Go's own gives the empty text for a label that is not there.
fn index(given: &[Value]) -> Outcome {
    let mut value = given[0].clone();
    for key in &given[1..] {
        value = match (&value, key) {
            (Value::Map(_), key) => field(&value, &text(key)?)?,
            (Value::List(items), Value::Int(position)) => usize::try_from(*position)
                .ok()
                .and_then(|position| items.get(position))
                .cloned()
                .ok_or_else(|| Failure::new(format!("index out of range: {position}")))?,
            (other, _) => {
                let name = type_name(other);
                return Err(Failure::new(format!("can't index item of type {name}")));
            }
        };
    }
    Ok(value)
}

fn regex(value: &Value) -> Result<Regex, Failure> {
    RegexBuilder::new(&text(value)?)
        .size_limit(REGEX_MAX)
        .build()
        .map_err(|error| Failure::new(error.to_string()))
}

/// Go changes letter by letter: what would become two letters stays as it is.
fn single(letter: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(changed), None) => changed,
        _ => letter,
    }
}

fn upper(text: &str) -> String {
    let upper = |letter: char| single(letter, letter.to_uppercase());
    text.chars().map(upper).collect()
}

fn lower(text: &str) -> String {
    let lower = |letter: char| single(letter, letter.to_lowercase());
    text.chars().map(lower).collect()
}

/// Each word with a large first letter, the rest unchanged; what belongs to a word differs between Go's two ways.
pub fn title(text: &str, in_word: impl Fn(char) -> bool) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut is_inner = false;
    for letter in text.chars() {
        if is_inner {
            titled.push(letter);
        } else {
            titled.push(single(letter, letter.to_uppercase()));
        }
        is_inner = in_word(letter);
    }
    titled
}
