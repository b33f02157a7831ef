//! Between the words of the domain and the values of the template library.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{TemplateError, Value};
use model::Labels;

/// A map with the given fields.
pub(crate) fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (Arc::from(name), value));
    Value::Map(Arc::new(fields.collect()))
}

/// Labels as a map of texts.
pub(crate) fn of_labels(labels: &Labels) -> Value {
    map(labels
        .iter()
        .map(|(name, value)| (name, Value::String(value.into()))))
}

/// A field of a value. In a map of texts, what is not there is an empty text; in a record it is an error, as in Go.
pub(crate) fn get(receiver: &Value, name: &str) -> Result<Value, TemplateError> {
    let Value::Map(fields) = receiver else {
        let message = match receiver {
            Value::Nil => format!("nil data; no entry for key {name:?}"),
            _ => format!(
                "can't evaluate field {name} in type {}",
                type_name(receiver)
            ),
        };
        return Err(TemplateError::Exec(message));
    };
    match fields.get(name) {
        Some(value) => Ok(value.clone()),
        None if is_record(fields) => {
            let message = format!("can't evaluate field {name} in type struct");
            Err(TemplateError::Exec(message))
        }
        None => Ok(Value::String("".into())),
    }
}

/// A sample, or what a template sees as a whole: both have labels, which are no text.
fn is_record(fields: &BTreeMap<Arc<str>, Value>) -> bool {
    matches!(fields.get("Labels"), Some(Value::Map(_)))
}

/// A type as Go names it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        _ => "func",
    }
}
