//! One immutable file of series with their samples, and of an index by their labels.
//!
//! Everything lies in pages that are compressed and checked one by one (`file`). Open blocks hold only where the pages
//! are; pages are read when asked for and kept in the [`PageCache`] that all blocks share. `docs/formats/block.md`
//! describes each byte.
//!
//! What a series needs, by section: its labels (`labels`), its entry in the directory that tells where its chunks are
//! and what is in them (`directory`, `summary`), the chunks of values, the columns of timestamps, each of which is
//! stored once for all series that have it (`columns`), and attachments. The index holds the sorted values of each label
//! (`values`) and the series that have each (`postings`). A series is named by its ordinal in the order of `Labels`.

mod cache;
mod columns;
mod directory;
mod file;
mod footer;
mod index;
mod labels;
mod postings;
mod read;
mod scan;
mod select;
mod summary;
mod values;
mod verify;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Disk, DiskRead, SourceError};
use thiserror::Error;

pub(crate) use cache::PageCache;
use file::{PageFile, PageTable, SECTIONS, Section};
use footer::Footer;
pub(crate) use scan::{BlockScan, SeriesView};
pub(crate) use summary::ChunkSummary;
use values::ValueKey;
pub(crate) use writer::BlockWriter;

/// What a block's file begins and ends with.
const MAGIC: &[u8; 8] = b"cmpblock";

/// The version of the format that is written, and the only one that is read.
pub(crate) const VERSION: u32 = 1;

/// The most blocks that one may replace: their numbers must find room in the footer.
pub(crate) const REPLACES_MAX: usize = 256;

/// What the store knows about a block before it writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    /// The block's number in the store.
    pub(crate) number: u64,
    /// The oldest and the newest memtable whose samples it holds: of two blocks with a sample at one timestamp the older
    /// one has the say.
    pub(crate) first_generation: u64,
    pub(crate) last_generation: u64,
    /// How often its samples were merged.
    pub(crate) level: u32,
    /// When it was written, in milliseconds since 1970-01-01 UTC.
    pub(crate) created: i64,
    /// The numbers of the blocks whose content it has taken over, at most [`REPLACES_MAX`]: if a crash left them, they are
    /// of no use any more.
    pub(crate) replaces: Vec<u64>,
}

/// What is known about a block without reading its pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockMeta {
    pub(crate) header: BlockHeader,
    /// The oldest timestamp in milliseconds; `i64::MAX` in a block without samples and attachments.
    pub(crate) first: i64,
    /// The newest; `i64::MIN` in a block without samples and attachments.
    pub(crate) last: i64,
    pub(crate) series: u64,
    /// Samples, without what attachments hold.
    pub(crate) samples: u64,
    /// The length of the file.
    pub(crate) bytes: u64,
}

/// What a series has in a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SeriesData<'a> {
    /// Milliseconds, strictly rising; any number of them.
    pub(crate) timestamps: &'a [i64],
    /// As many values; any bits.
    pub(crate) values: &'a [f64],
    /// In any order; it is kept.
    pub(crate) attachments: &'a [Attachment<'a>],
}

/// Something else that a series has: histograms, exemplars, start times. What is in it the block does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attachment<'a> {
    /// What it is.
    pub(crate) kind: u8,
    /// The oldest timestamp in it.
    pub(crate) first: i64,
    /// The newest, not before `first`.
    pub(crate) last: i64,
    /// How many things it holds.
    pub(crate) count: u32,
    /// At most 8 MiB.
    pub(crate) payload: &'a [u8],
}

/// Why something of a block cannot be read, and where it lies.
#[derive(Clone, Debug, Error)]
#[error("{path}: {place}: {problem}", path = path.display())]
pub(crate) struct BlockError {
    pub(crate) problem: BlockProblem,
    /// The file.
    pub(crate) path: PathBuf,
    /// Section, page and offset in words.
    pub(crate) place: String,
}

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BlockProblem {
    /// The system could not read it; it may be whole nevertheless.
    #[error("cannot be read: {0}")]
    Disk(String),
    /// Written by a version that this one does not know.
    #[error("has format version {0}, this program reads version {VERSION}: use a newer program")]
    Version(u32),
    /// The bytes are not what was written.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

impl From<BlockError> for SourceError {
    fn from(error: BlockError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl BlockError {
    /// What is wrong and where, without the name of the file.
    pub(crate) fn within(&self) -> String {
        format!("{}: {}", self.place, self.problem)
    }

    /// The version of a block that another program wrote.
    pub(crate) fn version(&self) -> Option<u32> {
        match self.problem {
            BlockProblem::Version(version) => Some(version),
            BlockProblem::Disk(_) | BlockProblem::Damaged(_) => None,
        }
    }
}

/// An open block.
pub(crate) struct Block {
    meta: BlockMeta,
    file: PageFile,
    tables: [PageTable; SECTIONS],
    /// The first entry of each page of label values.
    value_keys: Vec<ValueKey>,
}

impl Block {
    /// Opens a block; reads only its footer and the directories of its pages.
    ///
    /// Errors: the file cannot be read, is of another version, or those parts are damaged.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        cache: Arc<PageCache>,
    ) -> Result<Self, BlockError> {
        let file = PageFile::open(disk, path, cache)?;
        Footer::load(&file)?.into_block(file)
    }

    /// Opens what is left of a block, of which only the series can be gone through.
    ///
    /// Errors: not even where they are is known.
    pub(crate) fn open_remains(
        disk: &dyn Disk,
        path: &Path,
        cache: Arc<PageCache>,
    ) -> Result<Self, BlockError> {
        let file = PageFile::open(disk, path, cache)?;
        Footer::load_remains(&file)?.into_block(file)
    }

    /// What is known without reading pages.
    pub(crate) fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The first that could not be read of it since it was opened, whoever asked.
    pub(crate) fn first_error(&self) -> Option<&BlockError> {
        self.file.first_error()
    }

    /// Bytes of memory that the open block takes, without its pages in the cache.
    pub(crate) fn memory(&self) -> usize {
        let tables: usize = self.tables.iter().map(PageTable::memory).sum();
        let keys: usize = self.value_keys.iter().map(ValueKey::memory).sum();
        size_of::<Self>() + tables + keys
    }

    /// The bytes on disk that each section takes.
    pub(crate) fn section_bytes(&self) -> Vec<(&'static str, u64)> {
        let bytes = |section: &Section| {
            let locations = &self.table(*section).locations;
            let lengths = locations.iter().map(|location| u64::from(location.length));
            (section.name(), lengths.sum())
        };
        Section::ALL.iter().map(bytes).collect()
    }

    fn table(&self, section: Section) -> &PageTable {
        &self.tables[section as usize]
    }

    /// An error about a page whose checksum was right and whose content is not.
    fn damaged(&self, section: Section, page: usize, what: &'static str) -> BlockError {
        let offset = self.table(section).location(page).map_or(0, |at| at.offset);
        self.file.error(
            section.name(),
            Some(page),
            offset,
            BlockProblem::Damaged(what),
        )
    }
}

impl Block {
    /// The error of labels that are none.
    pub(crate) fn broken_labels(&self) -> BlockError {
        self.damaged(Section::Labels, 0, "the labels of a series are none")
    }

    /// The error of an attachment that its codec cannot read.
    pub(crate) fn broken_attachment(&self) -> BlockError {
        self.damaged(Section::Attachments, 0, "an attachment makes no sense")
    }
}

/// Reads all of a block that is given as bytes, and tells what is wrong with it, one problem in a line; nothing if it
/// is whole.
pub fn inspect_block(bytes: &[u8]) -> Vec<String> {
    let mut problems = Vec::new();
    let cache = Arc::new(PageCache::new(INSPECTION_CACHE));
    let file = PageFile::new(
        Path::new("block"),
        Box::new(Bytes(bytes.to_vec())),
        bytes.len() as u64,
        cache,
    );
    match Footer::load(&file).and_then(|footer| footer.into_block(file)) {
        Ok(block) => block.verify(&mut |problem| problems.push(problem)),
        Err(error) => problems.push(error.to_string()),
    }
    problems
}

/// Enough for one that is looked at once.
const INSPECTION_CACHE: usize = 1 << 20;

/// A file in memory.
struct Bytes(Vec<u8>);

impl DiskRead for Bytes {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..));
        let bytes = rest.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Block")
            .field("path", &self.path())
            .field("meta", &self.meta)
            .finish()
    }
}

#[cfg(test)]
mod tests;
