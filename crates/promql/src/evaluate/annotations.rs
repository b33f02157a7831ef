//! Warnings and infos about a query, each once, in the order of their first occurrence.

use std::cell::RefCell;

use crate::Span;

/// Most annotations of one kind that are kept, so that a million series do not give a million texts.
const KEPT_MAX: usize = 100;

/// What has been noticed so far.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    warnings: RefCell<Vec<String>>,
    infos: RefCell<Vec<String>>,
}

impl Annotations {
    /// Something that is probably wrong with the expression at `span`.
    pub(super) fn warn(&self, span: Span, text: &str) {
        add(
            &self.warnings,
            format!("PromQL warning: {text} ({})", span.start),
        );
    }

    /// Something that may be wrong with the expression at `span`.
    pub(super) fn inform(&self, span: Span, text: &str) {
        add(&self.infos, format!("PromQL info: {text} ({})", span.start));
    }

    pub(super) fn into_texts(self) -> (Vec<String>, Vec<String>) {
        (self.warnings.into_inner(), self.infos.into_inner())
    }
}

fn add(texts: &RefCell<Vec<String>>, text: String) {
    let mut texts = texts.borrow_mut();
    if texts.len() < KEPT_MAX && !texts.contains(&text) {
        texts.push(text);
    }
}
