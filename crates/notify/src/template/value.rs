//! Methods of the values that a template sees, and what they are in JSON.

use std::sync::Arc;

use template::{Failure, Fields, KIND, Outcome, Value, field, kind, list, record, string};

use super::time;

/// What a value's method gives for arguments; none if it has no such method.
pub(super) fn method(receiver: &Value, name: &str, given: &[Value]) -> Option<Outcome> {
    match receiver {
        Value::Map(_) if matches!(kind(receiver), "time" | "duration") => {
            Some(time::method(receiver, name, given))
        }
        Value::Map(fields) if !fields.contains_key(KIND) => of_texts(fields, name, given),
        Value::List(items) => of_list(items, name).map(Ok),
        _ => None,
    }
}

fn of_texts(fields: &Arc<Fields>, name: &str, given: &[Value]) -> Option<Outcome> {
    let given = match (name, given) {
        ("SortedPairs", []) => pairs(fields),
        ("Names", []) => list(fields.keys().map(|name| string(Arc::clone(name)))),
        ("Values", []) => list(fields.values().cloned()),
        ("Remove", [names]) => {
            let Value::List(names) = names else {
                return Some(Err(Failure::new("Remove needs a list of names")));
            };
            let mut kept = Fields::clone(fields);
            for name in names.iter() {
                if let Value::String(name) = name {
                    kept.remove(name);
                }
            }
            Value::Map(Arc::new(kept))
        }
        _ => return None,
    };
    Some(Ok(given))
}

/// Pairs in Alertmanager's order: `alertname` first, the others by name.
fn pairs(fields: &Fields) -> Value {
    const FIRST: &str = "alertname";
    let first = fields.get_key_value(FIRST);
    let others = fields.iter().filter(|(name, _)| &***name != FIRST);
    list(first.into_iter().chain(others).map(|(name, value)| {
        let name = string(Arc::clone(name));
        record("pair", [("Name", name), ("Value", value.clone())])
    }))
}

fn of_list(items: &Arc<[Value]>, name: &str) -> Option<Value> {
    let is_all = |expected: &str| items.iter().all(|item| kind(item) == expected);
    let of = |field: &str| {
        let field = |item: &Value| template::field(item, field).unwrap_or(Value::Nil);
        list(items.iter().map(field))
    };
    match name {
        "Names" if is_all("pair") => Some(of("Name")),
        "Values" if is_all("pair") => Some(of("Value")),
        "Firing" | "Resolved" if is_all("alert") => {
            let status = name.to_lowercase();
            let has = |item: &&Value| matches!(field(item, "Status"), Ok(Value::String(text)) if *text == *status);
            Some(list(items.iter().filter(has).cloned()))
        }
        _ => None,
    }
}

/// A value as JSON, for `toJson`.
pub(super) fn json(value: &Value) -> serde_json::Value {
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
