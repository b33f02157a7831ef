//! A JSON value that remembers the order and the repetition of its fields.
//!
//! `serde_json::Value` silently keeps the last of two fields of one name; here both stay, so that it can be told.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::IngestError;

/// Values in one body. Two bytes of JSON become a value of 32 and more, so the bytes alone bound nothing; and since
/// each sample takes a value, no body has more samples than the store takes at once.
const VALUES_MAX: usize = 1_000_000;

/// A batch is an object with a list of objects with objects of labels.
const DEPTH_MAX: usize = 8;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads a body, in which no list is longer than `list_max`. The limits are kept while reading.
///
/// Errors: no JSON, one that is nested too deep or too large.
pub(super) fn read(body: &[u8], list_max: usize) -> Result<Json, IngestError> {
    let budget = Budget {
        list_max,
        values_left: Cell::new(VALUES_MAX),
        exceeded: Cell::new(None),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Reader::new(&budget).deserialize(&mut deserializer);
    let read = read.and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| match budget.exceeded.take() {
        Some((what, limit)) => IngestError::TooMany { what, limit },
        None => IngestError::Syntax(error.to_string()),
    })
}

impl Json {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// What a body may still take.
struct Budget {
    list_max: usize,
    values_left: Cell<usize>,
    /// What there is too much of, and how much is allowed.
    exceeded: Cell<Option<(&'static str, usize)>>,
}

impl Budget {
    /// Ends the reading; serde's error is replaced by what is noted here.
    fn exceed<E: Error>(&self, what: &'static str, limit: usize) -> E {
        self.exceeded.set(Some((what, limit)));
        E::custom("too large")
    }
}

/// Reads the values at one depth.
#[derive(Clone, Copy)]
struct Reader<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(budget: &'a Budget) -> Self {
        Self { budget, depth: 0 }
    }

    fn below<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format_args!(
                "values are nested deeper than {DEPTH_MAX} levels"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let Some(left) = self.budget.values_left.get().checked_sub(1) else {
            return Err(self.budget.exceed("values", VALUES_MAX));
        };
        self.budget.values_left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            if list.len() == self.budget.list_max {
                return Err(self
                    .budget
                    .exceed("entries in a list", self.budget.list_max));
            }
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let mut fields = Vec::new();
        while let Some(name) = entries.next_key()? {
            fields.push((name, entries.next_value_seed(below)?));
        }
        Ok(Json::Object(fields))
    }
}
