//! Pages: the parts of a block's file that are compressed, checked, read and cached each as one.
//!
//! On disk a page is the CRC-32 of all that follows and of its own offset, the section (with a bit for "stored as it
//! is"), the length of its content, and its content, compressed if that makes it shorter and it is not huge. The offset is checked
//! so that a page that was read from a wrong place is not taken for the right one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use model::{Disk, DiskFile, DiskRead};

use super::cache::{Page, PageCache};
use super::{Block, BlockError, BlockProblem};
use crate::codec::{compress_page, decompress_page};

/// A page is written when its content is this large.
pub(super) const PAGE_RAW: usize = 64 << 10;

/// No content is larger: 64 KiB and the largest single thing that is put behind it.
pub(super) const PAGE_RAW_MAX: usize = 16 << 20;

/// A larger content is stored as it is, so that no few bytes can ask for much memory.
const COMPRESSED_MAX: usize = 1 << 20;

/// Checksum, section, length of the content.
const PAGE_HEADER: usize = 9;

/// Set in the section's byte if the content is not compressed.
const PLAIN: u8 = 0x80;

/// Bytes are gathered before they are written.
const WRITE_BUFFER: usize = 256 << 10;

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Data = 0,
    Attachments = 1,
    Columns = 2,
    Directory = 3,
    Labels = 4,
    Values = 5,
    Postings = 6,
    /// Where the pages of a section are; known to the footer alone.
    Table = 7,
}

/// Sections that have a table.
pub(super) const SECTIONS: usize = 7;

impl Section {
    pub(super) const ALL: [Self; SECTIONS] = [
        Self::Data,
        Self::Attachments,
        Self::Columns,
        Self::Directory,
        Self::Labels,
        Self::Values,
        Self::Postings,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Attachments => "attachments",
            Self::Columns => "columns",
            Self::Directory => "directory",
            Self::Labels => "labels",
            Self::Values => "values",
            Self::Postings => "postings",
            Self::Table => "table",
        }
    }

    /// Whether the table tells the first ordinal or column of each page.
    pub(super) fn has_firsts(self) -> bool {
        matches!(self, Self::Columns | Self::Directory | Self::Labels)
    }
}

/// Where a page lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageLocation {
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Where the pages of a section lie.
#[derive(Debug, Default)]
pub(super) struct PageTable {
    pub(super) locations: Vec<PageLocation>,
    /// The first ordinal or column of each page, in sections that have such; rising from 0.
    pub(super) firsts: Vec<u32>,
    /// How many ordinals or columns there are in all.
    pub(super) items: u32,
}

impl PageTable {
    pub(super) fn location(&self, page: usize) -> Option<PageLocation> {
        self.locations.get(page).copied()
    }

    /// The page that holds an ordinal or column.
    pub(super) fn page_of(&self, item: u32) -> Option<usize> {
        let page = self.firsts.partition_point(|first| *first <= item);
        (item < self.items).then(|| page.checked_sub(1)).flatten()
    }

    /// The ordinals or columns of a page.
    pub(super) fn items_of(&self, page: usize) -> std::ops::Range<u32> {
        let first = self.firsts.get(page).copied().unwrap_or(self.items);
        first..self.firsts.get(page + 1).copied().unwrap_or(self.items)
    }

    pub(super) fn memory(&self) -> usize {
        self.locations.capacity() * size_of::<PageLocation>() + self.firsts.capacity() * 4
    }
}

/// A file that grows by pages.
pub(super) struct PageSink {
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    written: u64,
}

impl PageSink {
    pub(super) fn new(file: Box<dyn DiskFile>) -> Self {
        Self {
            file,
            buffer: Vec::with_capacity(WRITE_BUFFER),
            written: 0,
        }
    }

    /// Where the next byte comes to lie.
    pub(super) fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        self.flush_full()
    }

    pub(super) fn page(&mut self, section: Section, raw: &[u8]) -> io::Result<PageLocation> {
        if raw.len() > PAGE_RAW_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a page of the block's {} is {} bytes long, at most {PAGE_RAW_MAX} are possible",
                    section.name(),
                    raw.len()
                ),
            ));
        }
        let offset = self.offset();
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        self.buffer.push(section as u8);
        self.buffer
            .extend_from_slice(&(raw.len() as u32).to_le_bytes());
        if raw.len() <= COMPRESSED_MAX {
            compress_page(raw, &mut self.buffer);
        }
        if raw.len() > COMPRESSED_MAX || self.buffer.len() - start - PAGE_HEADER >= raw.len() {
            self.buffer.truncate(start + PAGE_HEADER);
            self.buffer[start + 4] |= PLAIN;
            self.buffer.extend_from_slice(raw);
        }
        let sum = checksum(offset, &self.buffer[start + 4..]);
        self.buffer[start..start + 4].copy_from_slice(&sum.to_le_bytes());
        let length = (self.buffer.len() - start) as u32;
        self.flush_full()?;
        Ok(PageLocation { offset, length })
    }

    /// Hands everything to the system, so that it can be read.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.written += self.buffer.len() as u64;
        let written = self.file.append(&self.buffer);
        self.buffer.clear();
        written
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync()
    }

    fn flush_full(&mut self) -> io::Result<()> {
        if self.buffer.len() >= WRITE_BUFFER - PAGE_RAW {
            self.flush()?;
        }
        Ok(())
    }
}

fn checksum(offset: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Reads a page that was written at a location.
pub(super) fn load_page(
    file: &dyn DiskRead,
    section: Section,
    location: PageLocation,
) -> Result<Vec<u8>, BlockProblem> {
    let mut stored = vec![0; location.length as usize];
    file.read_at(location.offset, &mut stored)
        .map_err(|error| BlockProblem::Disk(error.to_string()))?;
    let damaged = BlockProblem::Damaged;
    let Some((sum, checked)) = stored.split_first_chunk() else {
        return Err(damaged("the page is too short"));
    };
    if u32::from_le_bytes(*sum) != checksum(location.offset, checked) {
        return Err(damaged("the page has a wrong checksum"));
    }
    let Some(([kind, lengths @ ..], content)) = checked.split_first_chunk::<5>() else {
        return Err(damaged("the page is too short"));
    };
    if kind & !PLAIN != section as u8 {
        return Err(damaged("the page belongs to another section"));
    }
    let length = u32::from_le_bytes(*lengths) as usize;
    if kind & PLAIN != 0 {
        return match content.len() == length {
            true => Ok(content.to_vec()),
            false => Err(damaged("the page has another length than it says")),
        };
    }
    let mut raw = Vec::new();
    if decompress_page(content, length, &mut raw).is_none() || raw.len() != length {
        return Err(damaged("the page cannot be decompressed"));
    }
    Ok(raw)
}

/// A block's file, open for reading.
pub(super) struct PageFile {
    path: PathBuf,
    file: Box<dyn DiskRead>,
    length: u64,
    cache: Arc<PageCache>,
    /// Under which the cache knows the file.
    cache_id: u64,
    /// The first that could not be read of it, whoever asked.
    first_error: OnceLock<BlockError>,
}

impl PageFile {
    pub(super) fn open(
        disk: &dyn Disk,
        path: &Path,
        cache: Arc<PageCache>,
    ) -> Result<Self, BlockError> {
        let refused = |error: io::Error| BlockError {
            problem: BlockProblem::Disk(error.to_string()),
            path: path.to_owned(),
            place: "file".to_owned(),
        };
        let file = disk.open_read(path).map_err(refused)?;
        let length = disk.length(path).map_err(refused)?;
        Ok(Self::new(path, file, length, cache))
    }

    pub(super) fn new(
        path: &Path,
        file: Box<dyn DiskRead>,
        length: u64,
        cache: Arc<PageCache>,
    ) -> Self {
        let cache_id = cache.register();
        Self {
            path: path.to_owned(),
            file,
            length,
            cache,
            cache_id,
            first_error: OnceLock::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn cache(&self) -> (&PageCache, u64) {
        (&self.cache, self.cache_id)
    }

    /// Bytes at an offset, which must lie within the file.
    pub(super) fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, BlockError> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            let short = BlockProblem::Damaged("the file is too short");
            return Err(self.error("file", None, self.length, short));
        }
        let mut bytes = vec![0; length];
        match self.file.read_at(offset, &mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => {
                let problem = BlockProblem::Disk(error.to_string());
                Err(self.error("file", None, offset, problem))
            }
        }
    }

    /// The content of a page whose location lies within the file.
    pub(super) fn load(
        &self,
        section: Section,
        page: Option<usize>,
        location: PageLocation,
    ) -> Result<Vec<u8>, BlockError> {
        load_page(&*self.file, section, location)
            .map_err(|problem| self.error(section.name(), page, location.offset, problem))
    }

    pub(super) fn error(
        &self,
        section: &str,
        page: Option<usize>,
        offset: u64,
        problem: BlockProblem,
    ) -> BlockError {
        let place = match page {
            Some(page) => format!("{section}, page {page}, at byte {offset}"),
            None => format!("{section}, at byte {offset}"),
        };
        let error = BlockError {
            problem,
            path: self.path.clone(),
            place,
        };
        self.first_error.get_or_init(|| error.clone());
        error
    }

    pub(super) fn first_error(&self) -> Option<&BlockError> {
        self.first_error.get()
    }
}

impl Drop for PageFile {
    fn drop(&mut self) {
        self.cache.forget(self.cache_id);
    }
}

/// Pages of one block, of which the last of each section is held, so that runs of series need no look into the cache.
pub(super) struct PageReader<'a> {
    pub(super) block: &'a Block,
    /// Whether pages are taken from the cache and put there.
    caching: bool,
    held: [Option<(usize, Arc<Page>)>; SECTIONS],
}

impl<'a> PageReader<'a> {
    /// Through the cache.
    pub(super) fn new(block: &'a Block) -> Self {
        Self {
            block,
            caching: true,
            held: Default::default(),
        }
    }

    /// Past the cache: for those who read everything once.
    pub(super) fn sequential(block: &'a Block) -> Self {
        Self {
            caching: false,
            ..Self::new(block)
        }
    }

    pub(super) fn page(&mut self, section: Section, page: usize) -> Result<Arc<Page>, BlockError> {
        if let Some((held, content)) = &self.held[section as usize]
            && *held == page
        {
            return Ok(content.clone());
        }
        let content = self.fetch(section, page)?;
        self.held[section as usize] = Some((page, content.clone()));
        Ok(content)
    }

    fn fetch(&self, section: Section, page: usize) -> Result<Arc<Page>, BlockError> {
        let file = &self.block.file;
        let Some(location) = self.block.table(section).location(page) else {
            let problem = BlockProblem::Damaged("a page is named that does not exist");
            return Err(file.error(section.name(), Some(page), 0, problem));
        };
        let load = || Ok(Page::Bytes(file.load(section, Some(page), location)?));
        // Columns are few, needed again and again, and not in the order of series.
        if self.caching || section == Section::Columns {
            let (cache, id) = file.cache();
            return cache.get_or_load((id, cache_key(section, page as u64)), load);
        }
        load().map(Arc::new)
    }
}

/// A page's or a decoded column's place in the cache.
pub(super) fn cache_key(section: Section, number: u64) -> u64 {
    (section as u64) << 56 | number
}
