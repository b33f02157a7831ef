//! Integers and floats as few bytes: what the log and the chunks are written with.
//!
//! Integers are LEB128 varints, signed ones in zigzag form. A float is either its bit pattern without the zero
//! bytes at its low end, or, when that is shorter, the integer that it equals.

/// Appends an unsigned integer, 1 to 10 bytes.
pub(crate) fn put_varint(buffer: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buffer.push(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.push(value as u8);
}

/// Appends a signed integer, 1 to 10 bytes, fewer the nearer to zero.
pub(crate) fn put_signed(buffer: &mut Vec<u8>, value: i64) {
    put_varint(buffer, zigzag(value));
}

/// Appends the low `count` bytes of `value`, the lowest first.
pub(crate) fn put_bytes(buffer: &mut Vec<u8>, value: u64, count: usize) {
    let end = buffer.len() + count;
    buffer.extend_from_slice(&value.to_le_bytes());
    buffer.truncate(end);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The widest integer form has six bytes, so that form and width together fit into half a byte.
const INTEGER_BYTES_MAX: usize = 6;

/// A float's shortest form: a code from 0 to 14, and how many low bytes of the integer follow it.
///
/// Codes 0 to 8 give the number of high bytes of the bit pattern that follow; 9 to 14 say that one to six bytes of
/// a zigzag integer follow.
pub(crate) fn short_form(bits: u64) -> (u8, u64, usize) {
    if bits == 0 {
        return (0, 0, 0);
    }
    let zero_bytes = bits.trailing_zeros() / 8;
    let float_bytes = 8 - zero_bytes as usize;
    let integer = f64::from_bits(bits) as i64;
    // Negative zero, NaN and whatever is out of range do not come back as the same bits.
    if (integer as f64).to_bits() == bits {
        let zigzag = zigzag(integer);
        let integer_bytes = (64 - zigzag.leading_zeros() as usize).div_ceil(8);
        if integer_bytes < float_bytes && integer_bytes <= INTEGER_BYTES_MAX {
            return (8 + integer_bytes as u8, zigzag, integer_bytes);
        }
    }
    (float_bytes as u8, bits >> (8 * zero_bytes), float_bytes)
}

/// Reads what the functions of this module wrote; an answer is none once the bytes run out or make no sense.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What was not read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Goes on with `rest`, the end of what [`Cursor::rest`] gave.
    pub(crate) fn advance_to(&mut self, rest: &'a [u8]) {
        self.bytes = rest;
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return None;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    /// A run of bytes behind its length.
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.varint()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// An integer of `count` ≤ 8 bytes, the lowest first.
    pub(crate) fn integer(&mut self, count: usize) -> Option<u64> {
        let mut wide = [0; 8];
        wide.get_mut(..count)?.copy_from_slice(self.take(count)?);
        Some(u64::from_le_bytes(wide))
    }

    /// The bits of a float in the form that [`short_form`] gave the code for.
    pub(crate) fn short_form(&mut self, code: u8) -> Option<u64> {
        match code {
            0 => Some(0),
            1..=8 => {
                let count = usize::from(code);
                Some(self.integer(count)? << (8 * (8 - count)))
            }
            9..=14 => {
                let integer = unzigzag(self.integer(usize::from(code) - 8)?);
                Some((integer as f64).to_bits())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_come_back(unsigned: u64, signed: i64) {
            let mut buffer = Vec::new();
            put_varint(&mut buffer, unsigned);
            put_signed(&mut buffer, signed);
            let mut cursor = Cursor::new(&buffer);
            prop_assert_eq!(cursor.varint(), Some(unsigned));
            prop_assert_eq!(cursor.signed(), Some(signed));
            prop_assert!(cursor.is_empty());
        }

        #[test]
        fn floats_come_back_bit_for_bit(bits in crate::tests::bits()) {
            let (code, payload, count) = short_form(bits);
            let mut buffer = Vec::new();
            put_bytes(&mut buffer, payload, count);
            prop_assert_eq!(buffer.len(), count);
            prop_assert_eq!(Cursor::new(&buffer).short_form(code), Some(bits));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, code: u8) {
            let mut cursor = Cursor::new(&bytes);
            let mut read = 0;
            while cursor.varint().is_some() && cursor.short_form(code).is_some() {
                read += 1;
            }
            prop_assert!(read <= bytes.len());
        }
    }

    #[test]
    fn common_values_are_short() {
        for (value, bytes) in [
            (0.0, 0),
            (1.0, 1),
            (-1.0, 1),
            (12345.0, 2),
            (0.5, 2),
            (1e9, 4),
        ] {
            assert_eq!(short_form(f64::to_bits(value)).2, bytes, "{value}");
        }
    }

    #[test]
    fn an_endless_varint_is_refused() {
        assert_eq!(Cursor::new(&[0xff; 11]).varint(), None);
        let too_wide = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(Cursor::new(&too_wide).varint(), None);
    }
}
