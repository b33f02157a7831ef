//! The walk over a `ReadRequest`.

use model::{MatchKind, Matcher, Timestamp};

use super::{ReadAnswer, ReadError, ReadQuery, ReadRequest};
use crate::protobuf::{Fields, LENGTH_DELIMITED, VARINT};

/// A Prometheus asks one at a time; others up to a few.
const QUERIES_MAX: usize = 100;
/// Of one request; each may hold a regular expression.
const MATCHERS_MAX: usize = 1000;
/// There are two.
const ANSWERS_MAX: usize = 100;

/// Reads a message, decompressed.
///
/// Errors: bytes that are no such message; more than 100 queries or 1000 matchers; an expression that does not compile;
/// no form of answer that is known.
pub fn decode(message: &[u8]) -> Result<ReadRequest, ReadError> {
    let mut fields = Fields::new(message);
    let mut queries = Vec::new();
    let mut accepted = Vec::new();
    let mut matchers_left = MATCHERS_MAX;
    while !fields.is_at_end() {
        match fields.tag()? {
            (1, LENGTH_DELIMITED) => {
                check("queries", queries.len(), QUERIES_MAX)?;
                queries.push(query(fields.message()?, &mut matchers_left)?);
            }
            (2, VARINT) => {
                check("accepted response types", accepted.len(), ANSWERS_MAX)?;
                accepted.push(fields.varint()?);
            }
            (2, LENGTH_DELIMITED) => {
                let mut packed = fields.message()?;
                while !packed.is_at_end() {
                    check("accepted response types", accepted.len(), ANSWERS_MAX)?;
                    accepted.push(packed.varint()?);
                }
            }
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    let known = accepted.iter().find_map(|number| match number {
        0 => Some(ReadAnswer::Samples),
        1 => Some(ReadAnswer::Chunks),
        _ => None,
    });
    let answer = match known {
        Some(answer) => answer,
        // Clients from before there was a choice.
        None if accepted.is_empty() => ReadAnswer::Samples,
        None => return Err(ReadError::Answer(accepted)),
    };
    Ok(ReadRequest { queries, answer })
}

fn check(what: &'static str, count: usize, limit: usize) -> Result<(), ReadError> {
    match count < limit {
        true => Ok(()),
        false => Err(ReadError::TooMany { what, limit }),
    }
}

/// What a client says about what it does with the answer.
#[derive(Default)]
struct Hints {
    start: i64,
    end: i64,
    labels_only: bool,
}

fn query(mut fields: Fields<'_>, matchers_left: &mut usize) -> Result<ReadQuery, ReadError> {
    let (mut start, mut end) = (0, 0);
    let mut matchers = Vec::new();
    let mut hints = Hints::default();
    while !fields.is_at_end() {
        match fields.tag()? {
            (1, VARINT) => start = fields.varint()? as i64,
            (2, VARINT) => end = fields.varint()? as i64,
            (3, LENGTH_DELIMITED) => {
                let message = fields.message()?;
                check("matchers", MATCHERS_MAX - *matchers_left, MATCHERS_MAX)?;
                *matchers_left -= 1;
                matchers.push(matcher(message)?);
            }
            (4, LENGTH_DELIMITED) => hints = read_hints(fields.message()?)?,
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    // What is asked for is often wider than what is of use. A client that tells nothing of that leaves both out.
    if hints.start < hints.end {
        start = start.max(hints.start);
        end = end.min(hints.end);
    }
    Ok(ReadQuery {
        matchers,
        start: Timestamp::from_millis(start),
        end: Timestamp::from_millis(end),
        labels_only: hints.labels_only,
    })
}

fn read_hints(mut fields: Fields<'_>) -> Result<Hints, ReadError> {
    let mut hints = Hints::default();
    while !fields.is_at_end() {
        match fields.tag()? {
            (2, LENGTH_DELIMITED) => hints.labels_only = fields.bytes()? == b"series",
            (3, VARINT) => hints.start = fields.varint()? as i64,
            (4, VARINT) => hints.end = fields.varint()? as i64,
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok(hints)
}

fn matcher(mut fields: Fields<'_>) -> Result<Matcher, ReadError> {
    let mut kind = MatchKind::Equal;
    let (mut name, mut value) = ("", "");
    while !fields.is_at_end() {
        match fields.tag()? {
            (1, VARINT) => {
                let at = fields.position();
                kind = match fields.varint()? {
                    0 => MatchKind::Equal,
                    1 => MatchKind::NotEqual,
                    2 => MatchKind::Regex,
                    3 => MatchKind::NotRegex,
                    _ => return Err(fields.fault(at, "a matcher has an unknown type").into()),
                };
            }
            (2, LENGTH_DELIMITED) => name = text(&mut fields)?,
            (3, LENGTH_DELIMITED) => value = text(&mut fields)?,
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok(Matcher::new(kind, name, value)?)
}

fn text<'a>(fields: &mut Fields<'a>) -> Result<&'a str, ReadError> {
    let start = fields.position();
    let bytes = fields.bytes()?;
    let text = std::str::from_utf8(bytes);
    text.map_err(|_| fields.fault(start, "a text is not UTF-8").into())
}
