//! A small scan of Rust source: where code, comments and literals are, and where functions begin and end.
//!
//! 1. Every byte is code, comment or literal ([`kinds`]).
//! 2. `code` is the text with everything but code blanked out, so that a rule can search it without meeting a
//!    brace in a string; offsets and lines are those of the text.
//! 3. Functions are found in `code` by the word `fn` and matching braces.

use std::ops::Range;

/// A Rust file, taken apart.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// The text with comments and literals blanked out.
    pub(crate) code: String,
    /// The text with everything but comments blanked out.
    pub(crate) comments: String,
}

/// A function with a body.
#[derive(Debug, PartialEq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    /// Its attributes and modifiers, as they stand before `fn`.
    pub(crate) before: &'a str,
    /// What stands between its braces.
    pub(crate) body: Range<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        let kinds = kinds(text);
        Self {
            path,
            text,
            code: only(text, &kinds, Kind::Code),
            comments: only(text, &kinds, Kind::Comment),
        }
    }

    /// The line of an offset, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        line(self.text, offset)
    }

    /// Where its tests begin; the end of a file without tests, and the start of one that holds nothing else.
    pub(crate) fn tests_start(&self) -> usize {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return 0;
        }
        let attribute = "#[cfg(test)]\nmod ";
        let mut modules = self.code.match_indices(attribute);
        // `mod tests;` is another file, and product code may follow it.
        let inline = modules.find(|(offset, _)| {
            let name = self.code[offset + attribute.len()..].find([';', '{']);
            name.is_some_and(|length| {
                self.code[offset + attribute.len() + length..].starts_with('{')
            })
        });
        inline.map_or(self.code.len(), |(offset, _)| offset)
    }

    /// All functions with a body, nested ones too, in the order of the file.
    pub(crate) fn functions(&self) -> Vec<Function<'_>> {
        let code = self.code.as_str();
        let mut found = Vec::new();
        for (offset, word) in words(code) {
            if word != "fn" {
                continue;
            }
            let Some((name_offset, name)) = words(&code[offset + 2..]).next() else {
                continue;
            };
            // `fn(u8) -> u8` is a type, and the next word is not its name.
            if !code[offset + 2..offset + 2 + name_offset].trim().is_empty() {
                continue;
            }
            let after_name = offset + 2 + name_offset + name.len();
            let Some(body) = body(code, after_name) else {
                continue;
            };
            let start = code[..offset].rfind([';', '{', '}']).map_or(0, |at| at + 1);
            found.push(Function {
                name,
                line: self.line(offset),
                before: &code[start..offset],
                body,
            });
        }
        found
    }
}

/// The line of an offset, counted from 1.
pub(crate) fn line(text: &str, offset: usize) -> usize {
    text[..offset].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// Identifiers, keywords and numbers with their offsets.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let start = offset + code[offset..].find(is_word)?;
        let length = code[start..].find(|letter| !is_word(letter));
        offset = length.map_or(code.len(), |length| start + length);
        Some((start, &code[start..offset]))
    })
}

/// The offset just past the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// What stands between the braces that follow a function's name; none if a `;` comes first.
fn body(code: &str, after_name: usize) -> Option<Range<usize>> {
    let mut offset = after_name;
    while let Some(byte) = code.as_bytes().get(offset) {
        match byte {
            b'(' | b'[' => offset = closing(code, offset)?,
            b'{' => return Some(offset + 1..closing(code, offset)? - 1),
            b';' => return None,
            _ => offset += 1,
        }
    }
    None
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn only(text: &str, kinds: &[Kind], wanted: Kind) -> String {
    let mut kept = String::with_capacity(text.len());
    for (offset, letter) in text.char_indices() {
        if kinds[offset] == wanted || letter == '\n' {
            kept.push(letter);
        } else {
            kept.extend(std::iter::repeat_n(' ', letter.len_utf8()));
        }
    }
    kept
}

/// What each byte is.
fn kinds(text: &str) -> Vec<Kind> {
    let bytes = text.as_bytes();
    let mut kinds = vec![Kind::Code; bytes.len()];
    let mut offset = 0;
    while offset < bytes.len() {
        let rest = &bytes[offset..];
        let (kind, length) = if rest.starts_with(b"//") {
            let line = rest.iter().position(|byte| *byte == b'\n');
            (Kind::Comment, line.unwrap_or(rest.len()))
        } else if rest.starts_with(b"/*") {
            (Kind::Comment, block_comment(rest))
        } else if rest[0] == b'"' {
            (Kind::Literal, string(rest))
        } else if rest[0] == b'r' && is_prefix(bytes, offset) {
            match raw_string(rest) {
                Some(length) => (Kind::Literal, length),
                None => (Kind::Code, 1),
            }
        } else if rest[0] == b'\'' {
            match character(&text[offset..]) {
                Some(length) => (Kind::Literal, length),
                None => (Kind::Code, 1),
            }
        } else {
            (Kind::Code, 1)
        };
        let end = (offset + length).min(bytes.len());
        kinds[offset..end].fill(kind);
        offset = end;
    }
    kinds
}

/// Whether an `r` here can begin a raw string: it begins a word, or follows the `b` or `c` that does.
fn is_prefix(bytes: &[u8], offset: usize) -> bool {
    let part_of_word = |offset: usize| {
        let byte = bytes[offset];
        byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
    };
    match offset {
        0 => true,
        _ if !part_of_word(offset - 1) => true,
        _ if !matches!(bytes[offset - 1], b'b' | b'c') => false,
        1 => true,
        _ => !part_of_word(offset - 2),
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut offset = 0;
    while offset < rest.len() {
        if rest[offset..].starts_with(b"/*") {
            depth += 1;
            offset += 2;
        } else if rest[offset..].starts_with(b"*/") {
            depth -= 1;
            offset += 2;
            if depth == 0 {
                break;
            }
        } else {
            offset += 1;
        }
    }
    offset
}

fn string(rest: &[u8]) -> usize {
    let mut offset = 1;
    while offset < rest.len() {
        match rest[offset] {
            b'\\' => offset += 2,
            b'"' => return offset + 1,
            _ => offset += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let content = 2 + hashes;
    let length = rest[content..]
        .windows(end.len())
        .position(|window| window == end);
    Some(length.map_or(rest.len(), |length| content + length + end.len()))
}

/// The length of a character literal; none if the quote begins a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1);
    let (_, first) = letters.next()?;
    if first == '\\' {
        letters.next()?;
        return letters
            .find(|(_, letter)| *letter == '\'')
            .map(|(offset, _)| offset + 1);
    }
    let (offset, second) = letters.next()?;
    (second == '\'').then_some(offset + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_code(text: &str, expected: &str) {
        let source = Source::new("a.rs", text);
        assert_eq!(source.code, expected);
        assert_eq!(source.code.len(), text.len());
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        check_code("a // b\nc", "a     \nc");
        check_code("a /* b /* c */ d */ e", "a                   e");
        check_code(r#"f("}\"{") g"#, "f(      ) g");
        check_code("f(r#\"a\"}\"#) g", "f(        ) g");
        check_code("f(br\"}\") g", "f(b    ) g");
        check_code("f('}', '\\'', '\\u{7d}') g", "f(   ,     ,         ) g");
        check_code("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check_code("\"ü\" x", "     x");
        check_code("for r in \"r\" { r#type }", "for r in     { r#type }");
    }

    #[test]
    fn comments_are_found_where_they_are() {
        let source = Source::new("a.rs", "a // b\n\"// c\"");
        assert_eq!(source.comments, "  // b\n      ");
    }

    #[test]
    fn functions_are_found_with_their_bodies() {
        let text =
            "#[test]\npub fn outer(x: [u8; 2]) -> [u8; 2] { fn inner() {} x }\nfn none(f: fn(u8));";
        let source = Source::new("a.rs", text);
        let found: Vec<_> = source
            .functions()
            .into_iter()
            .map(|function| (function.name, function.line, &text[function.body]))
            .collect();
        assert_eq!(found, [("outer", 2, " fn inner() {} x "), ("inner", 2, "")]);
        assert_eq!(source.functions()[0].before.trim(), "#[test]\npub");
    }

    #[test]
    fn tests_begin_where_their_module_or_file_does() {
        for (path, text, expected) in [
            ("src/a.rs", "fn f() {}", 9),
            ("src/a.rs", "#[cfg(test)]\nmod tests;\nfn f() {}", 33),
            ("src/a.rs", "f();\n#[cfg(test)]\nmod tests {}", 5),
            ("src/a.rs", "f();\n#[cfg(test)]\nmod speed {}", 5),
            ("src/a/tests.rs", "fn f() {}", 0),
            ("tests/it/a.rs", "fn f() {}", 9),
            ("crates/wire/tests/it/a.rs", "fn f() {}", 0),
        ] {
            assert_eq!(
                Source::new(path, text).tests_start(),
                expected,
                "{path} {text}"
            );
        }
    }

    #[test]
    fn a_file_that_ends_too_early_is_no_panic() {
        for text in [
            "\"", "'", "'\\", "/*", "r#\"", "fn", "fn f(", "fn f() {", "b", "}",
        ] {
            assert_eq!(Source::new("a.rs", text).functions(), [], "{text}");
        }
    }
}
