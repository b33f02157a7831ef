//! Timestamps: the change of the distance to the one before, in as few bits as the widest needs.
//!
//! Distances that are all equal take three integers in all; the rest are changes of distance, packed.

use super::pack;
use crate::coding::{Cursor, put_signed, put_varint};

const EVEN: u64 = 0;

/// Appends timestamps in milliseconds, which rise strictly; nothing for none of them.
pub(crate) fn encode_timestamps(timestamps: &[i64], out: &mut Vec<u8>) {
    let [first, rest @ ..] = timestamps else {
        return;
    };
    put_signed(out, *first);
    let Some(second) = rest.first() else {
        return;
    };
    let distance = second.wrapping_sub(*first);
    put_varint(out, distance as u64);
    let changes: Vec<i64> = timestamps
        .windows(3)
        .map(|w| {
            w[2].wrapping_sub(w[1])
                .wrapping_sub(w[1].wrapping_sub(w[0]))
        })
        .collect();
    if changes.iter().all(|change| *change == 0) {
        put_varint(out, EVEN);
        return;
    }
    put_varint(out, EVEN + 1);
    pack::encode(&changes, out);
}

/// Appends `count` timestamps and moves `bytes` behind them; none if they are broken or do not rise.
pub(crate) fn decode_timestamps(bytes: &mut &[u8], count: usize, out: &mut Vec<i64>) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let mut cursor = Cursor::new(bytes);
    let mut timestamp = cursor.signed()?;
    let start = out.len();
    if count == 1 {
        out.push(timestamp);
        *bytes = cursor.rest();
        return Some(());
    }
    let mut distance = cursor.varint()? as i64;
    let even = cursor.varint()? == EVEN;
    *bytes = cursor.rest();
    out.push(timestamp);
    if even {
        out.extend((1..count).map(|_| {
            timestamp = timestamp.wrapping_add(distance);
            timestamp
        }));
    } else {
        let mut changes = Vec::new();
        pack::decode(bytes, count - 2, &mut changes)?;
        timestamp = timestamp.wrapping_add(distance);
        out.push(timestamp);
        out.extend(changes.into_iter().map(|change| {
            distance = distance.wrapping_add(change);
            timestamp = timestamp.wrapping_add(distance);
            timestamp
        }));
    }
    // Whatever wrapped around does not rise.
    out[start..].is_sorted_by(|a, b| a < b).then_some(())
}
