//! The fast lane: a series as nearly all senders write it, short labels first and then one sample.
//!
//! The general walk keeps its place in memory and its errors at hand, which takes twice as long as this. What is
//! written in any other way, right or wrong, is left to it.

use model::{Row, Timestamp};

use crate::protobuf::{FIXED64, LENGTH_DELIMITED, VARINT, tag};

const TIME_SERIES: u8 = tag(1, LENGTH_DELIMITED);
pub(super) const LABEL: u8 = tag(1, LENGTH_DELIMITED);
pub(super) const SAMPLE: u8 = tag(2, LENGTH_DELIMITED);
const VALUE: u8 = tag(1, FIXED64);
const TIMESTAMP: u8 = tag(2, VARINT);

/// The series that stands at an offset of a message, and the offset of what follows it.
#[inline]
pub(super) fn series(message: &[u8], at: usize) -> Option<(Row<'_>, usize)> {
    let (start, end) = nested(message, at, TIME_SERIES)?;
    let series = message.get(start..end)?;
    let mut key_end = 0;
    while let [LABEL, length @ 0..0x80, ..] = series.get(key_end..)? {
        key_end += 2 + usize::from(*length);
    }
    let (sample_start, sample_end) = nested(series, key_end, SAMPLE)?;
    if sample_end != series.len() {
        return None;
    }
    let (timestamp, value) = sample(&series[sample_start..])?;
    let row = Row {
        key: &series[..key_end],
        timestamp,
        value,
    };
    Some((row, end))
}

/// Where the content of the field at an offset starts and ends, if it has this tag and fewer than 16 384 bytes.
#[inline]
fn nested(bytes: &[u8], at: usize, tag: u8) -> Option<(usize, usize)> {
    match bytes.get(at..)? {
        [found, length @ 0..0x80, ..] if *found == tag => {
            Some((at + 2, at + 2 + usize::from(*length)))
        }
        [found, low, high @ 0..0x80, ..] if *found == tag => {
            let length = usize::from(*high) << 7 | usize::from(low & 0x7f);
            Some((at + 3, at + 3 + length))
        }
        _ => None,
    }
}

/// Perhaps a value, then a timestamp of at most 9 bytes, and no more.
#[inline]
fn sample(bytes: &[u8]) -> Option<(Timestamp, f64)> {
    let (value, bytes) = match bytes {
        [VALUE, rest @ ..] => {
            let (value, rest) = rest.split_first_chunk()?;
            (f64::from_le_bytes(*value), rest)
        }
        _ => (0.0, bytes),
    };
    let [TIMESTAMP, high @ .., last @ 0..0x80] = bytes else {
        return None;
    };
    if high.len() > 8 {
        return None;
    }
    let mut timestamp = i64::from(*last);
    for byte in high.iter().rev() {
        if *byte < 0x80 {
            return None;
        }
        timestamp = timestamp << 7 | i64::from(byte & 0x7f);
    }
    Some((Timestamp::from_millis(timestamp), value))
}
