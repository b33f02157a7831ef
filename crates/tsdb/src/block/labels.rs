//! The labels of each series in packed form, each written as what it has other than the one before.
//!
//! A page is the length of its heads, the heads (for each series how many bytes it shares with the one before, and
//! how many follow), and the bytes that follow, without anything between: lengths and text compress better apart.

use std::io;

use roaring::RoaringBitmap;

use super::file::{PageReader, PageSink, PageTable, Section};
use super::{Block, BlockError};
use crate::coding::{Cursor, put_varint};

/// A page ends after so many series …
const SERIES_PER_PAGE: usize = 256;
/// … or so many bytes.
const BYTES_PER_PAGE: usize = 32 << 10;

/// Builds the pages of labels.
#[derive(Default)]
pub(super) struct LabelsWriter {
    heads: Vec<u8>,
    text: Vec<u8>,
    series: usize,
    pub(super) table: PageTable,
}

impl LabelsWriter {
    /// Adds labels, which share so many bytes with those before.
    pub(super) fn push(
        &mut self,
        sink: &mut PageSink,
        packed: &str,
        shared: usize,
    ) -> io::Result<()> {
        if self.series >= SERIES_PER_PAGE || self.text.len() >= BYTES_PER_PAGE {
            self.flush(sink)?;
        }
        let mut shared = shared;
        if self.series == 0 {
            self.table.firsts.push(self.table.items);
            shared = 0;
        }
        put_varint(&mut self.heads, shared as u64);
        put_varint(&mut self.heads, (packed.len() - shared) as u64);
        self.text.extend_from_slice(&packed.as_bytes()[shared..]);
        self.series += 1;
        self.table.items += 1;
        Ok(())
    }

    /// Writes the page that has begun.
    pub(super) fn flush(&mut self, sink: &mut PageSink) -> io::Result<()> {
        if self.series == 0 {
            return Ok(());
        }
        let mut raw = Vec::with_capacity(self.heads.len() + self.text.len() + 4);
        put_varint(&mut raw, self.heads.len() as u64);
        raw.append(&mut self.heads);
        raw.append(&mut self.text);
        self.table.locations.push(sink.page(Section::Labels, &raw)?);
        self.series = 0;
        Ok(())
    }
}

/// Goes through the labels of one page.
pub(super) struct LabelsCursor<'a> {
    heads: Cursor<'a>,
    text: Cursor<'a>,
    packed: Vec<u8>,
}

impl<'a> LabelsCursor<'a> {
    pub(super) fn new(page: &'a [u8]) -> Option<Self> {
        let mut text = Cursor::new(page);
        let heads = Cursor::new(text.prefixed()?);
        Some(Self {
            heads,
            text,
            packed: Vec::new(),
        })
    }

    /// Goes to the next series; its labels are then in [`LabelsCursor::packed`].
    pub(super) fn advance(&mut self) -> Option<()> {
        let shared = usize::try_from(self.heads.varint()?).ok()?;
        let length = usize::try_from(self.heads.varint()?).ok()?;
        let text = self.text.take(length)?;
        if shared > self.packed.len() {
            return None;
        }
        self.packed.truncate(shared);
        self.packed.extend_from_slice(text);
        Some(())
    }

    pub(super) fn packed(&self) -> Option<&str> {
        std::str::from_utf8(&self.packed).ok()
    }
}

impl Block {
    /// Gives the packed labels of series in the order of their ordinals. A page that cannot be read ends it.
    pub(crate) fn labels(
        &self,
        ordinals: &RoaringBitmap,
        each: &mut dyn FnMut(u32, &str),
    ) -> Result<(), BlockError> {
        let mut pages = PageReader::new(self);
        let table = self.table(Section::Labels);
        let mut wanted = ordinals.iter().peekable();
        while let Some(first) = wanted.peek().copied() {
            let Some(number) = table.page_of(first) else {
                return Ok(());
            };
            let items = table.items_of(number);
            let page = pages.page(Section::Labels, number)?;
            let mut visit = || {
                let mut cursor = LabelsCursor::new(page.bytes())?;
                let mut next = items.start;
                while let Some(ordinal) = wanted.next_if(|ordinal| items.contains(ordinal)) {
                    while next <= ordinal {
                        cursor.advance()?;
                        next += 1;
                    }
                    each(ordinal, cursor.packed()?);
                }
                Some(())
            };
            visit().ok_or_else(|| self.damaged(Section::Labels, number, "labels make no sense"))?;
        }
        Ok(())
    }
}
