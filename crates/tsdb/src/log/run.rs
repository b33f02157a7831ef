//! Samples of consecutive series with one timestamp: a bitmap says which values changed, and the changed ones follow.
//!
//! What is written of a value is the XOR with the one before: a control byte, low half the number of bytes, high half
//! the number of zero bytes below them, then those bytes. Writing has no branch that depends on the values.

use crate::coding::Cursor;

/// The most samples in a run that is written. A longer one gains nothing, and a shorter room for it stays in the cache.
pub(crate) const RUN_MAX: usize = 2048;

const CHANGED_WORDS: usize = RUN_MAX / 64;

/// A control byte and eight more.
const VALUE_MAX: usize = 9;

/// A run that is being written.
pub(crate) struct RunWriter {
    first: u32,
    next: u32,
    /// What `next` must not reach; equal to it if there is no run.
    limit: u32,
    timestamp: i64,
    changed: [u64; CHANGED_WORDS],
    length: usize,
    values: Box<[u8]>,
}

impl RunWriter {
    pub(crate) fn new() -> Self {
        Self {
            first: 0,
            next: 0,
            limit: 0,
            timestamp: 0,
            changed: [0; CHANGED_WORDS],
            length: 0,
            values: vec![0; RUN_MAX * VALUE_MAX].into_boxed_slice(),
        }
    }

    /// Whether a sample goes on with the run.
    #[inline]
    pub(crate) fn takes(&self, reference: u32, timestamp: i64) -> bool {
        self.next == reference && self.timestamp == timestamp && self.next != self.limit
    }

    /// Begins a run; the one before was ended.
    pub(crate) fn begin(&mut self, reference: u32, timestamp: i64) {
        self.first = reference;
        self.next = reference;
        self.limit = reference.saturating_add(RUN_MAX as u32);
        self.timestamp = timestamp;
    }

    /// Adds the sample of the next series, by the XOR of its value with the one before.
    #[inline]
    pub(crate) fn push(&mut self, difference: u64) {
        let changed = difference != 0;
        let below = difference.trailing_zeros() / 8;
        let width = (71 - difference.leading_zeros()) / 8;
        let width = width.wrapping_sub(below);
        let room = &mut self.values[self.length..self.length + VALUE_MAX];
        room[0] = (below << 4 | width) as u8;
        room[1..].copy_from_slice(&(difference >> ((8 * below) & 63)).to_le_bytes());
        // Of a value that did not change nothing is kept; the next one is written over it.
        self.length += (width as usize).wrapping_add(1) * usize::from(changed);
        let position = self.count();
        self.changed[position / 64 % CHANGED_WORDS] |= u64::from(changed) << (position % 64);
        self.next += 1;
    }

    /// How many samples there are.
    pub(crate) fn count(&self) -> usize {
        (self.next - self.first) as usize
    }

    pub(crate) fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The first series, and the one behind the last.
    pub(crate) fn series(&self) -> (u32, u32) {
        (self.first, self.next)
    }

    /// Drops the run.
    pub(crate) fn clear(&mut self) {
        self.changed = [0; CHANGED_WORDS];
        self.first = self.next;
        self.limit = self.next;
        self.length = 0;
    }

    /// Heap memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.values.len()
    }

    /// Appends bitmap and values to `buffer`; then there is no run.
    pub(crate) fn end(&mut self, buffer: &mut Vec<u8>) {
        let count = self.count();
        let bitmap_end = buffer.len() + count.div_ceil(8);
        for word in &mut self.changed[..count.div_ceil(64)] {
            buffer.extend_from_slice(&word.to_le_bytes());
            *word = 0;
        }
        buffer.truncate(bitmap_end);
        buffer.extend_from_slice(&self.values[..self.length]);
        self.first = self.next;
        self.limit = self.next;
        self.length = 0;
    }
}

/// Reads bitmap and values of a run of `count` samples; `change` gets position and XOR of each value that changed. None
/// if the bytes make no sense, after some changes perhaps.
#[inline]
pub(crate) fn read_run(
    cursor: &mut Cursor<'_>,
    count: usize,
    mut change: impl FnMut(usize, u64),
) -> Option<()> {
    let bitmap = cursor.take(count.div_ceil(8))?;
    if !count.is_multiple_of(8) && *bitmap.last()? >> (count % 8) != 0 {
        return None;
    }
    let mut bytes = cursor.rest();
    for (index, part) in bitmap.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        let mut word = u64::from_le_bytes(word);
        while word != 0 {
            let position = 64 * index + word.trailing_zeros() as usize;
            word &= word - 1;
            let (control, rest) = bytes.split_first()?;
            let (below, width) = (u32::from(control >> 4), usize::from(control & 0x0f));
            if width == 0 || below as usize + width > 8 {
                return None;
            }
            let value = match rest.first_chunk::<8>() {
                Some(wide) => u64::from_le_bytes(*wide) & (u64::MAX >> (64 - 8 * width)),
                None => {
                    let mut wide = [0; 8];
                    wide[..width].copy_from_slice(rest.get(..width)?);
                    u64::from_le_bytes(wide)
                }
            };
            bytes = rest.get(width..)?;
            change(position, value << (8 * below));
        }
    }
    cursor.advance_to(bytes);
    Some(())
}
