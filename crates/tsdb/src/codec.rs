//! Columns of values and of timestamps as few bytes, in memory and on disk.
//!
//! A column of values is encoded in these steps, of which the first that is enough ends it:
//! 1. all the same bits: once;
//! 2. `decimal` turns the floats into integers over a power of ten, or takes their bits as integers where that is
//!    not possible; what has no integer is listed apart, what is nearly one is corrected by a second column;
//! 3. `integers` divides off what is common, foretells the integers from those before, and packs what is left.
//!
//! Chunks of many series make a page, which is compressed as a whole (`page`). Every bit of every float comes back.
//! Decoding takes any bytes without panic, and reserves memory only for the count that it was asked for.

mod aggregate;
mod bits;
mod decimal;
mod entropy;
mod integers;
mod pack;
mod page;
mod timestamps;

#[cfg(test)]
mod tests;

use std::cell::RefCell;

use crate::coding::{Cursor, put_bytes, put_varint, short_form};
pub(crate) use aggregate::{Aggregates, aggregate};
use decimal::{Exception, ordered, unordered};
pub(crate) use page::{compress_page, decompress_page};
pub(crate) use timestamps::{decode_timestamps, encode_timestamps};

/// Samples of a chunk on disk: two hours at 15 s. No chunk holds more than twice as many.
pub(crate) const CHUNK_SAMPLES: usize = 480;

/// Reads bytes as a column of `count` values and as one of timestamps; how many came out. For whoever looks for bytes that
/// cannot be withstood.
pub fn inspect_columns(bytes: &[u8], count: usize) -> usize {
    let (mut values, mut timestamps) = (Vec::new(), Vec::new());
    // What is refused yields none.
    let _ = decode_values(&mut &*bytes, count, &mut values);
    let _ = decode_timestamps(&mut &*bytes, count, &mut timestamps);
    values.len() + timestamps.len()
}

/// How long encoding may look for the smallest form; decoding is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For what is encoded as it arrives.
    Fast,
    /// For what is kept long.
    Thorough,
}

/// The head byte: a form in the low half, and what it needs to know in the high half.
const CONSTANT: u8 = 0;
const INTEGERS: u8 = 1;
const EXCEPTIONS: u8 = 2;
const CORRECTIONS: u8 = 4;

/// In place of an exponent: the integers are the floats' bits, in the order of the floats.
const BITS: u8 = 15;

/// The most common exception, told by a byte instead of nine.
const STALE_MARKER: u64 = 0x7ff0_0000_0000_0002;

/// Kept between columns, so that nothing is allocated for each.
#[derive(Debug, Default)]
struct Scratch {
    integers: Vec<i64>,
    exceptions: Vec<Exception>,
    corrections: Vec<i64>,
    column: integers::Scratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Appends the values whose bits are given; the reader must know how many they are.
pub(crate) fn encode_values(bits: &[u64], effort: Effort, out: &mut Vec<u8>) {
    let Some((first, rest)) = bits.split_first() else {
        return;
    };
    if rest.iter().all(|bits| bits == first) {
        let (code, payload, count) = short_form(*first);
        out.push(CONSTANT | code << 4);
        put_bytes(out, payload, count);
        return;
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch {
            integers,
            exceptions,
            corrections,
            column,
        } = scratch;
        if let Some(exponent) = decimal::to_integers(bits, integers, exceptions) {
            put_head(exponent, 0, exceptions, out);
            integers::encode(integers, effort, column, out);
        } else if let Some(exponent) =
            decimal::to_near_integers(bits, integers, exceptions, corrections)
        {
            put_head(exponent, CORRECTIONS, exceptions, out);
            integers::encode(integers, effort, column, out);
            integers::encode(corrections, effort, column, out);
        } else {
            put_head(BITS, 0, &[], out);
            integers.clear();
            integers.extend(bits.iter().map(|bits| ordered(*bits)));
            integers::encode(integers, effort, column, out);
        }
    });
}

/// Appends `count` values and moves `bytes` behind them; none if the bytes are broken.
pub(crate) fn decode_values(bytes: &mut &[u8], count: usize, out: &mut Vec<f64>) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let mut cursor = Cursor::new(bytes);
    let head = cursor.byte()?;
    let scale = head >> 4;
    let form = head & 0x0f;
    if form == CONSTANT {
        let value = f64::from_bits(cursor.short_form(scale)?);
        *bytes = cursor.rest();
        out.resize(out.len() + count, value);
        return Some(());
    }
    if form & !(EXCEPTIONS | CORRECTIONS) != INTEGERS {
        return None;
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch {
            integers,
            exceptions,
            ..
        } = scratch;
        exceptions.clear();
        if form & EXCEPTIONS != 0 {
            read_exceptions(&mut cursor, count, exceptions)?;
        }
        *bytes = cursor.rest();
        integers.clear();
        integers::decode(bytes, count, integers)?;
        let start = out.len();
        if scale == BITS {
            out.extend(
                integers
                    .iter()
                    .map(|integer| f64::from_bits(unordered(*integer))),
            );
        } else {
            decimal::to_floats(integers, scale, out)?;
        }
        if form & CORRECTIONS != 0 {
            integers.clear();
            integers::decode(bytes, count, integers)?;
            decimal::correct(&mut out[start..], integers);
        }
        for exception in exceptions {
            *out.get_mut(start + exception.position)? = f64::from_bits(exception.bits);
        }
        Some(())
    })
}

fn put_head(scale: u8, flags: u8, exceptions: &[Exception], out: &mut Vec<u8>) {
    if exceptions.is_empty() {
        out.push(INTEGERS | flags | scale << 4);
    } else {
        out.push(INTEGERS | EXCEPTIONS | flags | scale << 4);
        put_exceptions(exceptions, out);
    }
}

fn put_exceptions(exceptions: &[Exception], out: &mut Vec<u8>) {
    put_varint(out, exceptions.len() as u64);
    let mut next = 0;
    for exception in exceptions {
        // The lowest bit tells a stale marker from any other.
        let other = exception.bits != STALE_MARKER;
        put_varint(
            out,
            ((exception.position - next) as u64) << 1 | u64::from(other),
        );
        if other {
            put_bytes(out, exception.bits, 8);
        }
        next = exception.position + 1;
    }
}

fn read_exceptions(
    cursor: &mut Cursor<'_>,
    count: usize,
    exceptions: &mut Vec<Exception>,
) -> Option<()> {
    let mut next = 0_usize;
    for _ in 0..cursor.varint()? {
        let code = cursor.varint()?;
        let position = next.checked_add(usize::try_from(code >> 1).ok()?)?;
        if position >= count {
            return None;
        }
        let bits = if code & 1 == 0 {
            STALE_MARKER
        } else {
            cursor.integer(8)?
        };
        exceptions.push(Exception { position, bits });
        next = position + 1;
    }
    Some(())
}
