//! The values that a template sees.
//!
//! The library has maps and lists only. A map with [`KIND`] in it is a record (an alert, a sample, a moment …); one
//! without is a map of texts, in which what is not there is an empty text.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::SafeKind;

pub use gotmpl::Value;

use crate::language::{Failure, Outcome};

/// The key that no label has, and that names the kind of a record.
pub const KIND: &str = "\0kind";

/// The fields of a map.
pub type Fields = BTreeMap<Arc<str>, Value>;

/// A text.
pub fn string(text: impl Into<Arc<str>>) -> Value {
    Value::String(text.into())
}

/// A list.
pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

/// A map with the given fields.
pub fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (Arc::from(name), value));
    Value::Map(Arc::new(fields.collect()))
}

/// A map of texts.
pub fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    map(pairs.into_iter().map(|(name, text)| (name, string(text))))
}

/// A record of a kind.
pub fn record<'a>(kind: &str, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    map(fields.into_iter().chain([(KIND, string(kind))]))
}

/// A text that is HTML already.
///
/// Errors: it is no text.
pub fn safe_html(value: &Value) -> Outcome {
    let kind = SafeKind::Html;
    let s = text(value)?;
    Ok(Value::Safe { kind, s })
}

/// A text that is a URL already.
///
/// Errors: it is no text.
pub fn safe_url(value: &Value) -> Outcome {
    let kind = SafeKind::Url;
    let s = text(value)?;
    Ok(Value::Safe { kind, s })
}

/// The kind of a record; empty for anything else.
pub fn kind(value: &Value) -> &str {
    match value {
        Value::Map(fields) => match fields.get(KIND) {
            Some(Value::String(kind)) => kind,
            _ => "",
        },
        _ => "",
    }
}

/// A field of a value. In a map of texts, what is not there is an empty text.
///
/// Errors: a record without such a field, or no map.
pub fn field(receiver: &Value, name: &str) -> Outcome {
    match receiver {
        Value::Map(fields) => match fields.get(name) {
            Some(value) => Ok(value.clone()),
            None if fields.contains_key(KIND) => Err(no_field(name, receiver)),
            None => Ok(string("")),
        },
        Value::Nil => Err(Failure::new(format!("nil data; no entry for key {name:?}"))),
        _ => Err(no_field(name, receiver)),
    }
}

/// The failure that a value has no such field.
pub fn no_field(name: &str, receiver: &Value) -> Failure {
    let kind = match kind(receiver) {
        "" => type_name(receiver),
        kind => kind,
    };
    Failure::new(format!("can't evaluate field {name} in type {kind}"))
}

/// A value that must be a text.
///
/// Errors: it is none.
pub fn text(value: &Value) -> Result<Arc<str>, Failure> {
    match value {
        Value::String(text) | Value::Safe { s: text, .. } => Ok(Arc::clone(text)),
        other => Err(Failure::new(format!(
            "wrong type for value; expected string; got {}",
            type_name(other)
        ))),
    }
}

/// A value that must be a number, or a text that holds one.
///
/// Errors: it is none.
pub fn number(value: &Value) -> Result<f64, Failure> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        Value::String(text) => text.parse().map_err(|_| {
            Failure::new(format!(
                "strconv.ParseFloat: parsing {text:?}: invalid syntax"
            ))
        }),
        other => Err(Failure::new(format!(
            "can't convert {} to float64",
            type_name(other)
        ))),
    }
}

/// A type as Go names it.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint",
        Value::Float(_) => "float64",
        Value::String(_) | Value::Safe { .. } => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Function(_) => "func",
    }
}
