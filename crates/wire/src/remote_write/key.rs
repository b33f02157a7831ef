//! The labels of a series as remote write repeats them: the label fields of a `TimeSeries`.

use model::{InvalidLabels, KeyEncoding, Labels, NAME};

use super::DecodeError;
use crate::protobuf::{Fields, LENGTH_DELIMITED, tag};

/// Keys are the label fields of a series, tags and lengths included, as [`decode`](super::decode()) hands them out.
///
/// Labels need not be sorted. Refused are: texts that are not UTF-8, empty names, a name given twice, a series
/// without `__name__`, more than a thousand labels.
pub const KEYS: KeyEncoding = KeyEncoding {
    id: 1,
    decode,
    next,
};

/// A series with more labels is broken or hostile; real ones have up to about 100.
const LABELS_MAX: usize = 1000;

fn decode(key: &[u8]) -> Result<Labels, InvalidLabels> {
    let malformed = |reason: String| InvalidLabels::Malformed(reason);
    let mut fields = Fields::new(key);
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(16);
    while !fields.is_at_end() {
        let label = label(&mut fields).map_err(|error| malformed(error.to_string()))?;
        let (name, value) = texts(label)?;
        if pairs.len() == LABELS_MAX {
            return Err(malformed(format!("more than {LABELS_MAX} labels")));
        }
        pairs.push((name, value));
    }
    let labels = Labels::from_pairs(pairs)?;
    if labels.metric_name().is_empty() {
        return Err(malformed(format!(
            "the series {labels} has no label {NAME}"
        )));
    }
    Ok(labels)
}

/// The next label as nearly all senders write it: name, then value, neither empty, lengths below 16 384.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (label, after) = usual_field(rest, tag(1, LENGTH_DELIMITED))?;
    let (name, value) = usual_field(label, tag(1, LENGTH_DELIMITED))?;
    let (value, end) = usual_field(value, tag(2, LENGTH_DELIMITED))?;
    if !end.is_empty() || value.is_empty() {
        return None;
    }
    *rest = after;
    Some((name, value))
}

/// The content of the field that stands first, and what follows it.
#[inline]
fn usual_field(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match bytes {
        [found, length @ 0..0x80, rest @ ..] if *found == tag => {
            rest.split_at_checked(usize::from(*length))
        }
        [found, low, high @ 1..0x80, rest @ ..] if *found == tag => {
            rest.split_at_checked(usize::from(*high) << 7 | usize::from(low & 0x7f))
        }
        _ => None,
    }
}

/// Name and value; a field that is absent is empty.
fn label<'a>(fields: &mut Fields<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let start = fields.position();
    if fields.tag()? != (1, LENGTH_DELIMITED) {
        return Err(fields.fault(start, "a label is expected"));
    }
    content(fields.message()?)
}

/// Name and value of a label's content.
#[inline]
pub(super) fn content<'a>(mut label: Fields<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let mut name: &[u8] = &[];
    let mut value: &[u8] = &[];
    while !label.is_at_end() {
        match label.tag()? {
            (1, LENGTH_DELIMITED) => name = label.bytes()?,
            (2, LENGTH_DELIMITED) => value = label.bytes()?,
            (_, wire_type) => label.skip(wire_type)?,
        }
    }
    Ok((name, value))
}

/// Name and value as texts; the value may be empty, the name may not.
#[inline]
pub(super) fn texts<'a>(
    (name, value): (&'a [u8], &'a [u8]),
) -> Result<(&'a str, &'a str), InvalidLabels> {
    let malformed = |reason: String| InvalidLabels::Malformed(reason);
    let name = text(name).ok_or_else(|| malformed("a label name is not UTF-8".to_owned()))?;
    let value = text(value)
        .ok_or_else(|| malformed(format!("the value of label {name:?} is not UTF-8")))?;
    if name.is_empty() {
        return Err(malformed(format!(
            "the label with value {value:?} has no name"
        )));
    }
    Ok((name, value))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
