//! Which series have a value of a label: ordinals, rising.
//!
//! A few forms, the first that fits: one ordinal (if it follows one of those that were seen lately, which one of them it
//! was), one run, differences where they are short, and otherwise a place in a page of postings that holds differences or
//! a roaring bitmap, whichever is shorter.

use std::io;

use roaring::RoaringBitmap;

use super::file::{PAGE_RAW, PageReader, PageSink, PageTable, Section};
use super::{Block, BlockError};
use crate::coding::{Cursor, put_varint};

/// Series of one pod or target lie in as many places as it has metrics; each value continues one of these places.
const RECENT: usize = 64;

/// Codes of the forms; those below are one ordinal that follows a recent one.
const ONE: u8 = RECENT as u8;
const RUN: u8 = ONE + 1;
const INLINE: u8 = ONE + 2;
const STORED: u8 = ONE + 3;

/// Longer postings are not among the values, so that those can be gone through fast.
const INLINE_MAX: usize = 48;

/// Longer lists are bitmaps: differences must be read from the beginning.
const DIFFERENCES_MAX: u64 = 16_384;

/// What a stored posting begins with.
const STORED_DIFFERENCES: u8 = 0;
const STORED_ROARING: u8 = 1;

/// The series that have a value, as the entry of the value tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posting<'a> {
    Run {
        first: u32,
        length: u32,
    },
    Inline {
        count: u32,
        differences: &'a [u8],
    },
    Stored {
        count: u32,
        page: u32,
        offset: u32,
        length: u32,
    },
}

/// The last ordinals that were written alone.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    ordinals: [u32; RECENT],
    oldest: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            ordinals: [u32::MAX; RECENT],
            oldest: 0,
        }
    }
}

impl Recent {
    fn put(&mut self, ordinal: u32, out: &mut Vec<u8>) {
        let before = ordinal.wrapping_sub(1);
        match self.ordinals.iter().position(|recent| *recent == before) {
            Some(slot) => {
                out.push(slot as u8);
                self.ordinals[slot] = ordinal;
            }
            None => {
                out.push(ONE);
                put_varint(out, ordinal.into());
                self.replace_oldest(ordinal);
            }
        }
    }

    fn replace_oldest(&mut self, ordinal: u32) {
        self.ordinals[self.oldest] = ordinal;
        self.oldest = (self.oldest + 1) % RECENT;
    }
}

/// Builds pages of postings, and the forms that stand with the values.
#[derive(Default)]
pub(super) struct PostingsWriter {
    raw: Vec<u8>,
    differences: Vec<u8>,
    pub(super) table: PageTable,
}

impl PostingsWriter {
    /// Appends to `out` the posting that consists of rising runs (first, length), which do not touch.
    pub(super) fn push(
        &mut self,
        sink: &mut PageSink,
        runs: &[(u32, u32)],
        recent: &mut Recent,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        match runs {
            [(first, 1)] => {
                recent.put(*first, out);
                return Ok(());
            }
            [(first, length)] => {
                out.push(RUN);
                put_varint(out, u64::from(*first));
                put_varint(out, u64::from(*length));
                return Ok(());
            }
            _ => {}
        }
        let count: u64 = runs.iter().map(|(_, length)| u64::from(*length)).sum();
        self.differences.clear();
        if count <= DIFFERENCES_MAX {
            let mut next = 0;
            for (first, length) in runs {
                put_varint(&mut self.differences, u64::from(first - next));
                let further = *length as usize - 1;
                self.differences.extend(std::iter::repeat_n(0, further));
                next = first + length;
            }
            if self.differences.len() <= INLINE_MAX {
                out.push(INLINE);
                put_varint(out, count);
                put_varint(out, self.differences.len() as u64);
                out.extend_from_slice(&self.differences);
                return Ok(());
            }
        }
        if self.raw.len() >= PAGE_RAW {
            self.flush(sink)?;
        }
        let offset = self.raw.len();
        let mut bitmap = RoaringBitmap::new();
        for (first, length) in runs {
            bitmap.insert_range(*first..=first + (length - 1));
        }
        bitmap.optimize();
        if count <= DIFFERENCES_MAX && self.differences.len() <= bitmap.serialized_size() {
            self.raw.push(STORED_DIFFERENCES);
            self.raw.extend_from_slice(&self.differences);
        } else {
            self.raw.push(STORED_ROARING);
            bitmap.serialize_into(&mut self.raw)?;
        }
        out.push(STORED);
        put_varint(out, count);
        put_varint(out, self.table.locations.len() as u64);
        put_varint(out, offset as u64);
        put_varint(out, (self.raw.len() - offset) as u64);
        Ok(())
    }

    /// Writes the page that has begun.
    pub(super) fn flush(&mut self, sink: &mut PageSink) -> io::Result<()> {
        if !self.raw.is_empty() {
            let location = sink.page(Section::Postings, &self.raw)?;
            self.table.locations.push(location);
            self.raw.clear();
        }
        Ok(())
    }
}

impl<'a> Posting<'a> {
    pub(super) fn parse(cursor: &mut Cursor<'a>, recent: &mut Recent) -> Option<Self> {
        let number = |cursor: &mut Cursor<'a>| u32::try_from(cursor.varint()?).ok();
        Some(match cursor.byte()? {
            slot if slot < ONE => {
                let recent = &mut recent.ordinals[usize::from(slot)];
                *recent = recent.wrapping_add(1);
                Self::one(*recent)
            }
            ONE => {
                let ordinal = number(cursor)?;
                recent.replace_oldest(ordinal);
                Self::one(ordinal)
            }
            RUN => Self::Run {
                first: number(cursor)?,
                length: number(cursor)?,
            },
            INLINE => Self::Inline {
                count: number(cursor)?,
                differences: cursor.prefixed()?,
            },
            STORED => Self::Stored {
                count: number(cursor)?,
                page: number(cursor)?,
                offset: number(cursor)?,
                length: number(cursor)?,
            },
            _ => return None,
        })
    }

    fn one(first: u32) -> Self {
        Self::Run { first, length: 1 }
    }

    /// How many series there are.
    pub(super) fn len(&self) -> u64 {
        match *self {
            Self::Run { length, .. } => length.into(),
            Self::Inline { count, .. } | Self::Stored { count, .. } => count.into(),
        }
    }

    /// Without what stands in the page of the value.
    pub(super) fn into_owned(self) -> OwnedPosting {
        match self {
            Self::Inline { differences, .. } => OwnedPosting::Inline(differences.to_vec()),
            other => OwnedPosting::Other(match other {
                Self::Stored {
                    count,
                    page,
                    offset,
                    length,
                } => Posting::Stored {
                    count,
                    page,
                    offset,
                    length,
                },
                Self::Run { first, length } => Posting::Run { first, length },
                Self::Inline { count, .. } => Posting::Inline {
                    count,
                    differences: &[],
                },
            }),
        }
    }
}

/// A posting that does not borrow the page of its value.
#[derive(Clone, Debug)]
pub(super) enum OwnedPosting {
    Inline(Vec<u8>),
    Other(Posting<'static>),
}

/// Appends the ordinals that differences tell, all below `limit`.
fn read_differences(bytes: &[u8], limit: u32, out: &mut Vec<u32>) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    let mut next = 0u64;
    while !cursor.is_empty() {
        let ordinal = next.checked_add(cursor.varint()?)?;
        if ordinal >= limit.into() {
            return None;
        }
        out.push(ordinal as u32);
        next = ordinal + 1;
    }
    Some(())
}

/// Series gathered from many postings.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bitmap: RoaringBitmap,
    /// Those from short postings, in any order.
    loose: Vec<u32>,
}

impl Gathered {
    pub(super) fn into_bitmap(mut self) -> RoaringBitmap {
        self.settle();
        self.bitmap
    }

    fn settle(&mut self) {
        self.loose.sort_unstable();
        self.loose.dedup();
        let loose = RoaringBitmap::from_sorted_iter(self.loose.drain(..));
        self.bitmap |= loose.unwrap_or_default();
    }

    /// Adds the series of a posting.
    pub(super) fn add(
        &mut self,
        pages: &mut PageReader<'_>,
        posting: Posting<'_>,
    ) -> Result<(), BlockError> {
        let block = pages.block;
        let limit = block.meta.series as u32;
        let broken = |page| block.damaged(Section::Postings, page, "a posting makes no sense");
        match posting {
            Posting::Run { first, length } => {
                let end = u64::from(first) + u64::from(length);
                if length == 0 || end > limit.into() {
                    return Err(damaged_value(block));
                }
                match length {
                    1 => self.loose.push(first),
                    _ => _ = self.bitmap.insert_range(first..=(end - 1) as u32),
                }
            }
            Posting::Inline { differences, .. } => {
                read_differences(differences, limit, &mut self.loose)
                    .ok_or_else(|| damaged_value(block))?;
            }
            Posting::Stored {
                count,
                page,
                offset,
                length,
            } => {
                let number = page as usize;
                let page = pages.page(Section::Postings, number)?;
                let start = offset as usize;
                let bytes = page
                    .bytes()
                    .get(start..)
                    .and_then(|rest| rest.get(..length as usize));
                let before = self.loose.len();
                let added = match bytes.and_then(|bytes| bytes.split_first()) {
                    Some((&STORED_DIFFERENCES, bytes)) => {
                        let read = read_differences(bytes, limit, &mut self.loose);
                        read.map(|()| (self.loose.len() - before) as u64)
                    }
                    Some((&STORED_ROARING, bytes)) => {
                        let bitmap = RoaringBitmap::deserialize_from(bytes).ok();
                        let sound = |bitmap: &RoaringBitmap| {
                            bitmap.max().is_some_and(|ordinal| ordinal < limit)
                        };
                        bitmap.filter(sound).map(|bitmap| {
                            let count = bitmap.len();
                            self.bitmap |= bitmap;
                            count
                        })
                    }
                    _ => None,
                };
                if added != Some(count.into()) {
                    return Err(broken(number));
                }
            }
        }
        // A million short postings must not take more memory than the bitmap of all.
        if self.loose.len() >= 1 << 18 {
            self.settle();
        }
        Ok(())
    }

    pub(super) fn add_owned(
        &mut self,
        pages: &mut PageReader<'_>,
        posting: &OwnedPosting,
    ) -> Result<(), BlockError> {
        let posting = match posting {
            OwnedPosting::Inline(differences) => Posting::Inline {
                count: 0,
                differences,
            },
            OwnedPosting::Other(posting) => *posting,
        };
        self.add(pages, posting)
    }
}

fn damaged_value(block: &Block) -> BlockError {
    block.damaged(
        Section::Values,
        0,
        "a value has a posting that makes no sense",
    )
}
