//! The values of each label, sorted by label and value, each with its posting.
//!
//! A page is three streams: heads, text, postings. Values are written as what they have other than the one before. The
//! first entry of each label has the empty value, which no series has: its posting is the series that have the label
//! at all. A page may hold several labels; the block knows the first entry of each page, so that a value is found
//! in one page and values with a prefix in a range of pages.

use std::io;

use super::file::{PageReader, PageSink, PageTable, Section};
use super::postings::{Posting, PostingsWriter, Recent};
use super::{Block, BlockError};
use crate::coding::{Cursor, put_varint};

/// A page is searched from its beginning: some hundred values.
const BYTES_PER_PAGE: usize = 16 << 10;

/// The first entry of a page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ValueKey {
    name: Box<str>,
    value: Box<str>,
}

impl ValueKey {
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.value.len()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for text in [&self.name, &self.value] {
            put_varint(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
    }

    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut text = || Some(std::str::from_utf8(cursor.prefixed()?).ok()?.into());
        Some(Self {
            name: text()?,
            value: text()?,
        })
    }
}

/// Builds the pages of values, of one label after the other.
#[derive(Default)]
pub(super) struct ValuesWriter {
    heads: Vec<u8>,
    text: Vec<u8>,
    postings: Vec<u8>,
    name: String,
    previous: String,
    recent: Recent,
    /// The first entries of all pages and where those lie, in the order in which they were written.
    pub(super) pages: Vec<(ValueKey, super::file::PageLocation)>,
    first: Option<ValueKey>,
    pub(super) stored: PostingsWriter,
}

impl ValuesWriter {
    /// Adds a value, "" for all series that have the label, with the runs of its series. Values of a label rise.
    pub(super) fn push(
        &mut self,
        sink: &mut PageSink,
        name: &str,
        value: &str,
        runs: &[(u32, u32)],
    ) -> io::Result<()> {
        if self.heads.len() + self.text.len() + self.postings.len() >= BYTES_PER_PAGE {
            self.flush(sink)?;
        }
        let begins = self.first.is_none();
        if begins {
            self.first = Some(ValueKey {
                name: name.into(),
                value: value.into(),
            });
            self.recent = Recent::default();
        }
        if begins || self.name != name {
            put_varint(&mut self.heads, 0);
            put_varint(&mut self.heads, name.len() as u64);
            self.text.extend_from_slice(name.as_bytes());
            self.name.clear();
            self.name.push_str(name);
            self.previous.clear();
        }
        let pairs = self.previous.bytes().zip(value.bytes());
        let shared = pairs.take_while(|(left, right)| left == right).count();
        put_varint(&mut self.heads, shared as u64 + 1);
        put_varint(&mut self.heads, (value.len() - shared) as u64);
        self.text.extend_from_slice(&value.as_bytes()[shared..]);
        self.previous.clear();
        self.previous.push_str(value);
        self.stored
            .push(sink, runs, &mut self.recent, &mut self.postings)
    }

    /// Writes the page that has begun.
    pub(super) fn flush(&mut self, sink: &mut PageSink) -> io::Result<()> {
        let Some(key) = self.first.take() else {
            return Ok(());
        };
        let mut raw = Vec::with_capacity(BYTES_PER_PAGE + 1024);
        put_varint(&mut raw, self.heads.len() as u64);
        put_varint(&mut raw, self.text.len() as u64);
        raw.append(&mut self.heads);
        raw.append(&mut self.text);
        raw.append(&mut self.postings);
        self.pages.push((key, sink.page(Section::Values, &raw)?));
        Ok(())
    }

    /// The table and the first entries of the pages, sorted.
    pub(super) fn finish(mut self) -> (PageTable, Vec<ValueKey>, PageTable) {
        // A label that was put off has its pages behind those of later labels.
        self.pages.sort_by(|left, right| left.0.cmp(&right.0));
        let (keys, locations) = self.pages.into_iter().unzip();
        let table = PageTable {
            locations,
            ..PageTable::default()
        };
        (table, keys, self.stored.table)
    }
}

/// Goes through the values of one page.
struct ValuesCursor<'a> {
    heads: Cursor<'a>,
    text: Cursor<'a>,
    postings: Cursor<'a>,
    recent: Recent,
    name: &'a str,
    value: Vec<u8>,
}

impl<'a> ValuesCursor<'a> {
    fn new(page: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(page);
        let heads = usize::try_from(cursor.varint()?).ok()?;
        let text = usize::try_from(cursor.varint()?).ok()?;
        Some(Self {
            heads: Cursor::new(cursor.take(heads)?),
            text: Cursor::new(cursor.take(text)?),
            postings: cursor,
            recent: Recent::default(),
            name: "",
            value: Vec::new(),
        })
    }

    /// The next entry; the outer none if the page makes no sense, the inner at its end.
    fn next(&mut self) -> Option<Option<(&'a str, &str, Posting<'a>)>> {
        if self.heads.is_empty() {
            return Some(None);
        }
        let mut shared = self.heads.varint()?;
        if shared == 0 {
            let length = usize::try_from(self.heads.varint()?).ok()?;
            self.name = std::str::from_utf8(self.text.take(length)?).ok()?;
            self.value.clear();
            shared = self.heads.varint()?;
        }
        let shared = usize::try_from(shared.checked_sub(1)?).ok()?;
        let length = usize::try_from(self.heads.varint()?).ok()?;
        if shared > self.value.len() {
            return None;
        }
        self.value.truncate(shared);
        self.value.extend_from_slice(self.text.take(length)?);
        let posting = Posting::parse(&mut self.postings, &mut self.recent)?;
        Some(Some((
            self.name,
            std::str::from_utf8(&self.value).ok()?,
            posting,
        )))
    }
}

/// Whether to go on.
pub(super) type Go = std::ops::ControlFlow<()>;

/// Takes name, value and posting; "" is the value of all series that have the label.
pub(super) type EachValue<'e> =
    &'e mut dyn FnMut(&mut PageReader<'_>, &str, &str, Posting<'_>) -> Result<Go, BlockError>;

impl Block {
    /// The page in which an entry is if there is one.
    pub(super) fn values_page(&self, name: &str, value: &str) -> usize {
        let behind = self
            .value_keys
            .partition_point(|key| (&*key.name, &*key.value) <= (name, value));
        behind.saturating_sub(1)
    }

    /// How many pages hold the values of a label that begin with a prefix.
    pub(super) fn values_pages(&self, name: &str, prefix: &str) -> usize {
        let within = |key: &ValueKey| {
            (&*key.name, &*key.value) <= (name, prefix)
                || &*key.name == name && key.value.starts_with(prefix)
        };
        let behind = self.value_keys.partition_point(within);
        behind.saturating_sub(self.values_page(name, prefix))
    }

    /// Gives the entries from a value on, in order, until `each` has enough.
    pub(super) fn values_from(
        &self,
        pages: &mut PageReader<'_>,
        name: &str,
        value: &str,
        each: EachValue<'_>,
    ) -> Result<(), BlockError> {
        for number in self.values_page(name, value)..self.value_keys.len() {
            let page = pages.page(Section::Values, number)?;
            let broken = || self.damaged(Section::Values, number, "the values make no sense");
            let mut cursor = ValuesCursor::new(page.bytes()).ok_or_else(broken)?;
            while let Some((found_name, found, posting)) = cursor.next().ok_or_else(broken)? {
                if (found_name, found) < (name, value) {
                    continue;
                }
                if each(pages, found_name, found, posting)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The names of all labels, sorted.
    pub(crate) fn label_names(&self) -> Result<Vec<String>, BlockError> {
        let mut pages = PageReader::new(self);
        let mut names: Vec<String> = Vec::new();
        let mut from = String::new();
        loop {
            let mut found = None;
            self.values_from(&mut pages, &from, "", &mut |_, name, _, _| {
                if names.last().is_some_and(|last| last == name) {
                    return Ok(Go::Continue(()));
                }
                found = Some(name.to_owned());
                Ok(Go::Break(()))
            })?;
            let Some(name) = found else {
                return Ok(names);
            };
            // The least text behind the name.
            from = format!("{name}\0");
            names.push(name);
        }
    }

    /// Shows the values of a label, sorted, as long as `each` wants more.
    pub(crate) fn label_values(
        &self,
        name: &str,
        each: &mut dyn FnMut(&str) -> Go,
    ) -> Result<(), BlockError> {
        let mut pages = PageReader::new(self);
        self.values_from(&mut pages, name, "", &mut |_, found, value, _| {
            if found != name {
                return Ok(Go::Break(()));
            }
            match value.is_empty() {
                true => Ok(Go::Continue(())),
                false => Ok(each(value)),
            }
        })?;
        Ok(())
    }
}
