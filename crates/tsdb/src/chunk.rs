//! Samples of one series as bytes: how the head holds them.
//!
//! A timestamp is the change of the distance to its predecessor, as a signed varint; a value is the XOR with its
//! predecessor, as a byte that counts the zero bytes below (high half) and the bytes that follow (low half). A tail
//! grows by whole samples at its end and is sealed into a chunk, which never changes. Only memory has this form, so it
//! may change with any version.

use std::sync::Arc;

use crate::coding::{Cursor, put_bytes, put_signed};

/// Samples in a tail at which it is sealed.
pub(crate) const SAMPLES_SEALED: u16 = 120;

/// By how many bytes a tail grows; doubling would waste too much in a million tails.
pub(crate) const GROWTH: usize = 64;

/// The most bytes one sample takes.
const SAMPLE_BYTES_MAX: usize = 19;

/// A sealed run of samples.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) first: i64,
    pub(crate) last: i64,
    count: u16,
    bytes: Box<[u8]>,
}

impl Chunk {
    /// Packs samples, which are sorted by strictly rising timestamp and at least one.
    pub(crate) fn pack(samples: &[(i64, u64)]) -> Arc<Self> {
        let mut tail = Tail::default();
        for (timestamp, bits) in samples {
            tail.push(*timestamp, *bits);
        }
        tail.seal()
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples::new(&self.bytes, self.count)
    }

    /// Bytes of memory that the chunk takes, its reference in a list included.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + 3 * size_of::<usize>()
    }
}

/// A run of samples that still grows.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    first: i64,
    last: i64,
    distance: i64,
    bits: u64,
    count: u16,
}

impl Tail {
    /// Adds a sample that is newer than the last.
    pub(crate) fn push(&mut self, timestamp: i64, bits: u64) {
        if self.bytes.capacity() - self.bytes.len() < SAMPLE_BYTES_MAX {
            self.bytes.reserve_exact(GROWTH);
        }
        let distance = timestamp.wrapping_sub(self.last);
        put_signed(&mut self.bytes, distance.wrapping_sub(self.distance));
        let change = bits ^ self.bits;
        if change == 0 {
            self.bytes.push(0);
        } else {
            let zero_bytes = change.trailing_zeros() / 8;
            let count = 8 - zero_bytes - change.leading_zeros() / 8;
            self.bytes.push((zero_bytes << 4 | count) as u8);
            put_bytes(&mut self.bytes, change >> (8 * zero_bytes), count as usize);
        }
        if self.count == 0 {
            self.first = timestamp;
        } else {
            self.distance = distance;
        }
        self.last = timestamp;
        self.bits = bits;
        self.count += 1;
    }

    /// Turns the samples into a chunk and forgets them, their memory too: the series may never be written to again.
    pub(crate) fn seal(&mut self) -> Arc<Chunk> {
        let chunk = Chunk {
            first: self.first,
            last: self.last,
            count: self.count,
            bytes: self.bytes.as_slice().into(),
        };
        *self = Self::default();
        Arc::new(chunk)
    }

    pub(crate) fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        *self = Self {
            bytes,
            ..Self::default()
        };
    }

    /// First and last timestamp; none without samples.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        (self.count > 0).then_some((self.first, self.last))
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples::new(&self.bytes, self.count)
    }

    /// A copy of the samples to be read without the tail.
    pub(crate) fn copy(&self) -> (Vec<u8>, u16) {
        (self.bytes.clone(), self.count)
    }

    /// Bytes of memory beside the tail itself.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Timestamps and value bits, oldest first.
pub(crate) struct Samples<'a> {
    cursor: Cursor<'a>,
    left: u16,
    first: bool,
    timestamp: i64,
    distance: i64,
    bits: u64,
}

impl<'a> Samples<'a> {
    pub(crate) fn new(bytes: &'a [u8], count: u16) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            left: count,
            first: true,
            timestamp: 0,
            distance: 0,
            bits: 0,
        }
    }
}

impl Iterator for Samples<'_> {
    type Item = (i64, u64);

    fn next(&mut self) -> Option<(i64, u64)> {
        self.left = self.left.checked_sub(1)?;
        let distance = self.distance.wrapping_add(self.cursor.signed()?);
        self.timestamp = self.timestamp.wrapping_add(distance);
        if !std::mem::take(&mut self.first) {
            self.distance = distance;
        }
        let control = self.cursor.byte()?;
        let count = usize::from(control & 0x0f);
        let zero_bytes = u32::from(control >> 4);
        self.bits ^= self.cursor.integer(count)?.checked_shl(8 * zero_bytes)?;
        Some((self.timestamp, self.bits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_come_back_bit_for_bit(
            timestamps in prop::collection::btree_set(crate::tests::timestamps(), 1..200),
            values in prop::collection::vec(crate::tests::bits(), 200),
        ) {
            let samples: Vec<_> = timestamps.into_iter().zip(values).collect();
            let chunk = Chunk::pack(&samples);
            prop_assert_eq!(chunk.first, samples[0].0);
            prop_assert_eq!(chunk.last, samples[samples.len() - 1].0);
            prop_assert_eq!(chunk.samples().collect::<Vec<_>>(), samples);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, count: u16) {
            let read = Samples::new(&bytes, count).count();
            prop_assert!(read <= bytes.len());
        }
    }

    #[test]
    fn a_steady_series_takes_two_bytes_a_sample() {
        let samples: Vec<_> = (0..120)
            .map(|i| (1_700_000_000_000 + i * 15_000, 1))
            .collect();
        assert!(Chunk::pack(&samples).bytes.len() < 260);
    }

    #[test]
    fn a_sealed_tail_starts_anew() {
        let mut tail = Tail::default();
        tail.push(5, 7);
        tail.push(9, 8);
        tail.seal();
        assert_eq!((tail.range(), tail.count()), (None, 0));
        tail.push(1, 2);
        assert_eq!(tail.samples().collect::<Vec<_>>(), [(1, 2)]);
    }
}
