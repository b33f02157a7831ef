//! Runs of exemplars of one series.
//!
//! ```text
//! section    count, then the labels of each, then columns: timestamps, values
//! labels     0, number, names, values: a set of names that is remembered if its names are short
//!            n, values: the n-th set of names that this section remembered
//! name       length, bytes
//! value      length * 2, bytes; or length * 2 + 1 and half as many bytes, of which it is the hexadecimal form
//! ```
//!
//! Labels are nearly always one trace's id, 32 hexadecimal digits.

use model::{Exemplar, Labels, Timestamp};

use super::column::{
    decode_floats, decode_integers, encode_floats, encode_integers, put_length, take_length,
};
use super::{SECTION_MAX, section_length};
use crate::coding::{Cursor, put_varint};

/// Bytes of names that are remembered; longer ones would let few bytes become many.
const NAMES_MAX: usize = 64;

/// Writes one exemplar for the log; [`decode_exemplars`] reads it.
pub(crate) fn encode_exemplar(exemplar: &Exemplar) -> Vec<u8> {
    encode_exemplars(std::slice::from_ref(exemplar))
}

/// Writes a run of exemplars of one series.
pub(crate) fn encode_exemplars(run: &[Exemplar]) -> Vec<u8> {
    let mut out = Vec::new();
    for section in run.chunks(SECTION_MAX) {
        put_length(&mut out, section.len());
        let mut remembered: Vec<Vec<&str>> = Vec::new();
        for exemplar in section {
            put_labels(&mut out, &exemplar.labels, &mut remembered);
        }
        let timestamps = section.iter().map(|one| one.timestamp.as_millis() as u64);
        encode_integers(&timestamps.collect::<Vec<_>>(), &mut out);
        let values = section.iter().map(|one| one.value);
        encode_floats(&values.collect::<Vec<_>>(), &mut out);
    }
    out
}

/// Reads what [`encode_exemplars`] or [`encode_exemplar`] wrote; none if the bytes make no sense.
pub(crate) fn decode_exemplars(payload: &[u8]) -> Option<Vec<Exemplar>> {
    let mut cursor = Cursor::new(payload);
    let mut run = Vec::new();
    while !cursor.is_empty() {
        let count = section_length(&mut cursor)?;
        let mut remembered = Vec::new();
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            labels.push(take_labels(&mut cursor, &mut remembered)?);
        }
        let timestamps = decode_integers(&mut cursor, count)?;
        let values = decode_floats(&mut cursor, count)?;
        for ((labels, timestamp), value) in labels.into_iter().zip(timestamps).zip(values) {
            run.push(Exemplar {
                labels,
                value,
                timestamp: Timestamp::from_millis(timestamp as i64),
            });
        }
    }
    Some(run)
}

fn put_labels<'a>(out: &mut Vec<u8>, labels: &'a Labels, remembered: &mut Vec<Vec<&'a str>>) {
    let names: Vec<&str> = labels.iter().map(|(name, _)| name).collect();
    match remembered.iter().position(|known| *known == names) {
        Some(place) => put_length(out, place + 1),
        None => {
            put_length(out, 0);
            put_length(out, names.len());
            for name in &names {
                put_length(out, name.len());
                out.extend_from_slice(name.as_bytes());
            }
            if is_short(&names) {
                remembered.push(names);
            }
        }
    }
    for (_, value) in labels.iter() {
        put_value(out, value);
    }
}

fn take_labels<'a>(cursor: &mut Cursor<'a>, remembered: &mut Vec<Vec<&'a str>>) -> Option<Labels> {
    let own: Vec<&str>;
    let place = usize::try_from(cursor.varint()?).ok()?;
    let names = match place.checked_sub(1) {
        Some(place) => remembered.get(place)?,
        None => {
            let count = take_length(cursor)?;
            let name = |_| std::str::from_utf8(cursor.prefixed()?).ok();
            own = (0..count).map(name).collect::<Option<_>>()?;
            if is_short(&own) {
                remembered.push(own.clone());
            }
            &own
        }
    };
    let mut pairs = Vec::with_capacity(names.len());
    for name in names {
        pairs.push((*name, take_value(cursor)?));
    }
    Labels::from_pairs(pairs).ok()
}

/// Whether a set of names is remembered.
fn is_short(names: &[&str]) -> bool {
    names.iter().map(|name| name.len() + 1).sum::<usize>() <= NAMES_MAX
}

fn put_value(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    let is_hex = bytes.len().is_multiple_of(2) && bytes.iter().all(|byte| digit(*byte).is_some());
    put_varint(out, (bytes.len() as u64) << 1 | u64::from(is_hex));
    if !is_hex {
        out.extend_from_slice(bytes);
        return;
    }
    for pair in bytes.chunks_exact(2) {
        let digits = [pair[0], pair[1]].map(|byte| digit(byte).unwrap_or_default());
        out.push(digits[0] << 4 | digits[1]);
    }
}

fn take_value(cursor: &mut Cursor<'_>) -> Option<String> {
    let head = cursor.varint()?;
    let length = usize::try_from(head >> 1).ok()?;
    if head & 1 == 0 {
        return String::from_utf8(cursor.take(length)?.to_vec()).ok();
    }
    if !length.is_multiple_of(2) {
        return None;
    }
    let mut text = String::with_capacity(length.min(2 * cursor.rest().len()));
    for byte in cursor.take(length / 2)? {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    Some(text)
}

/// The value of a hexadecimal digit as identifiers are written, in lower case.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
