//! Mini chunks: runs of one series' values, packed one behind the other, each knowing the one before it of its series.

/// Bytes of a page. A chunk never crosses its end.
const PAGE: usize = 1 << 16;

/// Bytes before a chunk's values: the chunk before it, its column, its first row, its count.
const HEADER: usize = 4 + 4 + 4 + 2;

/// Where a chunk lies: its number in the order of places, plus one; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChunkPlace(u32);

impl ChunkPlace {
    pub(crate) const NONE: Self = Self(0);
}

/// What a chunk says.
pub(crate) struct PackedChunk<'a> {
    pub(crate) before: ChunkPlace,
    pub(crate) column: u32,
    pub(crate) row: u32,
    pub(crate) count: u16,
    /// The values, and what follows them.
    pub(crate) values: &'a [u8],
}

/// All mini chunks of a shard.
#[derive(Default)]
pub(crate) struct Packed {
    pages: Vec<Vec<u8>>,
}

impl Packed {
    /// Adds a chunk; `values` are what the codec made of its values.
    pub(crate) fn push(
        &mut self,
        before: ChunkPlace,
        column: u32,
        row: u32,
        count: u16,
        values: &[u8],
    ) -> ChunkPlace {
        let length = HEADER + values.len();
        let full = |page: &Vec<u8>| page.len() + length > PAGE;
        if self.pages.last().is_none_or(full) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let number = self.pages.len() - 1;
        let page = &mut self.pages[number];
        let place = number * PAGE + page.len() + 1;
        page.extend_from_slice(&before.0.to_le_bytes());
        page.extend_from_slice(&column.to_le_bytes());
        page.extend_from_slice(&row.to_le_bytes());
        page.extend_from_slice(&count.to_le_bytes());
        page.extend_from_slice(values);
        ChunkPlace(u32::try_from(place).expect("invariant: a shard is frozen long before 4 GiB"))
    }

    /// Reads a chunk; none stands at [`ChunkPlace::NONE`].
    pub(crate) fn get(&self, place: ChunkPlace) -> Option<PackedChunk<'_>> {
        let at = place.0.checked_sub(1)? as usize;
        let bytes = self.pages.get(at / PAGE)?.get(at % PAGE..)?;
        let (header, values) = bytes.split_first_chunk::<HEADER>()?;
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        Some(PackedChunk {
            before: ChunkPlace(word(0)),
            column: word(4),
            row: word(8),
            count: u16::from_le_bytes([header[12], header[13]]),
            values,
        })
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.pages.len() * PAGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_lead_back_to_the_first() {
        let mut packed = Packed::default();
        let mut last = ChunkPlace::NONE;
        for number in 0..1_000u32 {
            last = packed.push(last, number, 2 * number, 3, &[number as u8; 200]);
        }
        for number in (0..1_000u32).rev() {
            let chunk = packed.get(last).unwrap();
            assert_eq!(
                (chunk.column, chunk.row, chunk.count),
                (number, 2 * number, 3)
            );
            assert_eq!(chunk.values[..200], [number as u8; 200]);
            last = chunk.before;
        }
        assert!(packed.get(last).is_none());
        assert!(packed.memory() >= 200_000);
    }
}
