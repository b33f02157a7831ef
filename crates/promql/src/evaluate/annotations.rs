//! Warnings and infos about a query, each once, in the order of the places that they are about.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::{Position, Span};

/// Most annotations of one kind that are kept, so that a million series do not give a million texts.
const KEPT_MAX: usize = 100;

/// What has been noticed so far.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    warnings: Mutex<Noted>,
    infos: Mutex<Noted>,
}

/// Sorted, so that what is kept does not depend on which thread was first.
type Noted = BTreeSet<(Position, String)>;

impl Annotations {
    /// Something that is probably wrong with the expression at `span`.
    pub(super) fn warn(&self, span: Span, text: impl Into<String>) {
        add(&self.warnings, span, text.into());
    }

    /// Something that may be wrong with the expression at `span`.
    pub(super) fn inform(&self, span: Span, text: impl Into<String>) {
        add(&self.infos, span, text.into());
    }

    pub(super) fn into_texts(self) -> (Vec<String>, Vec<String>) {
        let texts = |noted: Mutex<Noted>, kind: &str| {
            let noted = noted
                .into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let shown = |(at, text)| format!("PromQL {kind}: {text} ({at})");
            noted.into_iter().map(shown).collect()
        };
        (texts(self.warnings, "warning"), texts(self.infos, "info"))
    }
}

fn add(noted: &Mutex<Noted>, span: Span, text: String) {
    let mut noted = noted
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    noted.insert((span.start, text));
    if noted.len() > KEPT_MAX {
        noted.pop_last();
    }
}
