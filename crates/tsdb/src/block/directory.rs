//! The entry of each series: where its chunks and attachments are and what they hold.
//!
//! Entries stand one behind the other, and each is written against the one before: chunks follow each other in the data,
//! and the columns of a series most often follow each other too. Sixteen entries make a group, which is read from its
//! beginning. A page is the number of groups, the length of each, and the groups.

use std::cmp::Ordering;
use std::io;

use super::file::{PageReader, PageSink, PageTable, Section};
use super::summary::{StoredSummary, SummaryState};
use super::{Attachment, BlockError};
use crate::coding::{Cursor, put_signed, put_varint};

/// A page ends after so many series …
const SERIES_PER_PAGE: u32 = 256;
/// … or so many bytes.
const BYTES_PER_PAGE: usize = 16 << 10;

/// Entries that are read from the first on: so many cost about a microsecond.
const GROUP: u32 = 16;

/// Flags of a chunk: its column is the one foretold, it begins a page, it has NaNs; above them the summary's kind.
const FORETOLD: u8 = 1;
const NEW_PAGE: u8 = 2;
const NANS: u8 = 4;
const KIND_SHIFT: u8 = 3;

/// A place in the content of a page of data or attachments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) page: u32,
    pub(super) offset: u32,
}

/// A chunk of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ChunkEntry {
    pub(super) column: u32,
    pub(super) place: Place,
    pub(super) length: u32,
    pub(super) summary: StoredSummary,
}

/// An attachment of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AttachmentEntry {
    pub(super) kind: u8,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) count: u32,
    pub(super) place: Place,
    pub(super) length: u32,
}

/// All of a series.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesEntry {
    pub(super) chunks: Vec<ChunkEntry>,
    pub(super) attachments: Vec<AttachmentEntry>,
}

impl SeriesEntry {
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.attachments.clear();
    }
}

impl AttachmentEntry {
    pub(super) fn new(attachment: &Attachment<'_>, place: Place) -> Self {
        Self {
            kind: attachment.kind,
            first: attachment.first,
            last: attachment.last,
            count: attachment.count,
            place,
            length: attachment.payload.len() as u32,
        }
    }

    pub(super) fn with<'a>(&self, payload: &'a [u8]) -> Attachment<'a> {
        Attachment {
            kind: self.kind,
            first: self.first,
            last: self.last,
            count: self.count,
            payload,
        }
    }
}

/// What an entry is written against.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Where the next chunk lies if it begins no page.
    chunks: Place,
    attachments: Place,
    /// The first column of the series before.
    column: u32,
}

impl State {
    fn encode(&mut self, entry: &SeriesEntry, out: &mut Vec<u8>) {
        let attached = !entry.attachments.is_empty();
        put_varint(out, (entry.chunks.len() as u64) << 1 | u64::from(attached));
        let mut column = self.column;
        let mut summaries = SummaryState::default();
        for (index, chunk) in entry.chunks.iter().enumerate() {
            let mut flags = chunk.summary.kind() << KIND_SHIFT;
            let foretold = chunk.column == column;
            flags |= if foretold { FORETOLD } else { 0 };
            flags |= begin(&mut self.chunks, chunk.place, NEW_PAGE);
            let nans = chunk.summary.nans();
            flags |= if nans > 0 { NANS } else { 0 };
            out.push(flags);
            if !foretold {
                put_signed(out, i64::from(chunk.column) - i64::from(column));
            }
            put_varint(out, chunk.length.into());
            if nans > 0 {
                put_varint(out, nans.into());
            }
            chunk.summary.encode(&mut summaries, out);
            self.chunks.offset += chunk.length;
            if index == 0 {
                self.column = chunk.column;
            }
            column = chunk.column.wrapping_add(1);
        }
        if !attached {
            return;
        }
        put_varint(out, entry.attachments.len() as u64);
        let mut before = 0i64;
        for attachment in &entry.attachments {
            out.push(begin(&mut self.attachments, attachment.place, NEW_PAGE));
            out.push(attachment.kind);
            put_signed(out, attachment.first.wrapping_sub(before));
            put_varint(out, attachment.last.wrapping_sub(attachment.first) as u64);
            put_varint(out, attachment.count.into());
            put_varint(out, attachment.length.into());
            self.attachments.offset += attachment.length;
            before = attachment.last;
        }
    }

    /// Reads an entry in place of the one that `entry` holds.
    fn parse(&mut self, cursor: &mut Cursor<'_>, entry: &mut SeriesEntry) -> Option<()> {
        entry.clear();
        let head = cursor.varint()?;
        let mut column = self.column;
        let mut summaries = SummaryState::default();
        for index in 0..head >> 1 {
            let flags = cursor.byte()?;
            if flags & FORETOLD == 0 {
                let foretold = i64::from(column);
                column = u32::try_from(foretold.checked_add(cursor.signed()?)?).ok()?;
            }
            let length = u32::try_from(cursor.varint()?).ok()?;
            let nans = match flags & NANS {
                0 => 0,
                _ => u32::try_from(cursor.varint()?).ok()?,
            };
            let kind = flags >> KIND_SHIFT;
            let summary = StoredSummary::parse(cursor, kind, nans, &mut summaries)?;
            let place = advance(&mut self.chunks, flags & NEW_PAGE != 0, length)?;
            entry.chunks.push(ChunkEntry {
                column,
                place,
                length,
                summary,
            });
            if index == 0 {
                self.column = column;
            }
            column = column.wrapping_add(1);
        }
        if head & 1 == 0 {
            return Some(());
        }
        let mut before = 0i64;
        for _ in 0..cursor.varint()? {
            let new_page = match cursor.byte()? {
                0 => false,
                NEW_PAGE => true,
                _ => return None,
            };
            let kind = cursor.byte()?;
            let first = before.wrapping_add(cursor.signed()?);
            let last = first.wrapping_add(cursor.varint()? as i64);
            let count = u32::try_from(cursor.varint()?).ok()?;
            let length = u32::try_from(cursor.varint()?).ok()?;
            let place = advance(&mut self.attachments, new_page, length)?;
            if last < first {
                return None;
            }
            entry.attachments.push(AttachmentEntry {
                kind,
                first,
                last,
                count,
                place,
                length,
            });
            before = last;
        }
        Some(())
    }
}

/// Moves the writer's state to a place; the flag if that begins a page.
fn begin(state: &mut Place, place: Place, flag: u8) -> u8 {
    let new_page = state.page != place.page;
    *state = place;
    if new_page { flag } else { 0 }
}

/// Moves the reader's state behind something; where that lies.
fn advance(state: &mut Place, new_page: bool, length: u32) -> Option<Place> {
    if new_page {
        *state = Place {
            page: state.page.checked_add(1)?,
            offset: 0,
        };
    }
    let place = *state;
    state.offset = state.offset.checked_add(length)?;
    Some(place)
}

/// Builds the pages of the directory.
#[derive(Default)]
pub(super) struct DirectoryWriter {
    raw: Vec<u8>,
    /// Where each group begins.
    groups: Vec<usize>,
    series: u32,
    state: State,
    pub(super) table: PageTable,
}

impl DirectoryWriter {
    /// Ends the page if it is full. If a group begins, it is told where the next chunk and attachment come to lie.
    pub(super) fn prepare(
        &mut self,
        sink: &mut PageSink,
        places: impl FnOnce() -> (Place, Place),
    ) -> io::Result<()> {
        if !self.series.is_multiple_of(GROUP) {
            return Ok(());
        }
        if self.series >= SERIES_PER_PAGE || self.raw.len() >= BYTES_PER_PAGE {
            self.flush(sink)?;
        }
        if self.series == 0 {
            self.table.firsts.push(self.table.items);
        }
        self.groups.push(self.raw.len());
        let (chunks, attachments) = places();
        self.state = State {
            chunks,
            attachments,
            column: 0,
        };
        for place in [chunks, attachments] {
            put_varint(&mut self.raw, place.page.into());
            put_varint(&mut self.raw, place.offset.into());
        }
        Ok(())
    }

    pub(super) fn push(&mut self, entry: &SeriesEntry) {
        self.state.encode(entry, &mut self.raw);
        self.series += 1;
        self.table.items += 1;
    }

    /// Writes the page that has begun.
    pub(super) fn flush(&mut self, sink: &mut PageSink) -> io::Result<()> {
        if self.series > 0 {
            let mut page = Vec::with_capacity(self.raw.len() + 2 * self.groups.len() + 2);
            put_varint(&mut page, self.groups.len() as u64);
            self.groups.push(self.raw.len());
            for group in self.groups.windows(2) {
                put_varint(&mut page, (group[1] - group[0]) as u64);
            }
            page.append(&mut self.raw);
            self.table
                .locations
                .push(sink.page(Section::Directory, &page)?);
            self.groups.clear();
            self.series = 0;
        }
        Ok(())
    }
}

/// Reads entries; those that follow each other without going back to the beginning of the group.
#[derive(Default)]
pub(super) struct DirectoryCursor {
    /// The group that was read last.
    page: usize,
    group: u32,
    /// The ordinal whose entry comes next, and where in the group; 0 if nothing was read.
    next: u32,
    offset: usize,
    state: State,
    pub(super) entry: SeriesEntry,
}

impl DirectoryCursor {
    /// Reads the entry of a series into `entry`.
    pub(super) fn load(
        &mut self,
        pages: &mut PageReader<'_>,
        ordinal: u32,
    ) -> Result<(), BlockError> {
        let block = pages.block;
        if self.offset > 0 && self.next.checked_sub(1) == Some(ordinal) {
            return Ok(());
        }
        let table = block.table(Section::Directory);
        let Some(number) = table.page_of(ordinal) else {
            self.entry.clear();
            self.offset = 0;
            return Err(block.damaged(Section::Directory, 0, "there is no such series"));
        };
        let page = pages.page(Section::Directory, number);
        let items = table.items_of(number);
        let group = (ordinal - items.start) / GROUP;
        let mut parse = |raw: &[u8]| {
            let bytes = group_bytes(raw, group)?;
            let continues = self.offset > 0
                && (self.page, self.group) == (number, group)
                && self.next <= ordinal;
            let mut cursor = Cursor::new(bytes);
            if continues {
                cursor = Cursor::new(bytes.get(self.offset..)?);
            } else {
                (self.page, self.group) = (number, group);
                self.next = items.start + group * GROUP;
                self.state = parse_state(&mut cursor)?;
            }
            while self.next <= ordinal {
                self.state.parse(&mut cursor, &mut self.entry)?;
                self.next += 1;
            }
            let ends = self.next == items.end || (self.next - items.start).is_multiple_of(GROUP);
            (!ends || cursor.is_empty()).then_some(bytes.len() - cursor.len())
        };
        let wrong = || block.damaged(Section::Directory, number, "an entry makes no sense");
        match page.and_then(|page| parse(page.bytes()).ok_or_else(wrong)) {
            Ok(offset) => {
                self.offset = offset;
                Ok(())
            }
            Err(error) => {
                self.entry.clear();
                self.offset = 0;
                Err(error)
            }
        }
    }
}

/// The bytes of a group of a page.
fn group_bytes(page: &[u8], group: u32) -> Option<&[u8]> {
    let mut cursor = Cursor::new(page);
    let groups = cursor.varint()?;
    let (mut start, mut end) = (0usize, 0usize);
    for number in 0..groups {
        let length = usize::try_from(cursor.varint()?).ok()?;
        match number.cmp(&u64::from(group)) {
            Ordering::Less => start = start.checked_add(length)?,
            Ordering::Equal => end = start.checked_add(length)?,
            Ordering::Greater => {}
        }
    }
    let entries = cursor.take(cursor.len())?;
    entries.get(start..end).filter(|bytes| !bytes.is_empty())
}

fn parse_state(cursor: &mut Cursor<'_>) -> Option<State> {
    let mut place = || {
        Some(Place {
            page: u32::try_from(cursor.varint()?).ok()?,
            offset: u32::try_from(cursor.varint()?).ok()?,
        })
    };
    Some(State {
        chunks: place()?,
        attachments: place()?,
        column: 0,
    })
}
