//! A language: Go's with what one user of it adds.

use std::fmt::{self, Write};

use crate::number::shortest;
use crate::rewrite::INTERNAL;
use crate::value::{KIND, Value, field, kind};
use crate::{execution::Bounded, functions};

/// What a function gives.
pub type Outcome = Result<Value, Failure>;

/// A function that depends on its arguments alone: its name, how many it takes, and what it does with them.
pub type Function = (&'static str, Count, fn(&[Value]) -> Outcome);

/// What a user of templates adds to Go's language.
pub struct Language {
    /// What stands before each text; one line, which is in no place that is told.
    pub prelude: &'static str,
    /// Functions besides those of Go and of every language; one of the same name takes the place of theirs.
    pub functions: &'static [Function],
    /// The names of functions that depend on where and when they are called, for [`crate::Functions::add`].
    pub bound: &'static [&'static str],
    /// What a method gives for a receiver, its name and its arguments; none if there is no such method.
    pub method: fn(&Value, &str, &[Value]) -> Option<Outcome>,
    /// How a record is written; none if as in Go.
    pub written: fn(&Value) -> Option<String>,
    /// The longest text, of an expansion, a variable or a function's result, in bytes.
    pub length_max: usize,
}

/// How many arguments a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly so many.
    Is(usize),
    /// So many or more.
    Least(usize),
}

/// Why there is no text, or no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It would be longer than so many bytes.
    #[error("the text is longer than {0} bytes")]
    TooLong(usize),
    /// A template asks for what is not there, or a function refused.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// A refusal in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Refused(message.into())
    }
}

impl Language {
    /// Whether a template may call a function of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut own = self.functions.iter().chain(&functions::SHARED);
        own.any(|(own, ..)| *own == name)
            || functions::BUILT_IN.contains(&name)
            || self.bound.contains(&name)
            || INTERNAL.contains(&name)
    }

    /// A field of a value, or what its method gives for arguments.
    pub(crate) fn get(&self, receiver: &Value, name: &str, given: &[Value]) -> Outcome {
        if let Some(outcome) = (self.method)(receiver, name, given) {
            return outcome;
        }
        match field(receiver, name) {
            Ok(_) if !given.is_empty() => Err(Failure::new(format!("{name} is no method"))),
            outcome => outcome,
        }
    }

    /// A value as Go writes it, also inside lists and maps.
    ///
    /// Errors: it is too long.
    pub fn write(&self, value: &Value) -> Result<String, Failure> {
        let mut text = Bounded::new(self.length_max);
        match self.write_to(&mut text, value) {
            Ok(()) => Ok(text.into_text()),
            Err(fmt::Error) => Err(Failure::TooLong(self.length_max)),
        }
    }

    fn write_to(&self, text: &mut Bounded, value: &Value) -> fmt::Result {
        match value {
            Value::Nil => text.write_str("<nil>"),
            Value::Float(number) => text.write_str(&shortest(*number)),
            Value::List(items) => {
                text.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        text.write_char(' ')?;
                    }
                    self.write_to(text, item)?;
                }
                text.write_char(']')
            }
            Value::Map(fields) => {
                if let Some(written) = (self.written)(value) {
                    return text.write_str(&written);
                }
                let is_record = !kind(value).is_empty();
                text.write_str(if is_record { "{" } else { "map[" })?;
                let fields = fields.iter().filter(|(name, _)| &***name != KIND);
                for (index, (name, value)) in fields.enumerate() {
                    if index > 0 {
                        text.write_char(' ')?;
                    }
                    if !is_record {
                        write!(text, "{name}:")?;
                    }
                    self.write_to(text, value)?;
                }
                text.write_char(if is_record { '}' } else { ']' })
            }
            other => write!(text, "{other}"),
        }
    }
}
