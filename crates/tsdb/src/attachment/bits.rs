//! Bits in a row, the highest of each byte first.

/// Appends bits to bytes; the last byte is filled up with zeros.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits of the last byte that are still free.
    free: u32,
}

impl<'a> BitWriter<'a> {
    /// Begins with a byte of its own.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, free: 0 }
    }

    /// Appends the low `count` ≤ 64 bits of a value.
    pub(super) fn put(&mut self, value: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.out.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            left -= taken;
            self.free -= taken;
            let part = value >> left & ((1 << taken) - 1);
            if let Some(last) = self.out.last_mut() {
                *last |= (part as u8) << self.free;
            }
        }
    }
}

/// Reads bits from bytes; an answer is none once they run out.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` ≤ 64 bits.
    pub(super) fn take(&mut self, count: u32) -> Option<u64> {
        let mut value = 0;
        let mut left = count;
        while left > 0 {
            let byte = *self.bytes.get(self.at / 8)?;
            let unread = 8 - (self.at % 8) as u32;
            let taken = left.min(unread);
            let part = byte >> (unread - taken) & (0xff >> (8 - taken)) as u8;
            value = value << taken | u64::from(part);
            left -= taken;
            self.at += taken as usize;
        }
        Some(value)
    }

    /// How many bytes were begun.
    pub(super) fn bytes_read(&self) -> usize {
        self.at.div_ceil(8)
    }
}
