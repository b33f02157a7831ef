//! The keys of a mapping, each read at most once; what nobody asked for is a problem.

use crate::nearest::nearest;
use crate::path::Path;
use crate::problem::Problem;
use crate::source::Span;
use crate::tree::{Document, Entry};
use crate::value::Value;

/// A mapping that is being read; [`Section::finish`] refuses the keys that were not asked for.
#[must_use = "call `finish`, or unknown keys stay unseen"]
#[derive(Debug)]
pub struct Section<'d> {
    document: &'d Document,
    entries: &'d [Entry],
    span: Span,
    path: Path,
    known: Vec<&'static str>,
    unsupported: Vec<&'static str>,
}

impl<'d> Section<'d> {
    pub(crate) fn new(
        document: &'d Document,
        entries: &'d [Entry],
        span: Span,
        path: Path,
    ) -> Self {
        Self {
            document,
            entries,
            span,
            path,
            known: Vec::new(),
            unsupported: Vec::new(),
        }
    }

    pub(crate) fn absent(document: &'d Document) -> Self {
        Self::new(document, &[], Span::from(0..0), Path::default())
    }

    /// The value of a key; absent if the key is, or if it is null.
    pub fn value(&mut self, key: &'static str) -> Option<Value<'d>> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| &*entry.key == key)?;
        let value = Value::new(self.document, entry.value, self.path.key(key));
        (!value.is_null()).then_some(value)
    }

    /// The value of a key that must be there; notes a problem if it is not.
    pub fn required(&mut self, key: &'static str) -> Option<Value<'d>> {
        let value = self.value(key);
        if value.is_none() {
            let entry = self.entries.iter().find(|entry| &*entry.key == key);
            let (span, message) = match entry {
                Some(entry) => (entry.key_span, format!("{key} needs a value")),
                None => (
                    Span::from(self.span.start..self.span.start),
                    format!("the key {key:?} is missing here"),
                ),
            };
            self.note(span, key, message);
        }
        value
    }

    /// The section of a key; if the key is absent, an empty one.
    pub fn section(&mut self, key: &'static str) -> Section<'d> {
        let empty = Section::new(self.document, &[], self.span, self.path.key(key));
        match self.value(key) {
            Some(value) => value.section().unwrap_or(empty),
            None => empty,
        }
    }

    /// Every key and value, for a mapping whose keys are free, such as labels; nothing is unknown then.
    pub fn pairs(self) -> Vec<(&'d str, Value<'d>)> {
        self.entries
            .iter()
            .map(|entry| {
                let value = Value::new(self.document, entry.value, self.path.key(&entry.key));
                (&*entry.key, value)
            })
            .collect()
    }

    /// Keys that exist by name and are refused, since this version does nothing with them.
    pub fn unsupported(&mut self, keys: impl IntoIterator<Item = &'static str>) {
        self.unsupported.extend(keys);
    }

    /// Refuses every key that was not asked for, with the nearest one that could have been meant.
    pub fn finish(self) {
        self.finish_with(|_| None);
    }

    /// Like [`Section::finish`]; `hint` may know better what a key was meant for.
    pub fn finish_with(self, hint: impl Fn(&str) -> Option<String>) {
        for entry in self.entries {
            let key = &*entry.key;
            if self.known.contains(&key) {
                continue;
            }
            let message = if self.unsupported.contains(&key) {
                format!("{key} is not supported yet; remove it")
            } else {
                let hint = hint(key).unwrap_or_else(|| self.suggestion(key));
                format!("unknown key {key:?}; {hint}")
            };
            self.note(entry.key_span, key, message);
        }
    }

    fn suggestion(&self, key: &str) -> String {
        let names = self.known.iter().chain(&self.unsupported).copied();
        if let Some(name) = nearest(key, names) {
            return format!("did you mean {name:?}?");
        }
        let mut known = self.known.clone();
        known.sort_unstable();
        known.dedup();
        format!("the keys here are {}", known.join(", "))
    }

    fn note(&self, span: Span, key: &str, message: String) {
        let path = self.path.key(key);
        self.document
            .note(Problem::new(self.document.source(), span, path, message));
    }
}
