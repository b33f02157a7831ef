//! Every Rust file opens with what it holds.

use super::Finding;
use super::source::Source;

/// The first line is a `//!` with words.
pub(crate) fn check(source: &Source<'_>) -> Option<Finding> {
    let first = source.text.lines().next().unwrap_or("");
    let words = first.strip_prefix("//!").unwrap_or("").trim();
    words.is_empty().then(|| {
        Finding::new(
            source.path,
            1,
            "open the file with `//! …`: what it holds and the one idea needed to read it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_opening_words_is_found() {
        for text in [
            "",
            "use std::fs;",
            "//!\nuse std::fs;",
            "// words",
            "\n//! words",
        ] {
            assert!(check(&Source::new("a.rs", text)).is_some(), "{text:?}");
        }
        assert_eq!(
            check(&Source::new("a.rs", "//! The words.\nuse std::fs;")),
            None
        );
    }
}
