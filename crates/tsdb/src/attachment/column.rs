//! A column: the same thing through the records of a section, as integers or floats.
//!
//! Integers are predicted from those before, either to rise by a fixed step or as they rose last; whichever costs
//! less. What the prediction misses is written in Rice's code: the low `k` bits as they are, the rest in unary. Floats
//! are written as integers if all of them are, else XORed with the one before.

use super::bits::{BitReader, BitWriter};
use crate::coding::{Cursor, put_signed, put_varint};

/// In a column's first byte: each value is predicted from the two before.
const SECOND_ORDER: u8 = 0x40;
/// In a column's first byte: every prediction is right, and no bits follow.
const EXACT: u8 = 0x80;
/// The bits of a column's first byte that hold Rice's parameter.
const PARAMETER: u8 = 0x3f;

/// With more ones than these, all 64 bits follow: one record out of line must not cost kilobytes.
const UNARY_MAX: u32 = 20;

/// A float column whose values are integers.
const INTEGERS: u8 = 0;
/// A float column of XORs.
const XORS: u8 = 1;

/// Appends integers; arithmetic wraps, so any will do.
pub(super) fn encode_integers(values: &[u64], out: &mut Vec<u8>) {
    let [first, rest @ ..] = values else {
        return;
    };
    put_signed(out, *first as i64);
    if rest.is_empty() {
        return;
    }
    let deltas: Vec<u64> = values
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    let step = median(&deltas);
    let by_step: Vec<u64> = deltas.iter().map(|delta| residual(*delta, step)).collect();
    let before = std::iter::once(step).chain(deltas.iter().copied());
    let by_last: Vec<u64> = deltas
        .iter()
        .zip(before)
        .map(|(delta, before)| residual(*delta, before))
        .collect();
    let (order, residuals) = match cheapest(&by_step).1 <= cheapest(&by_last).1 {
        true => (0, by_step),
        false => (SECOND_ORDER, by_last),
    };
    if residuals.iter().all(|residual| *residual == 0) {
        out.push(order | EXACT);
        put_signed(out, step as i64);
        return;
    }
    let (parameter, _) = cheapest(&residuals);
    out.push(order | parameter);
    put_signed(out, step as i64);
    let mut bits = BitWriter::new(out);
    for residual in residuals {
        put_rice(&mut bits, residual, parameter.into());
    }
}

/// Reads so many integers.
pub(super) fn decode_integers(cursor: &mut Cursor<'_>, count: usize) -> Option<Vec<u64>> {
    let mut value = cursor.signed()? as u64;
    let mut values = Vec::with_capacity(count);
    values.push(value);
    if count <= 1 {
        return Some(values);
    }
    let mode = cursor.byte()?;
    let mut step = cursor.signed()? as u64;
    let (is_exact, parameter) = (mode & EXACT != 0, u32::from(mode & PARAMETER));
    let mut bits = BitReader::new(cursor.rest());
    for _ in 1..count {
        let residual = match is_exact {
            true => 0,
            false => take_rice(&mut bits, parameter)?,
        };
        let delta = step.wrapping_add(unzigzag(residual));
        if mode & SECOND_ORDER != 0 {
            step = delta;
        }
        value = value.wrapping_add(delta);
        values.push(value);
    }
    let read = bits.bytes_read();
    cursor.take(read)?;
    Some(values)
}

/// Appends floats bit by bit.
pub(super) fn encode_floats(values: &[f64], out: &mut Vec<u8>) {
    let integers: Option<Vec<u64>> = values.iter().map(|value| whole(*value)).collect();
    if let Some(integers) = integers {
        out.push(INTEGERS);
        return encode_integers(&integers, out);
    }
    out.push(XORS);
    let mut bits = BitWriter::new(out);
    let mut before = 0;
    let mut window = Window::WHOLE;
    for value in values {
        let xor = value.to_bits() ^ before;
        before = value.to_bits();
        if xor == 0 {
            bits.put(0, 1);
            continue;
        }
        let tight = Window {
            leading: xor.leading_zeros(),
            length: 64 - xor.leading_zeros() - xor.trailing_zeros(),
        };
        // To name a new window takes 12 bits.
        if window.holds(tight) && window.length <= tight.length + 12 {
            bits.put(0b10, 2);
        } else {
            window = tight;
            bits.put(0b11, 2);
            bits.put(window.leading.into(), 6);
            bits.put((window.length - 1).into(), 6);
        }
        bits.put(xor >> window.shift(), window.length);
    }
}

/// Reads so many floats.
pub(super) fn decode_floats(cursor: &mut Cursor<'_>, count: usize) -> Option<Vec<f64>> {
    match cursor.byte()? {
        INTEGERS => {
            let integers = decode_integers(cursor, count)?;
            Some(integers.into_iter().map(|it| it as i64 as f64).collect())
        }
        XORS => {
            let mut bits = BitReader::new(cursor.rest());
            let mut values = Vec::with_capacity(count);
            let mut value = 0;
            let mut window = Window::WHOLE;
            for _ in 0..count {
                if bits.take(1)? == 1 {
                    if bits.take(1)? == 1 {
                        window = Window {
                            leading: bits.take(6)? as u32,
                            length: bits.take(6)? as u32 + 1,
                        };
                        if window.leading + window.length > 64 {
                            return None;
                        }
                    }
                    value ^= bits.take(window.length)? << window.shift();
                }
                values.push(f64::from_bits(value));
            }
            let read = bits.bytes_read();
            cursor.take(read)?;
            Some(values)
        }
        _ => None,
    }
}

/// The bits of an XOR that are written.
#[derive(Clone, Copy)]
struct Window {
    leading: u32,
    length: u32,
}

impl Window {
    const WHOLE: Self = Self {
        leading: 0,
        length: 64,
    };

    const fn shift(self) -> u32 {
        64 - self.leading - self.length
    }

    const fn holds(self, other: Self) -> bool {
        self.leading <= other.leading && self.shift() <= other.shift()
    }
}

/// The integer that a float is, if it comes back as the same bits.
fn whole(value: f64) -> Option<u64> {
    let integer = value as i64;
    ((integer as f64).to_bits() == value.to_bits()).then_some(integer as u64)
}

fn median(deltas: &[u64]) -> u64 {
    let mut sorted: Vec<i64> = deltas.iter().map(|delta| *delta as i64).collect();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable(middle).1 as u64
}

fn residual(delta: u64, expected: u64) -> u64 {
    let missed = delta.wrapping_sub(expected) as i64;
    (missed << 1 ^ missed >> 63) as u64
}

fn unzigzag(residual: u64) -> u64 {
    residual >> 1 ^ (residual & 1).wrapping_neg()
}

/// Rice's parameter that costs the fewest bits, and how many these are.
fn cheapest(residuals: &[u64]) -> (u8, u64) {
    let width = |residual: &u64| 64 - residual.leading_zeros();
    let widest = residuals.iter().map(width).max().unwrap_or(0);
    let cost = |parameter: u32| -> u64 {
        let bits = residuals
            .iter()
            .map(|residual| match residual >> parameter {
                high if high < u64::from(UNARY_MAX) => high + 1 + u64::from(parameter),
                _ => u64::from(UNARY_MAX) + 64,
            });
        bits.sum()
    };
    let costs =
        (0..=widest.min(PARAMETER.into())).map(|parameter| (parameter as u8, cost(parameter)));
    costs.min_by_key(|(_, cost)| *cost).unwrap_or_default()
}

fn put_rice(bits: &mut BitWriter<'_>, residual: u64, parameter: u32) {
    let high = residual >> parameter;
    if high >= u64::from(UNARY_MAX) {
        bits.put((1 << UNARY_MAX) - 1, UNARY_MAX);
        bits.put(residual, 64);
        return;
    }
    // So many ones and a zero.
    bits.put((1 << (high + 1)) - 2, high as u32 + 1);
    bits.put(residual & ((1 << parameter) - 1), parameter);
}

fn take_rice(bits: &mut BitReader<'_>, parameter: u32) -> Option<u64> {
    let mut high = 0;
    while bits.take(1)? == 1 {
        high += 1;
        if high == UNARY_MAX {
            return bits.take(64);
        }
    }
    Some(u64::from(high) << parameter | bits.take(parameter)?)
}

/// Appends one float in its shortest form behind the form's code.
pub(super) fn put_float(out: &mut Vec<u8>, value: f64) {
    let (code, payload, count) = crate::coding::short_form(value.to_bits());
    out.push(code);
    crate::coding::put_bytes(out, payload, count);
}

/// Reads one float that [`put_float`] wrote.
pub(super) fn take_float(cursor: &mut Cursor<'_>) -> Option<f64> {
    let code = cursor.byte()?;
    cursor.short_form(code).map(f64::from_bits)
}

/// Appends a length.
pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_varint(out, length as u64);
}

/// Reads the length of a list each element of which takes a byte or more of what follows.
pub(super) fn take_length(cursor: &mut Cursor<'_>) -> Option<usize> {
    let length = usize::try_from(cursor.varint()?).ok()?;
    (length <= cursor.rest().len()).then_some(length)
}
