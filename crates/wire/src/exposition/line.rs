//! The words of one line: a cursor over its bytes that knows where it stands.

use std::borrow::Cow;

use model::{Timestamp, is_plain_label_name};

use super::Format;
use super::parse::{check_plain_name, parse_timestamp};
use crate::float;

/// What is wrong in a line.
pub(super) struct Fault {
    /// The place, as an index of the line's bytes.
    pub(super) at: usize,
    pub(super) message: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

/// A line with a value, besides its labels.
pub(super) struct Sample<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: f64,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) has_exemplar: bool,
}

type LabelPairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Reads a line from left to right.
pub(super) struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// Passes blanks and tabs, and tells how many.
    pub(super) fn skip_blanks(&mut self) -> usize {
        let start = self.at;
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
        self.at - start
    }

    /// What stands before the next blank; may be empty.
    pub(super) fn word(&mut self) -> &'a str {
        self.take_while(|byte| !matches!(byte, b' ' | b'\t'))
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected(&format!("{:?}", char::from(byte))))
    }

    pub(super) fn expect_end(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the line")),
        }
    }

    /// The name after `# TYPE`, quoted or plain.
    pub(super) fn described_name(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.skip_blanks();
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let at = self.at;
        let name = self.word();
        check_plain_name(name, at)?;
        Ok(Cow::Borrowed(name))
    }

    /// The rest of the line after one blank, unescaped; the text format has no escape for quotes here.
    pub(super) fn help(&mut self, format: Format) -> String {
        let rest = &self.line[self.at..];
        self.at = self.line.len();
        let rest = rest.strip_prefix([' ', '\t']).unwrap_or(rest);
        unescape(rest, format == Format::OpenMetrics).into_owned()
    }

    /// A series with its value; its labels besides the name are added to `labels`.
    pub(super) fn sample(
        &mut self,
        labels: &mut LabelPairs<'a>,
        format: Format,
    ) -> Result<Sample<'a>, Fault> {
        let start = self.at;
        let plain = self.take_while(is_name_byte);
        let mut name = None;
        if !plain.is_empty() {
            check_plain_name(plain, start)?;
            if !matches!(self.peek(), None | Some(b' ' | b'\t' | b'{')) {
                return Err(self.unexpected("a blank or '{' after the metric's name"));
            }
            name = Some(Cow::Borrowed(plain));
        }
        self.skip_blanks();
        if self.peek() == Some(b'{') {
            self.label_set(labels, &mut name)?;
        }
        let name = name.ok_or_else(|| Fault::new(start, "a metric name is missing"))?;
        let value = self.value()?;
        self.skip_blanks();
        let timestamp = match self.peek() {
            None | Some(b'#') => None,
            Some(_) => Some(self.timestamp(format)?),
        };
        self.skip_blanks();
        let has_exemplar = format == Format::OpenMetrics && self.peek() == Some(b'#');
        if has_exemplar {
            self.exemplar()?;
        }
        self.expect_end()?;
        Ok(Sample {
            name,
            value,
            timestamp,
            has_exemplar,
        })
    }

    /// What stands in braces; a quoted string without a value is the metric's name, if that is not known yet.
    fn label_set(
        &mut self,
        labels: &mut LabelPairs<'a>,
        metric_name: &mut Option<Cow<'a, str>>,
    ) -> Result<(), Fault> {
        self.expect(b'{')?;
        loop {
            self.skip_blanks();
            if self.peek() == Some(b'}') {
                break;
            }
            let at = self.at;
            let quoted = self.peek() == Some(b'"');
            let name = if quoted {
                self.string()?
            } else {
                Cow::Borrowed(self.take_while(is_name_byte))
            };
            self.skip_blanks();
            if quoted && metric_name.is_none() && matches!(self.peek(), Some(b',' | b'}')) {
                if name.is_empty() {
                    return Err(Fault::new(at, "a metric name is missing"));
                }
                *metric_name = Some(name);
            } else {
                if quoted && name.is_empty() || !quoted && !is_plain_label_name(&name) {
                    self.at = at;
                    return Err(self.unexpected("a label name or '}'"));
                }
                self.expect(b'=')?;
                self.skip_blanks();
                labels.push((name, self.string()?));
            }
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("',' or '}'")),
            }
        }
        self.expect(b'}')
    }

    /// A string in double quotes.
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        self.expect(b'"')?;
        let mut escaped = false;
        loop {
            let run = self.take_while(|byte| !matches!(byte, b'"' | b'\\'));
            match self.peek() {
                None => return Err(Fault::new(start, "a string is not closed: '\"' is missing")),
                Some(b'"') => {
                    self.at += 1;
                    if !escaped {
                        return Ok(Cow::Borrowed(run));
                    }
                    return Ok(unescape(&self.line[start + 1..self.at - 1], true));
                }
                // Two bytes are passed, of which the second may be the start of a longer character.
                Some(_) => {
                    escaped = true;
                    self.at = (self.at + 2).min(self.line.len());
                    while !self.line.is_char_boundary(self.at) {
                        self.at += 1;
                    }
                }
            }
        }
    }

    fn value(&mut self) -> Result<f64, Fault> {
        self.skip_blanks();
        let at = self.at;
        let word = self.word();
        if word.is_empty() {
            return Err(Fault::new(at, "a value is missing"));
        }
        float::parse(word).ok_or_else(|| {
            let message = format!("{word:?} is no number: write for example 1.5, +Inf or NaN");
            Fault::new(at, message)
        })
    }

    fn timestamp(&mut self, format: Format) -> Result<Timestamp, Fault> {
        let at = self.at;
        let word = self.word();
        parse_timestamp(word, format).ok_or_else(|| {
            let unit = match format {
                Format::Text => "whole milliseconds",
                Format::OpenMetrics => "seconds",
            };
            Fault::new(
                at,
                format!("{word:?} is no timestamp: write {unit} since 1970"),
            )
        })
    }

    /// `# {trace_id="x"} 0.5 1.6`: labels, a value, perhaps a timestamp.
    fn exemplar(&mut self) -> Result<(), Fault> {
        self.expect(b'#')?;
        self.skip_blanks();
        // An exemplar has no name; this one keeps a quoted string from being taken for one.
        let mut no_name = Some(Cow::Borrowed(""));
        self.label_set(&mut Vec::new(), &mut no_name)?;
        self.value()?;
        self.skip_blanks();
        if self.peek().is_some() {
            self.timestamp(Format::OpenMetrics)?;
        }
        Ok(())
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.line[self.at..];
        let length = rest
            .bytes()
            .position(|byte| !keep(byte))
            .unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn unexpected(&self, expected: &str) -> Fault {
        let found = match self.line[self.at..].chars().next() {
            None => "the line ends".to_owned(),
            Some(character) => format!("{character:?} stands"),
        };
        Fault::new(self.at, format!("{found} where {expected} is expected"))
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')
}

fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('\\') => plain.push('\\'),
            Some('"') if quotes => plain.push('"'),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    Cow::Owned(plain)
}
