//! Samples, attachments and summaries of one series.
//!
//! What lies in a broken page is an error. Who wants the rest nevertheless gives a place to put the errors into, and
//! gets what lies in whole pages.

use super::directory::{ChunkEntry, DirectoryCursor, Place};
use super::file::{PageReader, Section};
use super::{Attachment, Block, BlockError, ChunkSummary};
use crate::codec::{aggregate, decode_values};
use model::SampleColumns;

/// Takes errors and lets the reader go on with the next chunk.
pub(crate) type Skip<'s> = &'s mut dyn FnMut(BlockError);

/// Reads series of a block; cheaper than single calls of the block when ordinals rise.
pub(crate) struct BlockReader<'a> {
    pub(super) pages: PageReader<'a>,
    directory: DirectoryCursor,
}

impl Block {
    /// A reader of many series.
    pub(crate) fn reader(&self) -> BlockReader<'_> {
        BlockReader::new(PageReader::new(self))
    }

    /// Appends the samples of a series from `start` to `end`, both inclusive, oldest first.
    ///
    /// Errors: a page cannot be read; nothing is appended then.
    pub(crate) fn read(
        &self,
        ordinal: u32,
        start: i64,
        end: i64,
        columns: &mut SampleColumns,
    ) -> Result<(), BlockError> {
        self.reader().read(ordinal, start, end, columns)
    }

    /// Gives the attachments of a kind that reach into the range from `start` to `end`.
    pub(crate) fn attachments(
        &self,
        ordinal: u32,
        kind: u8,
        start: i64,
        end: i64,
        each: &mut dyn FnMut(&Attachment<'_>),
    ) -> Result<(), BlockError> {
        self.reader().attachments(ordinal, kind, start, end, each)
    }
}

impl<'a> BlockReader<'a> {
    pub(super) fn new(pages: PageReader<'a>) -> Self {
        Self {
            pages,
            directory: DirectoryCursor::default(),
        }
    }

    /// As [`Block::read`].
    pub(crate) fn read(
        &mut self,
        ordinal: u32,
        start: i64,
        end: i64,
        columns: &mut SampleColumns,
    ) -> Result<(), BlockError> {
        let before = columns.len();
        let read = self.read_with(ordinal, start, end, columns, None);
        if read.is_err() {
            columns.timestamps.truncate(before);
            columns.values.truncate(before);
        }
        read
    }

    /// Appends those samples in the range that lie in whole pages; each chunk that does not is told to `skip`.
    ///
    /// Errors: not even where the chunks of the series are is known.
    pub(crate) fn read_intact(
        &mut self,
        ordinal: u32,
        start: i64,
        end: i64,
        columns: &mut SampleColumns,
        skip: Skip<'_>,
    ) -> Result<(), BlockError> {
        self.read_with(ordinal, start, end, columns, Some(skip))
    }

    fn read_with(
        &mut self,
        ordinal: u32,
        start: i64,
        end: i64,
        columns: &mut SampleColumns,
        mut skip: Option<Skip<'_>>,
    ) -> Result<(), BlockError> {
        self.directory.load(&mut self.pages, ordinal)?;
        for chunk in &self.directory.entry.chunks {
            let before = columns.len();
            if let Err(error) = read_chunk(&mut self.pages, chunk, start, end, columns) {
                columns.timestamps.truncate(before);
                columns.values.truncate(before);
                match &mut skip {
                    Some(skip) => skip(error),
                    None => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// As [`Block::attachments`].
    pub(crate) fn attachments(
        &mut self,
        ordinal: u32,
        kind: u8,
        start: i64,
        end: i64,
        each: &mut dyn FnMut(&Attachment<'_>),
    ) -> Result<(), BlockError> {
        self.directory.load(&mut self.pages, ordinal)?;
        for entry in &self.directory.entry.attachments {
            if entry.kind == kind && entry.first <= end && entry.last >= start {
                let (place, length) = (entry.place, entry.length);
                with_bytes(
                    &mut self.pages,
                    Section::Attachments,
                    place,
                    length,
                    |payload| {
                        each(&entry.with(payload));
                        Some(())
                    },
                )?;
            }
        }
        Ok(())
    }

    /// The attachments of a series, of every kind; those that cannot be read are told to `skip`.
    pub(super) fn all_attachments(
        &mut self,
        ordinal: u32,
        each: &mut dyn FnMut(&super::directory::AttachmentEntry, &[u8]),
        skip: Skip<'_>,
    ) -> Result<(), BlockError> {
        self.directory.load(&mut self.pages, ordinal)?;
        for entry in &self.directory.entry.attachments {
            let (place, length) = (entry.place, entry.length);
            let read = with_bytes(
                &mut self.pages,
                Section::Attachments,
                place,
                length,
                |payload| {
                    each(entry, payload);
                    Some(())
                },
            );
            if let Err(error) = read {
                skip(error);
            }
        }
        Ok(())
    }

    /// As [`Block::chunks`].
    pub(crate) fn chunks(
        &mut self,
        ordinal: u32,
        start: i64,
        end: i64,
        each: &mut dyn FnMut(&ChunkSummary),
    ) -> Result<(), BlockError> {
        self.directory.load(&mut self.pages, ordinal)?;
        let mut values = Vec::new();
        for chunk in &self.directory.entry.chunks {
            let column = self.pages.column(chunk.column)?;
            let samples = u32::from(column.count);
            if column.first > end || column.last < start {
                continue;
            }
            let stored = chunk.summary.resolve(column.first, column.last, samples);
            let summary = match stored {
                Some(summary) => summary,
                None => {
                    values.clear();
                    read_values(&mut self.pages, chunk, samples as usize, &mut values)?;
                    let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
                    ChunkSummary::new(column.first, column.last, samples, &aggregate(&bits))
                }
            };
            each(&summary);
        }
        Ok(())
    }
}

/// Appends the samples of a chunk that lie in a range.
fn read_chunk(
    pages: &mut PageReader<'_>,
    chunk: &ChunkEntry,
    start: i64,
    end: i64,
    columns: &mut SampleColumns,
) -> Result<(), BlockError> {
    let column = pages.column(chunk.column)?;
    if column.first > end || column.last < start {
        return Ok(());
    }
    let before = columns.len();
    pages.timestamps(chunk.column, column, &mut columns.timestamps)?;
    read_values(pages, chunk, column.count.into(), &mut columns.values)?;
    if column.last > end {
        let kept = columns.timestamps[before..].partition_point(|timestamp| *timestamp <= end);
        columns.timestamps.truncate(before + kept);
        columns.values.truncate(before + kept);
    }
    if column.first < start {
        let skipped = columns.timestamps[before..].partition_point(|timestamp| *timestamp < start);
        columns.timestamps.drain(before..before + skipped);
        columns.values.drain(before..before + skipped);
    }
    Ok(())
}

fn read_values(
    pages: &mut PageReader<'_>,
    chunk: &ChunkEntry,
    count: usize,
    out: &mut Vec<f64>,
) -> Result<(), BlockError> {
    let before = out.len();
    with_bytes(
        pages,
        Section::Data,
        chunk.place,
        chunk.length,
        |mut bytes| {
            decode_values(&mut bytes, count, out)?;
            (bytes.is_empty() && out.len() == before + count).then_some(())
        },
    )
}

/// Calls with the bytes at a place, which make sense if it answers.
fn with_bytes(
    pages: &mut PageReader<'_>,
    section: Section,
    place: Place,
    length: u32,
    read: impl FnOnce(&[u8]) -> Option<()>,
) -> Result<(), BlockError> {
    let number = place.page as usize;
    let page = match length {
        // Nothing may lie at the end of the last page, or where no page is.
        0 if section == Section::Attachments => None,
        _ => Some(pages.page(section, number)?),
    };
    let bytes = match &page {
        Some(page) => {
            let rest = page.bytes().get(place.offset as usize..);
            rest.and_then(|rest| rest.get(..length as usize))
        }
        None => Some(&[][..]),
    };
    let read = bytes.and_then(read);
    read.ok_or_else(|| {
        pages
            .block
            .damaged(section, number, "what a series has makes no sense")
    })
}
