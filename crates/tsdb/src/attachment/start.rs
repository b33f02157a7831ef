//! Since when a counter counts: the timestamps of the samples from which another start holds, and the starts.

use super::column::{decode_integers, encode_integers, put_length};
use super::{SECTION_MAX, section_length};
use crate::coding::Cursor;

/// Writes one change for the log; [`decode_starts`] reads it.
pub(crate) fn encode_start(timestamp: i64, start: i64) -> Vec<u8> {
    encode_starts(&[(timestamp, start)])
}

/// Writes a list of changes, (timestamp, start) each, the older first.
pub(crate) fn encode_starts(changes: &[(i64, i64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for section in changes.chunks(SECTION_MAX) {
        put_length(&mut out, section.len());
        let timestamps: Vec<u64> = section.iter().map(|(at, _)| *at as u64).collect();
        encode_integers(&timestamps, &mut out);
        // A counter starts shortly before the first sample that says so.
        let ages = section
            .iter()
            .map(|(at, start)| at.wrapping_sub(*start) as u64);
        encode_integers(&ages.collect::<Vec<_>>(), &mut out);
    }
    out
}

/// Reads what [`encode_starts`] or [`encode_start`] wrote; none if the bytes make no sense.
pub(crate) fn decode_starts(payload: &[u8]) -> Option<Vec<(i64, i64)>> {
    let mut cursor = Cursor::new(payload);
    let mut changes = Vec::new();
    while !cursor.is_empty() {
        let count = section_length(&mut cursor)?;
        let timestamps = decode_integers(&mut cursor, count)?;
        let ages = decode_integers(&mut cursor, count)?;
        let section = timestamps.into_iter().zip(ages);
        changes.extend(section.map(|(at, age)| (at as i64, at.wrapping_sub(age) as i64)));
    }
    Some(changes)
}
