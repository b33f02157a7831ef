//! Matchers as Alertmanager's files write them: `severity="page"`, `{team=~"web|shop", "instance.name"!=a}`.
//!
//! A name or value may stand without quotes if none of `{}!=~,\"'` and no space is in it; any other character may.

use model::{MatchKind, Matcher};
use thiserror::Error;

/// What must stand in quotes.
const RESERVED: &str = "{}!=~,\\\"'`";

/// A text that is no list of matchers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("column {column}: {reason}")]
pub struct InvalidMatchers {
    /// The character at which it goes wrong, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Reads matchers that are separated by commas, in braces or without; an empty list is none.
///
/// Errors: the first mistake, with its column.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, InvalidMatchers> {
    let mut reader = Reader { text, at: 0 };
    let in_braces = reader.skip("{");
    let mut matchers = Vec::new();
    loop {
        reader.skip_space();
        if reader.is_at_end() || in_braces && reader.rest().starts_with('}') {
            break;
        }
        matchers.push(reader.matcher()?);
        if !reader.skip(",") {
            break;
        }
    }
    if in_braces && !reader.skip("}") {
        return Err(reader.refuse("a comma or the closing } is missing here"));
    }
    reader.skip_space();
    if !reader.is_at_end() {
        return Err(
            reader.refuse("a comma is missing here, or a value that should stand in quotes")
        );
    }
    Ok(matchers)
}

struct Reader<'a> {
    text: &'a str,
    /// The byte that is read next.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Skips spaces and a sign, if it comes next.
    fn skip(&mut self, sign: &str) -> bool {
        self.skip_space();
        let is_next = self.rest().starts_with(sign);
        if is_next {
            self.at += sign.len();
        }
        is_next
    }

    fn matcher(&mut self) -> Result<Matcher, InvalidMatchers> {
        let name = self.word("a label name")?;
        let kind = self.operator()?;
        self.skip_space();
        let value_at = self.at;
        let value = self.word("a value, \"\" for an empty one,")?;
        Matcher::new(kind, name, value).map_err(|error| self.refuse_at(value_at, error.to_string()))
    }

    fn operator(&mut self) -> Result<MatchKind, InvalidMatchers> {
        for (sign, kind) in [
            ("=~", MatchKind::Regex),
            ("!~", MatchKind::NotRegex),
            ("!=", MatchKind::NotEqual),
            ("=", MatchKind::Equal),
        ] {
            if self.skip(sign) {
                return Ok(kind);
            }
        }
        Err(self.refuse("one of = != =~ !~ is needed here"))
    }

    /// A name or value, in quotes or without.
    fn word(&mut self, expected: &str) -> Result<String, InvalidMatchers> {
        self.skip_space();
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let rest = self.rest();
        let length = rest
            .find(|next: char| next.is_whitespace() || RESERVED.contains(next))
            .unwrap_or(rest.len());
        if length == 0 {
            return Err(self.refuse(match rest.chars().next() {
                None => format!("{expected} is missing at the end"),
                Some(found @ ('\'' | '`')) => {
                    format!("{expected} is needed here, not {found}; quotes are \"")
                }
                Some(found) => format!("{expected} is needed here, not {found}"),
            }));
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    /// A text in double quotes, with the escapes of Go.
    fn quoted(&mut self) -> Result<String, InvalidMatchers> {
        let opened_at = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            let at = self.at;
            match self.next() {
                None => return Err(self.refuse_at(opened_at, "the closing quote is missing")),
                Some('\n') => return Err(self.refuse_at(at, "a line break is written \\n")),
                Some('"') => return Ok(value),
                Some('\\') => value.push(self.escaped(at)?),
                Some(other) => value.push(other),
            }
        }
    }

    fn escaped(&mut self, at: usize) -> Result<char, InvalidMatchers> {
        let digits = match self.next() {
            Some('n') => return Ok('\n'),
            Some('t') => return Ok('\t'),
            Some('r') => return Ok('\r'),
            Some(same @ ('\\' | '"')) => return Ok(same),
            Some('u') => 4,
            Some('U') => 8,
            _ => {
                let reason = "the escapes are \\\\ \\\" \\n \\r \\t \\uXXXX and \\UXXXXXXXX";
                return Err(self.refuse_at(at, reason));
            }
        };
        let character = self
            .rest()
            .get(..digits)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        let Some(character) = character else {
            let reason = format!("{digits} hexadecimal digits of a character are needed here");
            return Err(self.refuse_at(at, reason));
        };
        self.at += digits;
        Ok(character)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn refuse(&self, reason: impl Into<String>) -> InvalidMatchers {
        self.refuse_at(self.at, reason)
    }

    fn refuse_at(&self, at: usize, reason: impl Into<String>) -> InvalidMatchers {
        InvalidMatchers {
            column: self.text[..at].chars().count() + 1,
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests;
