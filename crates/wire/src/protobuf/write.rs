//! Fields of messages, written at the end of a buffer.

use super::{FIXED64, LENGTH_DELIMITED, VARINT, tag};

pub(crate) fn push_doubles(out: &mut Vec<u8>, field: u8, values: &[f64]) {
    if values.is_empty() {
        return;
    }
    push_nested(out, field, |out| {
        for value in values {
            out.extend_from_slice(&value.to_le_bytes());
        }
    });
}

pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub(crate) fn push_double(out: &mut Vec<u8>, field: u8, value: f64) {
    // By bits, so that minus zero keeps its sign.
    if value.to_bits() != 0 {
        out.push(tag(field, FIXED64));
        out.extend_from_slice(&value.to_le_bytes());
    }
}

pub(crate) fn push_varint_field(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        out.push(tag(field, VARINT));
        push_varint(out, value);
    }
}

pub(crate) fn push_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.push(tag(field, LENGTH_DELIMITED));
        push_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// Writes a nested message behind its length, which is known only afterwards. Most fit into the byte that is kept for it;
/// what follows is moved on if it needs more.
pub(crate) fn push_nested(out: &mut Vec<u8>, field: u8, write: impl FnOnce(&mut Vec<u8>)) {
    // From field 16 on a tag takes two bytes.
    push_varint(out, u64::from(field) << 3 | u64::from(LENGTH_DELIMITED));
    let place = out.len();
    out.push(0);
    write(out);
    let length = out.len() - place - 1;
    if length < 0x80 {
        out[place] = length as u8;
        return;
    }
    let mut written = Vec::with_capacity(10);
    push_varint(&mut written, length as u64);
    out.splice(place..=place, written);
}

pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
