//! A text with its name: bytes are checked once, and a byte offset becomes a line and a column.

use std::ops::Range;
use std::sync::Arc;

use crate::{Problem, hidden};

/// A range of bytes in a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

/// The language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// YAML 1.2, with the merge keys and the booleans of YAML 1.1.
    Yaml,
    /// Strict JSON (RFC 8259): no comments, no trailing commas.
    Json,
}

impl Syntax {
    /// The syntax that a file's ending names: JSON for `.json`, YAML for all others.
    pub fn of_file(name: &str) -> Self {
        let is_json = name
            .rsplit_once('.')
            .is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("json"));
        if is_json { Self::Json } else { Self::Yaml }
    }
}

/// A text and where it comes from: a file, or a place that has no lines, such as a flag or a variable.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
    has_lines: bool,
}

impl Source {
    /// A text under the name that problems shall show.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            has_lines: true,
        })
    }

    /// A name without a text to point into: a flag, a variable, a file that cannot be read.
    pub fn without_lines(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: String::new(),
            has_lines: false,
        })
    }

    /// The text of a file; a byte order mark is skipped.
    ///
    /// Problems: more than `bytes_max` bytes, UTF-16, bytes that are no UTF-8 (with offset and line).
    pub fn from_bytes(name: &str, bytes: &[u8], bytes_max: usize) -> Result<Arc<Self>, Problem> {
        if bytes.len() > bytes_max {
            let message = format!(
                "the file has {} bytes, more than the {bytes_max} that are read",
                bytes.len()
            );
            return Err(Problem::of_source(&Self::without_lines(name), message));
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            let message = "the file is UTF-16; save it as UTF-8".to_owned();
            return Err(Problem::of_source(&Self::without_lines(name), message));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let offset = error.valid_up_to();
                // The broken bytes become U+FFFD, so that the line can be shown; what stands before keeps its offsets.
                let source = Self::new(name, String::from_utf8_lossy(bytes));
                let message = format!(
                    "byte {offset} of the file (0x{:02x}) is no UTF-8; save the file as UTF-8",
                    bytes[offset]
                );
                let span = Span::from(offset..offset + '\u{fffd}'.len_utf8());
                Err(Problem::new(&source, span, "", message))
            }
        }
    }

    /// The name that problems show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span; empty if the span does not lie in this text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The whole text with `<secret>` where a secret may stand.
    pub fn without_secrets(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let content = line.trim_end_matches(['\n', '\r']);
            let mut hidden = hidden::parts(self, content, start);
            hidden.sort_by_key(|part| part.start);
            let mut at = 0;
            for part in hidden {
                // A part may lie within another.
                if part.end > at && !part.is_empty() {
                    shown.push_str(&content[at..part.start.max(at)]);
                    shown.push_str("<secret>");
                    at = part.end;
                }
            }
            shown.push_str(&content[at..]);
            shown.push_str(&line[content.len()..]);
            start += line.len();
        }
        shown
    }

    pub(crate) fn has_lines(&self) -> bool {
        self.has_lines
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let before = &self.text[..offset];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The line that holds a byte offset, without its line break, and the offset of its first byte.
    pub(crate) fn line_of(&self, offset: usize) -> (&str, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let start = self.text[..offset]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let line = self.text[start..].lines().next().unwrap_or_default();
        (line, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_without_its_secrets() {
        let text = "a: 1 # one\nmail:\n  password: 'x y'\n  name: z\ntoken:\n- abc\nb: {api_key: k, c: d}\nurl: https://me:pw@example.org/\n\nend";
        assert_eq!(
            Source::new("file", text).without_secrets(),
            "a: 1 # one\nmail:\n  password: '<secret>'\n  name: z\ntoken:\n<secret>\nb: {api_key: <secret>, c: d}\nurl: https://<secret>@example.org/\n\nend"
        );
    }
}
