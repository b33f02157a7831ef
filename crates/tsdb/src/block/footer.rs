//! The two ends of a block's file: the header that says what it is, the footer that says what is in it and where.
//!
//! The last 24 bytes tell where the footer is, and check it. The footer tells where the table of each section is; a table
//! is a page that tells where the section's pages are.

use std::io;

use super::file::{PageFile, PageLocation, PageSink, PageTable, SECTIONS, Section};
use super::values::ValueKey;
use super::{
    Block, BlockError, BlockHeader, BlockMeta, BlockProblem, MAGIC, REPLACES_MAX, VERSION,
};
use crate::coding::{Cursor, put_signed, put_varint};

/// Magic, version, number, first and last generation, level, created, checksum.
const HEADER: usize = 8 + 4 + 8 + 8 + 8 + 4 + 8 + 4;

/// Where the footer is, its length, the checksum of the footer and of these two, magic.
const TRAILER: usize = 8 + 4 + 4 + 8;

/// A footer is a few hundred bytes; more is none.
const FOOTER_MAX: usize = 4096;

pub(super) fn encode_header(header: &BlockHeader) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&header.number.to_le_bytes());
    bytes.extend_from_slice(&header.first_generation.to_le_bytes());
    bytes.extend_from_slice(&header.last_generation.to_le_bytes());
    bytes.extend_from_slice(&header.level.to_le_bytes());
    bytes.extend_from_slice(&header.created.to_le_bytes());
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn parse_header(bytes: &[u8]) -> Result<BlockHeader, BlockProblem> {
    let damaged = BlockProblem::Damaged;
    let Some(rest) = bytes.strip_prefix(MAGIC).filter(|_| bytes.len() == HEADER) else {
        return Err(damaged("the file is no block"));
    };
    let mut cursor = Cursor::new(rest);
    let version = cursor.integer(4).unwrap_or(0) as u32;
    let mut fields = || {
        Some(BlockHeader {
            number: cursor.integer(8)?,
            first_generation: cursor.integer(8)?,
            last_generation: cursor.integer(8)?,
            level: cursor.integer(4)? as u32,
            created: cursor.integer(8)? as i64,
            // The footer tells.
            replaces: Vec::new(),
        })
    };
    let header = fields().ok_or(damaged("the header is too short"))?;
    let (checked, sum) = bytes.split_at(HEADER - 4);
    if crc32fast::hash(checked).to_le_bytes() != sum {
        // All versions have their checksum here, so that damage is not taken for a newer version.
        return Err(damaged("the header has a wrong checksum"));
    }
    match version {
        VERSION => Ok(header),
        other => Err(BlockProblem::Version(other)),
    }
}

/// How much of a file must be whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    All,
    /// What is needed to go through the series.
    Remains,
}

/// What the footer of a file tells.
pub(super) struct Footer {
    meta: BlockMeta,
    tables: [PageTable; SECTIONS],
    value_keys: Vec<ValueKey>,
}

impl Footer {
    /// Writes tables, footer and trailer.
    pub(super) fn write(
        sink: &mut PageSink,
        meta: &BlockMeta,
        tables: &[PageTable; SECTIONS],
        value_keys: &[ValueKey],
    ) -> io::Result<()> {
        let mut footer = encode_header(&meta.header);
        put_signed(&mut footer, meta.first);
        put_signed(&mut footer, meta.last);
        put_varint(&mut footer, meta.series);
        put_varint(&mut footer, meta.samples);
        put_varint(&mut footer, meta.header.replaces.len() as u64);
        for number in &meta.header.replaces {
            put_varint(&mut footer, *number);
        }
        for section in Section::ALL {
            let table = &tables[section as usize];
            let raw = encode_table(section, table, value_keys);
            let location = sink.page(Section::Table, &raw)?;
            put_varint(&mut footer, location.offset);
            put_varint(&mut footer, location.length.into());
        }
        let offset = sink.offset();
        let start = footer.len();
        footer.extend_from_slice(&offset.to_le_bytes());
        footer.extend_from_slice(&(start as u32).to_le_bytes());
        let sum = crc32fast::hash(&footer);
        footer.extend_from_slice(&sum.to_le_bytes());
        footer.extend_from_slice(MAGIC);
        sink.bytes(&footer)
    }

    /// Reads the header, the footer and the tables.
    pub(super) fn load(file: &PageFile) -> Result<Self, BlockError> {
        Self::read(file, Strictness::All)
    }

    /// As `load`, but what is left may be without the index, and without the header at the beginning of the file.
    pub(super) fn load_remains(file: &PageFile) -> Result<Self, BlockError> {
        Self::read(file, Strictness::Remains)
    }

    fn read(file: &PageFile, strictness: Strictness) -> Result<Self, BlockError> {
        let broken = |place: &str, offset: u64, what: &'static str| {
            file.error(place, None, offset, BlockProblem::Damaged(what))
        };
        let header = parse_header(&file.bytes(0, HEADER)?)
            .map_err(|problem| file.error("header", None, 0, problem));
        let header = match (header, strictness) {
            (Err(error), Strictness::Remains) if error.version().is_none() => None,
            (header, _) => Some(header?),
        };
        let Some(trailer_at) = file.length().checked_sub((HEADER + TRAILER) as u64) else {
            return Err(broken("file", file.length(), "the file is too short"));
        };
        let trailer_at = trailer_at + HEADER as u64;
        let trailer = file.bytes(trailer_at, TRAILER)?;
        let offset = u64::from_le_bytes(trailer[..8].try_into().expect("invariant: 8 bytes"));
        let length = u32::from_le_bytes(trailer[8..12].try_into().expect("invariant: 4 bytes"));
        if !trailer.ends_with(MAGIC) || offset.checked_add(length.into()) != Some(trailer_at) {
            return Err(broken(
                "trailer",
                trailer_at,
                "the file does not end as a block does",
            ));
        }
        if length as usize > FOOTER_MAX {
            return Err(broken("footer", offset, "the footer is too long"));
        }
        let mut footer = file.bytes(offset, length as usize)?;
        footer.extend_from_slice(&trailer[..12]);
        if crc32fast::hash(&footer).to_le_bytes() != trailer[12..16] {
            return Err(broken("footer", offset, "the footer has a wrong checksum"));
        }
        footer.truncate(length as usize);
        let (header_again, rest) = footer.split_at_checked(HEADER).unwrap_or_default();
        let header = match header {
            Some(header) if header_again == encode_header(&header) => header,
            Some(_) => return Err(broken("footer", offset, "header and footer differ")),
            None => match parse_header(header_again) {
                Ok(header) => header,
                Err(problem) => return Err(file.error("footer", None, offset, problem)),
            },
        };
        let mut cursor = Cursor::new(rest);
        let mut meta = || {
            Some(BlockMeta {
                header: header.clone(),
                first: cursor.signed()?,
                last: cursor.signed()?,
                series: cursor
                    .varint()
                    .filter(|series| *series <= u32::MAX.into())?,
                samples: cursor.varint()?,
                bytes: file.length(),
            })
        };
        let malformed = || broken("footer", offset, "the footer makes no sense");
        let mut meta = meta().ok_or_else(malformed)?;
        meta.header.replaces = parse_replaces(&mut cursor).ok_or_else(malformed)?;
        let mut this = Self {
            meta,
            tables: Default::default(),
            value_keys: Vec::new(),
        };
        for section in Section::ALL {
            let at = (|| Some((cursor.varint()?, cursor.varint()?)))();
            let at = at.and_then(|(at, length)| location(at, length, offset));
            let at = at.ok_or_else(malformed)?;
            let table = file.load(Section::Table, None, at).and_then(|raw| {
                parse_table(section, &raw, at.offset, &mut this.value_keys)
                    .ok_or_else(|| broken(section.name(), at.offset, "the table makes no sense"))
            });
            let is_index = matches!(section, Section::Values | Section::Postings);
            this.tables[section as usize] = match (table, strictness) {
                (Err(_), Strictness::Remains) if is_index => PageTable::default(),
                (table, _) => table?,
            };
        }
        for section in [Section::Directory, Section::Labels] {
            if u64::from(this.tables[section as usize].items) != this.meta.series {
                return Err(malformed());
            }
        }
        Ok(this)
    }

    pub(super) fn into_block(self, file: PageFile) -> Result<Block, BlockError> {
        Ok(Block {
            meta: self.meta,
            file,
            tables: self.tables,
            value_keys: self.value_keys,
        })
    }
}

fn encode_table(section: Section, table: &PageTable, value_keys: &[ValueKey]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(table.locations.len() * 6 + 8);
    put_varint(&mut raw, table.locations.len() as u64);
    let mut end = 0;
    for location in &table.locations {
        // Values of a label that was put off lie behind those of later labels.
        put_signed(&mut raw, location.offset.wrapping_sub(end) as i64);
        put_varint(&mut raw, location.length.into());
        end = location.offset + u64::from(location.length);
    }
    if section.has_firsts() {
        put_varint(&mut raw, table.items.into());
        let mut before = 0;
        for first in &table.firsts {
            put_varint(&mut raw, u64::from(first - before));
            before = *first;
        }
    }
    if section == Section::Values {
        for key in value_keys {
            key.encode(&mut raw);
        }
    }
    raw
}

fn parse_table(
    section: Section,
    raw: &[u8],
    limit: u64,
    value_keys: &mut Vec<ValueKey>,
) -> Option<PageTable> {
    let mut cursor = Cursor::new(raw);
    let count = usize::try_from(cursor.varint()?).ok()?;
    // Each page takes two bytes or more.
    if count > raw.len() / 2 {
        return None;
    }
    let mut table = PageTable {
        locations: Vec::with_capacity(count),
        ..PageTable::default()
    };
    let mut end = 0u64;
    for _ in 0..count {
        let offset = end.checked_add_signed(cursor.signed()?)?;
        let location = location(offset, cursor.varint()?, limit)?;
        end = offset + u64::from(location.length);
        table.locations.push(location);
    }
    if section.has_firsts() {
        table.items = u32::try_from(cursor.varint()?).ok()?;
        table.firsts.reserve_exact(count);
        let mut first = 0u32;
        for page in 0..count {
            let step = u32::try_from(cursor.varint()?).ok()?;
            if (page == 0) != (step == 0) {
                return None;
            }
            first = first.checked_add(step)?;
            table.firsts.push(first);
        }
        if table.items <= first && table.items > 0 || (table.items == 0) != (count == 0) {
            return None;
        }
    }
    if section == Section::Values {
        for _ in 0..count {
            let key = ValueKey::parse(&mut cursor)?;
            if value_keys.last().is_some_and(|last| *last >= key) {
                return None;
            }
            value_keys.push(key);
        }
    }
    cursor.is_empty().then_some(table)
}

fn parse_replaces(cursor: &mut Cursor<'_>) -> Option<Vec<u64>> {
    let count = usize::try_from(cursor.varint()?).ok()?;
    if count > REPLACES_MAX {
        return None;
    }
    (0..count).map(|_| cursor.varint()).collect()
}

/// A page's location, if it ends before `limit`.
fn location(offset: u64, length: u64, limit: u64) -> Option<PageLocation> {
    let end = offset.checked_add(length)?;
    let length = u32::try_from(length).ok()?;
    (end <= limit).then_some(PageLocation { offset, length })
}
