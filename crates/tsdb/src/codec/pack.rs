//! Integers in blocks of one width above their minimum; the few that need more bits are patched.
//!
//! Form: the minimum (signed varint), the width (a byte, its high bit says that there are patches), patches (their
//! number, then for each the distance of its position and what is above the width, as varints), then the low bits.

use super::bits::{BitReader, BitWriter, low_bits};
use crate::coding::{Cursor, put_signed, put_varint};

const PATCHED: u8 = 0x80;

/// What a patch counts beside its high bits. It takes twice as much, but where columns resemble each other a
/// compressed page becomes smaller with narrow integers: by 1 % with this value instead of 15.
const PATCH_BITS: usize = 8;

/// What a patch mostly takes.
const PATCH_BYTES: usize = 2;

/// Appends integers of any size.
pub(crate) fn encode(integers: &[i64], out: &mut Vec<u8>) {
    if integers.is_empty() {
        return;
    }
    let Width {
        minimum,
        width,
        patches,
    } = best_width(integers);
    let above = |integer: &i64| integer.wrapping_sub(minimum) as u64;
    put_signed(out, minimum);
    if patches == 0 {
        out.push(width as u8);
    } else {
        out.push(width as u8 | PATCHED);
        put_varint(out, patches as u64);
        let mut next = 0;
        for (position, integer) in integers.iter().enumerate() {
            let high = above(integer) >> width;
            if high > 0 {
                put_varint(out, (position - next) as u64);
                put_varint(out, high);
                next = position + 1;
            }
        }
    }
    let mask = low_bits(width);
    let mut writer = BitWriter::new(out);
    for integer in integers {
        writer.put(above(integer) & mask, width);
    }
    writer.finish();
}

/// What [`encode`] will append, nearly.
pub(crate) fn bytes(integers: &[i64]) -> usize {
    let best = best_width(integers);
    3 + best.width as usize * integers.len() / 8 + PATCH_BYTES * best.patches
}

struct Width {
    minimum: i64,
    width: u32,
    patches: usize,
}

/// The width that makes the whole smallest, and how many integers are above it.
fn best_width(integers: &[i64]) -> Width {
    let (minimum, maximum) = bounds(integers);
    let range = maximum.wrapping_sub(minimum) as u64;
    let widest = 64 - range.leading_zeros() as usize;
    let mut of_width = [0_u32; 65];
    for integer in integers {
        let above = integer.wrapping_sub(minimum) as u64;
        of_width[64 - above.leading_zeros() as usize] += 1;
    }
    let mut fewest = usize::MAX;
    let mut best = Width {
        minimum,
        width: 64,
        patches: 0,
    };
    let mut patches = 0;
    let mut patch_bits = 0;
    for width in (0..=widest).rev() {
        let bits = width * integers.len() + patch_bits;
        if bits <= fewest {
            fewest = bits;
            best.width = width as u32;
            best.patches = patches;
        }
        patches += of_width[width] as usize;
        // One level down, each patch so far has a bit more above the width.
        patch_bits += of_width[width] as usize * PATCH_BITS + patches * 8 / 7;
    }
    best
}

/// The least and the greatest of integers.
pub(crate) fn bounds(integers: &[i64]) -> (i64, i64) {
    let (mut minimum, mut maximum) = (i64::MAX, i64::MIN);
    for integer in integers {
        minimum = minimum.min(*integer);
        maximum = maximum.max(*integer);
    }
    (minimum, maximum)
}

/// Appends `count` integers and moves `bytes` behind them.
pub(crate) fn decode(bytes: &mut &[u8], count: usize, out: &mut Vec<i64>) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let mut cursor = Cursor::new(bytes);
    let minimum = cursor.signed()?;
    let form = cursor.byte()?;
    let width = u32::from(form & !PATCHED);
    if width > 64 {
        return None;
    }
    let patches = if form & PATCHED == 0 {
        0
    } else {
        usize::try_from(cursor.varint()?).ok()?
    };
    let mut patched = cursor.clone();
    for _ in 0..patches {
        cursor.varint()?;
        cursor.varint()?;
    }
    // What lies behind is not used, but lets the last integers be read as quickly as the others.
    let mut reader = BitReader::new(cursor.rest());
    cursor.take(count.checked_mul(width as usize)?.div_ceil(8))?;
    *bytes = cursor.rest();
    let start = out.len();
    if width == 0 {
        out.resize(start + count, minimum);
    } else if width <= 57 {
        let mask = low_bits(width);
        out.extend((0..count).map(|_| {
            let low = reader.peek() & mask;
            reader.skip(width);
            minimum.wrapping_add(low as i64)
        }));
    } else {
        out.extend((0..count).map(|_| minimum.wrapping_add(reader.take_wide(width) as i64)));
    }
    let mut rest = &mut out[start..];
    for _ in 0..patches {
        let position = usize::try_from(patched.varint()?).ok()?;
        let high = patched.varint()?.checked_shl(width)?;
        let (integer, behind) = rest.get_mut(position..)?.split_first_mut()?;
        *integer = integer.wrapping_add(high as i64);
        rest = behind;
    }
    Some(())
}
