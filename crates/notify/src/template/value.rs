//! Fields and methods of the values that a template sees.
//!
//! The library has maps and lists only. A map with [`KIND`] in it is a record (an alert, a pair, a moment …); one
//! without is a map of texts, in which what is not there is an empty text.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{TemplateError, Value};

use super::time;

/// The key that no label has, and that names the kind of a record.
pub(crate) const KIND: &str = "\0kind";

pub(crate) type Outcome = Result<Value, TemplateError>;

/// The fields of a map.
pub(crate) type Fields = BTreeMap<Arc<str>, Value>;

/// A map of texts.
pub(crate) fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let pairs = pairs
        .into_iter()
        .map(|(name, text)| (Arc::from(name), Value::String(text.into())));
    Value::Map(Arc::new(pairs.collect()))
}

/// A record of a kind.
pub(crate) fn record<'a>(kind: &str, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut map: Fields = fields
        .into_iter()
        .map(|(name, value)| (Arc::from(name), value))
        .collect();
    map.insert(KIND.into(), Value::String(kind.into()));
    Value::Map(Arc::new(map))
}

/// The kind of a record; empty for anything else.
pub(crate) fn kind(value: &Value) -> &str {
    match value {
        Value::Map(fields) => match fields.get(KIND) {
            Some(Value::String(kind)) => kind,
            _ => "",
        },
        _ => "",
    }
}

/// A field of a value, or what its method gives for arguments.
pub(crate) fn get(receiver: &Value, name: &str, given: &[Value]) -> Outcome {
    match receiver {
        Value::Map(_) if matches!(kind(receiver), "time" | "duration") => {
            time::method(receiver, name, given)
        }
        Value::Map(fields) if fields.contains_key(KIND) => match fields.get(name) {
            Some(value) if given.is_empty() => Ok(value.clone()),
            Some(_) => Err(failure(format!("{name} is no method"))),
            None => Err(no_field(name, receiver)),
        },
        Value::Map(fields) => of_texts(fields, name, given),
        Value::List(items) => of_list(items, name).ok_or_else(|| no_field(name, receiver)),
        Value::Nil => Err(failure(format!("nil data; no entry for key {name:?}"))),
        _ => Err(no_field(name, receiver)),
    }
}

fn of_texts(fields: &Arc<Fields>, name: &str, given: &[Value]) -> Outcome {
    match (name, given) {
        ("SortedPairs", []) => Ok(pairs(fields)),
        ("Names", []) => Ok(list(
            fields.keys().map(|name| Value::String(Arc::clone(name))),
        )),
        ("Values", []) => Ok(list(fields.values().cloned())),
        ("Remove", [names]) => {
            let Value::List(names) = names else {
                return Err(failure("Remove needs a list of names"));
            };
            let mut kept = Fields::clone(fields);
            for name in names.iter() {
                if let Value::String(name) = name {
                    kept.remove(name);
                }
            }
            Ok(Value::Map(Arc::new(kept)))
        }
        (name, []) => Ok(fields
            .get(name)
            .cloned()
            .unwrap_or_else(|| Value::String("".into()))),
        (name, _) => Err(failure(format!("{name} is no method"))),
    }
}

/// Pairs in Alertmanager's order: `alertname` first, the others by name.
fn pairs(fields: &Fields) -> Value {
    const FIRST: &str = "alertname";
    let first = fields.get_key_value(FIRST);
    let others = fields.iter().filter(|(name, _)| &***name != FIRST);
    list(first.into_iter().chain(others).map(|(name, value)| {
        let name = Value::String(Arc::clone(name));
        record("pair", [("Name", name), ("Value", value.clone())])
    }))
}

fn of_list(items: &Arc<[Value]>, name: &str) -> Option<Value> {
    let is_all = |expected: &str| items.iter().all(|item| kind(item) == expected);
    let of = |field: &str| {
        let field = |item: &Value| get(item, field, &[]).unwrap_or(Value::Nil);
        list(items.iter().map(field))
    };
    match name {
        "Names" if is_all("pair") => Some(of("Name")),
        "Values" if is_all("pair") => Some(of("Value")),
        "Firing" | "Resolved" if is_all("alert") => {
            let status = name.to_lowercase();
            let has = |item: &&Value| matches!(get(item, "Status", &[]), Ok(Value::String(text)) if *text == *status);
            Some(list(items.iter().filter(has).cloned()))
        }
        _ => None,
    }
}

pub(crate) fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::List(items.collect())
}

/// A value as JSON, for `toJson`.
pub(crate) fn json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => (&**text).into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(_) if matches!(kind(value), "time" | "duration") => time::json(value),
        Value::Map(fields) => {
            let is_record = fields.contains_key(KIND);
            let fields = fields.iter().filter(|(name, _)| &***name != KIND);
            let fields = fields.map(|(name, value)| (key(name, is_record), json(value)));
            Json::Object(fields.collect())
        }
        Value::Safe { s, .. } => (&**s).into(),
        Value::Function(_) => Json::Null,
    }
}

/// A field's name in JSON, as in webhooks: `startsAt`, `generatorURL`.
fn key(name: &str, is_record: bool) -> String {
    if !is_record {
        return name.to_owned();
    }
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

pub(crate) fn failure(message: impl Into<String>) -> TemplateError {
    TemplateError::Exec(message.into())
}

fn no_field(name: &str, receiver: &Value) -> TemplateError {
    let kind = match kind(receiver) {
        "" => type_name(receiver),
        kind => kind,
    };
    failure(format!("can't evaluate field {name} in type {kind}"))
}

/// A type as Go names it.
pub(crate) fn type_name(value: &Value) -> &'static str {
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
