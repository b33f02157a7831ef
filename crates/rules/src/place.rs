//! From a byte of a scalar's meaning to the byte of the file that it was written as.
//!
//! The text is laid along its source: 1. the quote or the header of a block is passed; 2. each character is looked
//! for after the one before it, past white space (indents, folded lines), backslashes and doubled quotes. Where the
//! two do not fit (an escape such as `\u0041`, a value from a variable), nothing is said.

use document::{Source, Span};

/// The span in the file of `start..end`, bytes of a scalar's text; the whole scalar if the two cannot be laid together.
pub(crate) fn place(source: &Source, scalar: Span, text: &str, start: usize, end: usize) -> Span {
    let Some(begin) = offset(source, scalar, text, start) else {
        return scalar;
    };
    let last = offset(source, scalar, text, end).unwrap_or(begin);
    Span {
        start: begin,
        end: last.max(begin),
    }
}

fn offset(source: &Source, scalar: Span, text: &str, wanted: usize) -> Option<usize> {
    let written = source.slice(scalar);
    let mut at = header(written);
    for (index, character) in text.char_indices() {
        if index >= wanted {
            break;
        }
        if character.is_whitespace() {
            continue;
        }
        at = find(written, at, character)? + character.len_utf8();
    }
    // What is wanted itself begins after the white space that stands before it.
    let next = text
        .get(wanted..)?
        .chars()
        .next()
        .filter(|next| !next.is_whitespace());
    let found = next.and_then(|next| find(written, at, next)).unwrap_or(at);
    Some(scalar.start + found)
}

/// The length of what stands before the text: a quote, or the line of `|` or `>`.
fn header(written: &str) -> usize {
    match written.chars().next() {
        Some('"' | '\'') => 1,
        Some('|' | '>') => written.find('\n').map_or(written.len(), |end| end + 1),
        _ => 0,
    }
}

/// The offset of a character from `at` on, past what YAML writes besides it.
fn find(written: &str, at: usize, wanted: char) -> Option<usize> {
    for (index, character) in written.get(at..)?.char_indices() {
        if character == wanted {
            return Some(at + index);
        }
        if !character.is_whitespace() && !matches!(character, '\\' | '\'') {
            return None;
        }
    }
    None
}
