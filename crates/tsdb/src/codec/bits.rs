//! Runs of bits, the lowest first: written into bytes, and read back without a look at each byte.

/// Appends values of 0 to 64 bits; [`BitWriter::finish`] fills up the last byte with zeros.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    used: u32,
}

impl<'a> BitWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            pending: 0,
            used: 0,
        }
    }

    /// Appends the low `width` bits of `value`, whose other bits are zero.
    #[inline]
    pub(crate) fn put(&mut self, value: u64, width: u32) {
        debug_assert!(width == 64 || value >> width == 0);
        self.pending |= value << self.used;
        let total = self.used + width;
        if total < 64 {
            self.used = total;
            return;
        }
        self.out.extend_from_slice(&self.pending.to_le_bytes());
        let written = 64 - self.used;
        self.pending = value.checked_shr(written).unwrap_or(0);
        self.used = total - 64;
    }

    pub(crate) fn finish(self) {
        let bytes = self.pending.to_le_bytes();
        let used = (self.used as usize).div_ceil(8);
        self.out.extend_from_slice(&bytes[..used]);
    }
}

/// Reads what a [`BitWriter`] wrote; behind the end there are zeros.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// At least 57 bits from the present position on, the next in the lowest bit.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        let start = self.position / 8;
        let word = match self.bytes.get(start..).and_then(<[u8]>::first_chunk) {
            Some(whole) => u64::from_le_bytes(*whole),
            None => self.last_word(start),
        };
        word >> (self.position % 8)
    }

    #[cold]
    fn last_word(&self, start: usize) -> u64 {
        let mut word = [0; 8];
        let rest = self.bytes.get(start..).unwrap_or_default();
        word[..rest.len()].copy_from_slice(rest);
        u64::from_le_bytes(word)
    }

    #[inline]
    pub(crate) fn skip(&mut self, width: u32) {
        self.position += width as usize;
    }

    /// The next `width` bits, at most 57.
    #[inline]
    pub(crate) fn take(&mut self, width: u32) -> u64 {
        let value = self.peek() & low_bits(width);
        self.skip(width);
        value
    }

    /// The next `width` bits, at most 64.
    pub(crate) fn take_wide(&mut self, width: u32) -> u64 {
        let low = self.take(width.min(32));
        if width <= 32 {
            return low;
        }
        low | self.take(width - 32) << 32
    }

    /// Whole bytes that were begun.
    pub(crate) fn bytes_read(&self) -> usize {
        self.position.div_ceil(8)
    }
}

/// A mask of the low `width` ≤ 64 bits.
#[inline]
pub(crate) fn low_bits(width: u32) -> u64 {
    if width == 64 {
        return u64::MAX;
    }
    !(u64::MAX << width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_of_any_width_come_back(values: Vec<(u64, u8)>) {
            let values: Vec<_> = values
                .into_iter()
                .map(|(value, width)| (value & low_bits(u32::from(width) % 65), u32::from(width) % 65))
                .collect();
            let mut bytes = Vec::new();
            let mut writer = BitWriter::new(&mut bytes);
            for (value, width) in &values {
                writer.put(*value, *width);
            }
            writer.finish();
            let mut reader = BitReader::new(&bytes);
            for (value, width) in &values {
                prop_assert_eq!(reader.take_wide(*width), *value);
            }
            prop_assert_eq!(reader.bytes_read(), bytes.len());
        }
    }

    #[test]
    fn there_are_zeros_behind_the_end() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.take(12), 0xff);
        assert_eq!(reader.take_wide(64), 0);
    }
}
