//! Bits, and numbers that take fewer of them the closer they are to zero.

/// Bits behind each other, the high one of each byte first.
#[derive(Debug)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: u32,
}

impl BitWriter {
    /// Goes on behind whole bytes.
    pub(super) fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// The bytes, the last one filled up with zeros.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes the lowest `count` bits of a number, at most 64.
    pub(super) fn bits(&mut self, number: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = number >> (left - taken) & ((1 << taken) - 1);
            self.free -= taken;
            left -= taken;
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part as u8) << self.free;
            }
        }
    }

    pub(super) fn bit(&mut self, bit: bool) {
        self.bits(bit.into(), 1);
    }

    /// Writes whole bytes, wherever the last one ended.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.bits((*byte).into(), 8);
        }
    }

    /// Writes a signed number in 1, 5, 9, 13, 17, 24, 32, 64 or 72 bits.
    pub(super) fn signed(&mut self, number: i64) {
        if number == 0 {
            return self.bit(false);
        }
        let width = WIDTHS.iter().position(|width| fits(number, *width));
        self.prefixed(number as u64, width);
    }

    /// Writes a number without sign in as many.
    pub(super) fn unsigned(&mut self, number: u64) {
        if number == 0 {
            return self.bit(false);
        }
        let width = WIDTHS.iter().position(|width| number >> width == 0);
        self.prefixed(number, width);
    }

    fn prefixed(&mut self, number: u64, width: Option<usize>) {
        match width {
            // Ones, as many as widths that were too small and one more, and a zero.
            Some(index) => {
                self.bits((1 << (index + 2)) - 2, index as u32 + 2);
                self.bits(number, WIDTHS[index]);
            }
            None => {
                self.bits(0xff, 8);
                self.bits(number, 64);
            }
        }
    }
}

/// The widths of numbers with a prefix of 2 to 8 bits.
pub(super) const WIDTHS: [u32; 7] = [3, 6, 9, 12, 18, 25, 56];

/// Whether a signed number has room in so many bits: one more above zero than below.
pub(super) fn fits(number: i64, width: u32) -> bool {
    let half = 1i64 << (width - 1);
    -(half - 1) <= number && number <= half
}
