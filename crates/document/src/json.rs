//! Strict JSON text → tree, with the place of every value and a reason for every refusal.
//!
//! A recursive descent over bytes; how deep it goes is bounded by [`Builder`]'s depth limit.

use crate::problem::Problem;
use crate::source::{Source, Span};
use crate::tree::{Builder, Style};

/// Parses one JSON value with nothing but white space around it.
pub(crate) fn parse(source: &Source, builder: &mut Builder<'_>) -> Result<(), Problem> {
    let mut parser = Parser {
        text: source.text(),
        at: 0,
        builder,
    };
    parser.skip_space()?;
    if parser.peek().is_none() {
        return Err(parser.fail("the file is empty; the least JSON document is {}"));
    }
    parser.value()?;
    parser.skip_space()?;
    if parser.peek().is_some() {
        return Err(parser.fail("more text follows after the end of the JSON value; remove it"));
    }
    Ok(())
}

struct Parser<'t, 'b, 'a> {
    text: &'t str,
    at: usize,
    builder: &'b mut Builder<'a>,
}

impl Parser<'_, '_, '_> {
    fn value(&mut self) -> Result<(), Problem> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => self.word(),
            Some(b'\'') => Err(self.fail("JSON texts stand in double quotes, not in single ones")),
            Some(b'.' | b'+') => {
                Err(self.fail("a JSON number begins with a digit or a minus sign"))
            }
            Some(b']' | b'}') => Err(self.fail("a value is missing here")),
            Some(_) => Err(self.fail("no JSON value begins with this character")),
            None => Err(self.fail("the file ends where a value should stand")),
        }
    }

    fn object(&mut self) -> Result<(), Problem> {
        let open = self.at;
        self.builder.begin_mapping(open)?;
        self.at += 1;
        self.skip_space()?;
        while !self.take(b'}') {
            match self.peek() {
                Some(b'"') => self.string()?,
                None => return Err(self.fail_at(open, "this { is not closed; } is missing")),
                Some(_) => return Err(self.fail("a key in double quotes is needed here")),
            }
            self.skip_space()?;
            if !self.take(b':') {
                return Err(self.fail("a colon is needed here, between key and value"));
            }
            self.skip_space()?;
            self.value()?;
            self.separator(open, b'}')?;
        }
        self.builder.end(self.at).map(drop)
    }

    fn array(&mut self) -> Result<(), Problem> {
        let open = self.at;
        self.builder.begin_sequence(open)?;
        self.at += 1;
        self.skip_space()?;
        while !self.take(b']') {
            if self.peek().is_none() {
                return Err(self.fail_at(open, "this [ is not closed; ] is missing"));
            }
            self.value()?;
            self.separator(open, b']')?;
        }
        self.builder.end(self.at).map(drop)
    }

    /// After a value: a comma and one more, or the closing bracket, which is left for the caller.
    fn separator(&mut self, open: usize, closing: u8) -> Result<(), Problem> {
        let end = self.at;
        self.skip_space()?;
        let (bracket, closing_bracket) = (&self.text[open..=open], char::from(closing));
        match self.peek() {
            Some(byte) if byte == closing => return Ok(()),
            Some(b',') => {}
            Some(b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b'a'..=b'z') => {
                return Err(self.fail_at(end, "a comma is missing here"));
            }
            Some(_) => {
                let message = format!("a comma or {closing_bracket} is needed here");
                return Err(self.fail(&message));
            }
            None => {
                let message = format!("this {bracket} is not closed; {closing_bracket} is missing");
                return Err(self.fail_at(open, &message));
            }
        }
        let comma = self.at;
        self.at += 1;
        self.skip_space()?;
        if self.peek() == Some(closing) {
            let message = format!("JSON allows no comma before {closing_bracket}; remove it");
            return Err(self.fail_at(comma, &message));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Problem> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .bytes()
                .take_while(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\')
                .count();
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    let span = Span::from(start..self.at);
                    return self
                        .builder
                        .scalar(span, &text, Style::Quoted, false)
                        .map(drop);
                }
                Some(b'\\') => text.push(self.escape()?),
                None | Some(b'\n' | b'\r') => {
                    self.at = start;
                    return Err(self.fail("this text has no closing quote in its line"));
                }
                Some(_) => {
                    return Err(self.fail(
                        "a control character (a tab?) stands in a text; write it as \\t or \\u0000",
                    ));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Problem> {
        let bytes = self.text.as_bytes();
        let character = match bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => {
                return Err(self.fail(
                    "this escape is unknown; JSON has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u0000",
                ));
            }
        };
        self.at += 2;
        Ok(character)
    }

    /// `\u00e9`, or two of them for a character beyond U+FFFF.
    fn unicode_escape(&mut self) -> Result<char, Problem> {
        let unit = |at: usize| -> Option<u32> {
            let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hexadecimal.then(|| u32::from_str_radix(digits, 16).ok())?
        };
        let Some(first) = unit(self.at) else {
            return Err(self.fail("\\u needs four hexadecimal digits, for example \\u00e9"));
        };
        let (code, length) = match (first, unit(self.at + 6)) {
            (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) => {
                (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
            }
            _ => (first, 6),
        };
        let Some(character) = char::from_u32(code) else {
            return Err(self.fail("this is half of a surrogate pair; the other half is missing"));
        };
        self.at += length;
        Ok(character)
    }

    /// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
    fn number(&mut self) -> Result<(), Problem> {
        let start = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                self.at = start;
                return Err(self.fail("a JSON number has no leading zero"));
            }
        } else {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        if self
            .peek()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'%')
        {
            self.at = start;
            return Err(
                self.fail("a number with a unit must stand in double quotes, as in \"30s\"")
            );
        }
        self.plain(start)
    }

    fn digits(&mut self) -> Result<(), Problem> {
        let count = self.text.as_bytes()[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            return Err(self.fail("a digit is needed here"));
        }
        self.at += count;
        Ok(())
    }

    fn word(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let length = self.text[start..]
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let word = &self.text[start..start + length];
        if !matches!(word, "true" | "false" | "null") {
            let message = match word {
                "True" | "False" | "TRUE" | "FALSE" | "Null" | "NULL" | "None" => {
                    format!("JSON writes {} in small letters", word.to_lowercase())
                }
                _ => "a text must stand in double quotes; without them only true, false and null are allowed"
                    .to_owned(),
            };
            return Err(self
                .builder
                .problem(Span::from(start..start + length), message));
        }
        self.at += length;
        self.plain(start)
    }

    fn plain(&mut self, start: usize) -> Result<(), Problem> {
        let span = Span::from(start..self.at);
        let text = &self.text[start..self.at];
        self.builder
            .scalar(span, text, Style::Plain, false)
            .map(drop)
    }

    fn skip_space(&mut self) -> Result<(), Problem> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'/' | b'#' => {
                    return Err(self.fail("JSON has no comments; remove it, or use a .yml file"));
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn fail(&self, message: &str) -> Problem {
        self.fail_at(self.at, message)
    }

    fn fail_at(&self, at: usize, message: &str) -> Problem {
        let end = self.text.ceil_char_boundary(at + 1).min(self.text.len());
        self.builder.problem(Span::from(at..end.max(at)), message)
    }
}
