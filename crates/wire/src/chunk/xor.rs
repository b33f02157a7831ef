//! Chunks of numbers.

use super::bits::{BitWriter, fits};
use super::{Chunk, ChunkEncoding};

/// The widths of the change of a distance in milliseconds, with prefixes of 2 to 4 bits.
pub(super) const DISTANCE_WIDTHS: [u32; 3] = [14, 17, 20];

/// Compresses samples of strictly rising timestamps, at least one and fewer than 65 536.
///
/// # Panics
/// If there are none, or more.
pub fn float_chunk(timestamps: &[i64], values: &[f64]) -> Chunk {
    let count = u16::try_from(timestamps.len()).expect("invariant: a chunk has fewer than 65 536");
    let (first, last) = (timestamps[0], timestamps[timestamps.len() - 1]);
    let mut start = Vec::with_capacity(2 + timestamps.len() * 2);
    start.extend_from_slice(&count.to_be_bytes());
    let mut out = BitWriter::behind(start);
    let mut xor = Xor::new(values[0]);
    let mut before = first;
    let mut distance = 0i64;
    for (index, (timestamp, value)) in timestamps.iter().zip(values).enumerate() {
        let new_distance = timestamp.wrapping_sub(before);
        match index {
            0 => {
                push_varint(&mut out, (first << 1 ^ first >> 63) as u64);
                out.bits(value.to_bits(), 64);
            }
            1 => push_varint(&mut out, new_distance as u64),
            _ => push_change(&mut out, new_distance.wrapping_sub(distance)),
        }
        if index > 0 {
            xor.push(&mut out, *value);
            distance = new_distance;
        }
        before = *timestamp;
    }
    Chunk {
        first,
        last,
        encoding: ChunkEncoding::Xor,
        data: out.into_bytes(),
    }
}

/// A number whose successors differ from it in few bits.
#[derive(Clone, Debug)]
pub(super) struct Xor {
    bits: u64,
    /// The zeros around the bits that differed the last time; none did yet if there are more than 64.
    leading: u32,
    trailing: u32,
}

impl Xor {
    pub(super) fn new(value: f64) -> Self {
        Self {
            bits: value.to_bits(),
            leading: u32::MAX,
            trailing: 0,
        }
    }

    /// Writes the next number.
    pub(super) fn push(&mut self, out: &mut BitWriter, value: f64) {
        let difference = self.bits ^ value.to_bits();
        self.bits = value.to_bits();
        out.bit(difference != 0);
        if difference == 0 {
            return;
        }
        // Five bits tell how many zeros lead.
        let leading = difference.leading_zeros().min(31);
        let trailing = difference.trailing_zeros();
        let is_inside = self.leading <= 64 && leading >= self.leading && trailing >= self.trailing;
        out.bit(!is_inside);
        if !is_inside {
            (self.leading, self.trailing) = (leading, trailing);
            out.bits(leading.into(), 5);
            // 64 does not fit into six bits and is written as 0, which cannot be otherwise.
            out.bits(u64::from(64 - leading - trailing), 6);
        }
        let width = 64 - self.leading - self.trailing;
        out.bits(difference >> self.trailing, width);
    }
}

fn push_change(out: &mut BitWriter, change: i64) {
    if change == 0 {
        return out.bit(false);
    }
    match DISTANCE_WIDTHS
        .iter()
        .position(|width| fits(change, *width))
    {
        Some(index) => {
            out.bits((1 << (index + 2)) - 2, index as u32 + 2);
            out.bits(change as u64, DISTANCE_WIDTHS[index]);
        }
        None => {
            out.bits(0b1111, 4);
            out.bits(change as u64, 64);
        }
    }
}

fn push_varint(out: &mut BitWriter, mut number: u64) {
    while number >= 0x80 {
        out.bytes(&[number as u8 | 0x80]);
        number >>= 7;
    }
    out.bytes(&[number as u8]);
}
