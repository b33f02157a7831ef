//! Cuts a long message into several, each of which is whole by itself.
//!
//! 1. The text becomes tokens that must not be cut: a character, an entity, an escape, a tag.
//! 2. Tokens are put into a part until its visible length reaches the limit; the part ends at the last line break in its
//!    second half, else where it is.
//! 3. Tags that are open there are closed, and opened again in the next part.

use super::Mode;

/// How long a message may be, in UTF-16 units after its markup was understood.
const LENGTH_MAX: usize = 4096;

/// How long it may be with markup, in bytes; Telegram does not say, and texts in tags are rarely four times as long.
const MARKED_MAX: usize = 16 << 10;

/// How many messages one notification may become; whoever gets more of them reads none.
const PARTS_MAX: usize = 10;

/// A message that is short enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) marked: String,
    /// The same without markup.
    pub(super) plain: String,
}

/// What must not be cut.
#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// Shown as `plain`.
    Text {
        raw: &'a str,
        plain: String,
    },
    Open {
        raw: &'a str,
        name: &'a str,
    },
    Close {
        raw: &'a str,
        name: &'a str,
    },
}

/// Cuts a text; at least one piece comes out, and none is empty unless the text is.
pub(super) fn split(text: &str, mode: Mode) -> Vec<Piece> {
    let tokens = tokens(text, mode);
    let mut pieces = Vec::new();
    let mut rest = &tokens[..];
    let mut open: Vec<(&str, &str)> = Vec::new();
    loop {
        let before = open.clone();
        let count = fitting(rest, &before);
        let (now, later) = rest.split_at(count);
        let piece = piece(now, &before, &mut open);
        let is_last = later.is_empty();
        // A piece of nothing but blanks would be refused.
        if !piece.plain.trim().is_empty() || (is_last && pieces.is_empty()) {
            pieces.push(piece);
        }
        if is_last {
            return pieces;
        }
        if pieces.len() == PARTS_MAX {
            if let Some(last) = pieces.last_mut() {
                note_rest(last, mode);
            }
            return pieces;
        }
        rest = later;
    }
}

/// Replaces the last piece by a note, since there is no room beside a full one.
fn note_rest(last: &mut Piece, mode: Mode) {
    let note = "… the rest is too long to be sent here";
    last.marked = mode.escape(note);
    last.plain = note.to_owned();
}

/// How many tokens make the next piece; at least one.
fn fitting(tokens: &[Token<'_>], open: &[(&str, &str)]) -> usize {
    let mut length = 0;
    let mut marked: usize = open
        .iter()
        .map(|(name, raw)| raw.len() + name.len() + 3)
        .sum();
    let mut last_break = None;
    for (index, token) in tokens.iter().enumerate() {
        let (units, bytes) = match token {
            Token::Text { raw, plain } => (plain.encode_utf16().count(), raw.len()),
            // It is closed at the latest at the end of the piece.
            Token::Open { raw, name } => (0, raw.len() + name.len() + 3),
            Token::Close { .. } => (0, 0),
        };
        if index > 0 && (length + units > LENGTH_MAX || marked + bytes > MARKED_MAX) {
            return last_break.unwrap_or(index);
        }
        length += units;
        marked += bytes;
        let is_break = matches!(token, Token::Text { plain, .. } if plain == "\n");
        if is_break && length > LENGTH_MAX / 2 {
            last_break = Some(index + 1);
        }
    }
    tokens.len()
}

fn piece<'a>(
    tokens: &[Token<'a>],
    before: &[(&'a str, &'a str)],
    open: &mut Vec<(&'a str, &'a str)>,
) -> Piece {
    let mut marked: String = before.iter().map(|(_, raw)| *raw).collect();
    let mut plain = String::new();
    for token in tokens {
        match token {
            Token::Text { raw, plain: text } => {
                marked.push_str(raw);
                plain.push_str(text);
            }
            Token::Open { raw, name } => {
                marked.push_str(raw);
                open.push((name, raw));
            }
            Token::Close { raw, name } => {
                marked.push_str(raw);
                if open.last().is_some_and(|(opened, _)| opened == name) {
                    open.pop();
                }
            }
        }
    }
    for (name, _) in open.iter().rev() {
        marked.push_str(&format!("</{name}>"));
    }
    Piece { marked, plain }
}

fn tokens(text: &str, mode: Mode) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let token = match (mode, first) {
            (Mode::Html, '<') => tag(rest),
            (Mode::Html, '&') => entity(rest),
            (Mode::MarkdownV2 | Mode::Markdown, '\\') => escape(rest),
            _ => None,
        };
        let token = token.unwrap_or_else(|| {
            let raw = &rest[..first.len_utf8()];
            let plain = raw.to_owned();
            Token::Text { raw, plain }
        });
        let raw = match &token {
            Token::Text { raw, .. } | Token::Open { raw, .. } | Token::Close { raw, .. } => raw,
        };
        rest = &rest[raw.len()..];
        tokens.push(token);
    }
    tokens
}

/// `<b>`, `<a href="…">`, `</b>`; None for a `<` that opens nothing.
fn tag(text: &str) -> Option<Token<'_>> {
    // A tag that does not end soon is none; an address may be long.
    const TAG_MAX: usize = 4096;
    let end = text.bytes().take(TAG_MAX).position(|byte| byte == b'>')?;
    let raw = &text[..=end];
    let inner = &raw[1..end];
    let (is_closing, inner) = match inner.strip_prefix('/') {
        Some(inner) => (true, inner),
        None => (false, inner),
    };
    let length = inner
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        .count();
    let (name, attributes) = inner.split_at(length);
    let starts_well = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    if !starts_well || !(attributes.is_empty() || attributes.starts_with([' ', '\n', '/'])) {
        return None;
    }
    Some(match is_closing {
        true => Token::Close { raw, name },
        false => Token::Open { raw, name },
    })
}

/// `&amp;`, `&#39;`, `&#x27;`.
fn entity(text: &str) -> Option<Token<'_>> {
    const ENTITY_MAX: usize = 12;
    let end = text
        .bytes()
        .take(ENTITY_MAX)
        .position(|byte| byte == b';')?;
    let raw = &text[..=end];
    let plain = match &raw[1..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(number) => u32::from_str_radix(number, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    let plain = plain.to_string();
    Some(Token::Text { raw, plain })
}

/// A backslash and what it escapes.
fn escape(text: &str) -> Option<Token<'_>> {
    let escaped = text[1..].chars().next()?;
    if !escaped.is_ascii_punctuation() {
        return None;
    }
    let raw = &text[..2];
    let plain = escaped.to_string();
    Some(Token::Text { raw, plain })
}

#[cfg(test)]
mod tests;
