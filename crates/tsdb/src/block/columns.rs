//! Columns of timestamps, each stored once for all chunks that have it.
//!
//! A page of columns is the number of columns, a record of fixed length for each, and the encoded timestamps. A column
//! whose record names another one as its base is a slice of that: it takes a record and nothing else. So a
//! series that began late or missed a scrape shares the timestamps of those beside it.
//!
//! The writer asks in this order: are all timestamps those of the series before? Does a column have this content, by two
//! independent hashes of 64 bits? Are they a slice of what the series before has? If nothing holds, they are a new column.

use std::hash::BuildHasher as _;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use super::cache::Page;
use super::file::{PAGE_RAW, PageReader, PageSink, PageTable, Section, cache_key};
use super::{Block, BlockError};
use crate::codec::{CHUNK_SAMPLES, decode_timestamps, encode_timestamps};

/// First, last, base, start in the base, count, end of the encoded timestamps.
const RECORD: usize = 8 + 8 + 4 + 2 + 2 + 4;

/// Fewer records would make a page of nothing.
const COLUMNS_PER_PAGE: usize = 1024;

/// So many contents are known at once (13 MiB); then the dictionary begins anew, which costs bytes and nothing else.
const KNOWN_MAX: usize = 458_752;

/// A slice saves less than this many timestamps would cost in a column that others may share.
const SLICE_MIN: usize = 32;

/// A column this short is decoded each time rather than kept decoded.
const DECODED_MIN: usize = 64;

/// A column as its record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) first: i64,
    pub(super) last: i64,
    base: u32,
    start: u16,
    pub(super) count: u16,
}

/// A column that a chunk has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) column: u32,
    pub(super) count: u16,
    /// The column that has the timestamps, and where in it they begin.
    base: u32,
    start: u16,
}

/// Builds the pages of columns.
pub(super) struct ColumnsWriter {
    records: Vec<u8>,
    encoded: Vec<u8>,
    pub(super) table: PageTable,
    known: HashMap<(u64, u64), Span, foldhash::fast::RandomState>,
    hashers: [foldhash::quality::RandomState; 2],
    previous: Vec<i64>,
    previous_spans: Vec<Span>,
}

impl ColumnsWriter {
    pub(super) fn new() -> Self {
        Self {
            records: Vec::new(),
            encoded: Vec::new(),
            table: PageTable::default(),
            known: HashMap::default(),
            hashers: Default::default(),
            previous: Vec::new(),
            previous_spans: Vec::new(),
        }
    }

    /// Cuts strictly rising timestamps into chunks and gives the column of each.
    pub(super) fn assign(
        &mut self,
        sink: &mut PageSink,
        timestamps: &[i64],
    ) -> io::Result<&[Span]> {
        if self.previous == timestamps {
            return Ok(&self.previous_spans);
        }
        if !timestamps.is_sorted_by(|left, right| left < right) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "timestamps of a series do not rise strictly",
            ));
        }
        let mut spans = Vec::with_capacity(timestamps.len().div_ceil(CHUNK_SAMPLES));
        let mut rest = timestamps;
        while !rest.is_empty() {
            let span = self.span(sink, rest)?;
            rest = &rest[usize::from(span.count)..];
            spans.push(span);
        }
        self.previous.clear();
        self.previous.extend_from_slice(timestamps);
        self.previous_spans = spans;
        Ok(&self.previous_spans)
    }

    fn span(&mut self, sink: &mut PageSink, rest: &[i64]) -> io::Result<Span> {
        let chunk = &rest[..rest.len().min(CHUNK_SAMPLES)];
        let key = self.key(chunk);
        if let Some(span) = self.known.get(&key) {
            return Ok(*span);
        }
        if let Some((base, start, count)) = self.slice_of_previous(rest) {
            let slice = &rest[..count];
            let key = self.key(slice);
            if let Some(span) = self.known.get(&key) {
                return Ok(*span);
            }
            return self.add(sink, key, slice, Some((base, start)));
        }
        self.add(sink, key, chunk, None)
    }

    fn key(&self, timestamps: &[i64]) -> (u64, u64) {
        let [left, right] = &self.hashers;
        (left.hash_one(timestamps), right.hash_one(timestamps))
    }

    /// Where the timestamps begin in the columns of the series before: base, start, and how many are the same.
    fn slice_of_previous(&self, rest: &[i64]) -> Option<(u32, u16, usize)> {
        let at = self.previous.binary_search(rest.first()?).ok()?;
        let mut start = 0;
        for span in &self.previous_spans {
            let end = start + usize::from(span.count);
            if at < end {
                let column = self.previous[at..end].iter().zip(rest);
                let same = column.take_while(|(left, right)| left == right).count();
                let offset = span.start + (at - start) as u16;
                return (same >= SLICE_MIN).then_some((span.base, offset, same));
            }
            start = end;
        }
        None
    }

    fn add(
        &mut self,
        sink: &mut PageSink,
        key: (u64, u64),
        timestamps: &[i64],
        slice: Option<(u32, u16)>,
    ) -> io::Result<Span> {
        if self.records.len() >= COLUMNS_PER_PAGE * RECORD || self.encoded.len() >= PAGE_RAW {
            self.flush(sink)?;
        }
        if self.records.is_empty() {
            self.table.firsts.push(self.table.items);
        }
        let column = self.table.items;
        let Some(items) = column.checked_add(1) else {
            return Err(io::Error::other(
                "the block has too many columns of timestamps",
            ));
        };
        self.table.items = items;
        if slice.is_none() {
            encode_timestamps(timestamps, &mut self.encoded);
        }
        let (base, start) = slice.unwrap_or((column, 0));
        let count = timestamps.len() as u16;
        let (first, last) = (timestamps[0], timestamps[timestamps.len() - 1]);
        self.records.extend_from_slice(&first.to_le_bytes());
        self.records.extend_from_slice(&last.to_le_bytes());
        self.records.extend_from_slice(&base.to_le_bytes());
        self.records.extend_from_slice(&start.to_le_bytes());
        self.records.extend_from_slice(&count.to_le_bytes());
        let end = self.encoded.len() as u32;
        self.records.extend_from_slice(&end.to_le_bytes());
        let span = Span {
            column,
            count,
            base,
            start,
        };
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(key, span);
        Ok(span)
    }

    /// Writes the page that has begun.
    pub(super) fn flush(&mut self, sink: &mut PageSink) -> io::Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        let count = (self.records.len() / RECORD) as u32;
        let mut raw = Vec::with_capacity(4 + self.records.len() + self.encoded.len());
        raw.extend_from_slice(&count.to_le_bytes());
        raw.append(&mut self.records);
        raw.append(&mut self.encoded);
        self.table
            .locations
            .push(sink.page(Section::Columns, &raw)?);
        Ok(())
    }
}

/// The record of the column at `index` in a page, and where its encoded timestamps are.
fn parse_column(page: &[u8], index: usize, own: u32) -> Option<(Column, Range<usize>)> {
    let (count, rest) = page.split_first_chunk()?;
    let count = u32::from_le_bytes(*count) as usize;
    let (records, encoded) = rest.split_at_checked(count.checked_mul(RECORD)?)?;
    let record = |index: usize| {
        let start = index.checked_mul(RECORD)?;
        records.get(start..)?.first_chunk::<RECORD>()
    };
    let end = |record: &[u8; RECORD]| u32::from_le_bytes(array(record, 24)) as usize;
    let bytes = record(index)?;
    let start = match index {
        0 => 0,
        index => end(record(index - 1)?),
    };
    let column = Column {
        first: i64::from_le_bytes(array(bytes, 0)),
        last: i64::from_le_bytes(array(bytes, 8)),
        base: u32::from_le_bytes(array(bytes, 16)),
        start: u16::from_le_bytes(array(bytes, 20)),
        count: u16::from_le_bytes(array(bytes, 22)),
    };
    let sound = (1..=2 * CHUNK_SAMPLES).contains(&usize::from(column.count))
        && column.first <= column.last
        && column.base <= own
        && start <= end(bytes)
        && end(bytes) <= encoded.len();
    let text = page.len() - encoded.len();
    sound.then_some((column, text + start..text + end(bytes)))
}

/// The `N` bytes from `at` on.
fn array<const N: usize>(record: &[u8; RECORD], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[at..at + N]);
    bytes
}

impl PageReader<'_> {
    /// The span and length of a column.
    pub(super) fn column(&mut self, column: u32) -> Result<Column, BlockError> {
        Ok(self.column_record(column)?.0)
    }

    fn column_record(
        &mut self,
        column: u32,
    ) -> Result<(Column, Range<usize>, Arc<Page>), BlockError> {
        let table = self.block.table(Section::Columns);
        let Some(number) = table.page_of(column) else {
            return Err(broken(
                self.block,
                0,
                "a column is named that does not exist",
            ));
        };
        let index = (column - table.firsts[number]) as usize;
        let page = self.page(Section::Columns, number)?;
        match parse_column(page.bytes(), index, column) {
            Some((record, range)) => Ok((record, range, page)),
            None => Err(broken(self.block, number, "a column makes no sense")),
        }
    }

    /// Appends the timestamps of a column to `out`.
    pub(super) fn timestamps(
        &mut self,
        column: u32,
        record: Column,
        out: &mut Vec<i64>,
    ) -> Result<(), BlockError> {
        let page = self
            .block
            .table(Section::Columns)
            .page_of(column)
            .unwrap_or(0);
        let wrong = || {
            broken(
                self.block,
                page,
                "a column has other timestamps than it says",
            )
        };
        let (base, range, bytes) = self.column_record(record.base)?;
        let decode = || {
            let mut timestamps = Vec::with_capacity(base.count.into());
            let mut encoded = &bytes.bytes()[range.clone()];
            decode_timestamps(&mut encoded, base.count.into(), &mut timestamps)?;
            let whole = encoded.is_empty() && timestamps.len() == usize::from(base.count);
            (base.base == record.base && whole).then_some(timestamps)
        };
        let held;
        let decoded;
        let all: &[i64] = if usize::from(base.count) < DECODED_MIN {
            held = decode().ok_or_else(wrong)?;
            &held
        } else {
            let (cache, id) = self.block.file.cache();
            let key = (id, cache_key(Section::Table, record.base.into()));
            decoded =
                cache.get_or_load(key, || decode().map(Page::Timestamps).ok_or_else(wrong))?;
            decoded.timestamps()
        };
        let start = usize::from(record.start);
        let slice = all.get(start..start + usize::from(record.count));
        let slice = slice.filter(|slice| {
            slice.first() == Some(&record.first) && slice.last() == Some(&record.last)
        });
        out.extend_from_slice(slice.ok_or_else(wrong)?);
        Ok(())
    }
}

fn broken(block: &Block, page: usize, what: &'static str) -> BlockError {
    block.damaged(Section::Columns, page, what)
}
