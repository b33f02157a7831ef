//! Writes a block: series in order, each in one call, with memory for some pages and for the dictionary of columns.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Disk, packed_pairs};

use super::columns::ColumnsWriter;
use super::directory::{AttachmentEntry, ChunkEntry, DirectoryWriter, Place, SeriesEntry};
use super::file::{PAGE_RAW, PageSink, PageTable, Section};
use super::footer::{Footer, encode_header};
use super::index::{self, write_index};
use super::labels::LabelsWriter;
use super::summary::StoredSummary;
use super::{BlockHeader, BlockMeta, SeriesData};
use crate::codec::{Effort, aggregate, encode_values};

/// The largest attachment.
const ATTACHMENT_BYTES_MAX: usize = 8 << 20;

/// A block that is being written, under a temporary name until it is whole. Dropped unfinished, it leaves nothing.
pub(crate) struct BlockWriter {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    temporary: PathBuf,
    meta: BlockMeta,
    effort: Effort,
    /// Memory for building the index.
    pub(super) index_budget: usize,
    sink: PageSink,
    data: Gathering,
    attachments: Gathering,
    columns: ColumnsWriter,
    directory: DirectoryWriter,
    labels: LabelsWriter,
    /// The labels of the series before.
    previous: String,
    /// Something was not written; the rest cannot be right.
    failed: bool,
    renamed: bool,
    entry: SeriesEntry,
    bits: Vec<u64>,
}

impl BlockWriter {
    /// Begins a block that will lie at `path`; until then it is written beside it. `Thorough` takes longer and less space.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        path: &Path,
        header: BlockHeader,
        effort: Effort,
    ) -> io::Result<Self> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        // Left by a process that died.
        match disk.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open_append(&temporary)?;
        let mut sink = PageSink::new(file);
        let begun = sink.bytes(&encode_header(&header));
        let this = Self {
            disk: disk.clone(),
            path: path.to_owned(),
            temporary,
            meta: BlockMeta {
                header,
                first: i64::MAX,
                last: i64::MIN,
                ..BlockMeta::default()
            },
            effort,
            index_budget: index::BUDGET,
            sink,
            data: Gathering::new(Section::Data),
            attachments: Gathering::new(Section::Attachments),
            columns: ColumnsWriter::new(),
            directory: DirectoryWriter::default(),
            labels: LabelsWriter::default(),
            previous: String::new(),
            failed: false,
            renamed: false,
            entry: SeriesEntry::default(),
            bits: Vec::new(),
        };
        begun.map(|()| this)
    }

    /// The block's number.
    pub(crate) fn number(&self) -> u64 {
        self.meta.header.number
    }

    /// Adds a series, whose packed labels lie behind those of the one before in the order of `Labels`.
    ///
    /// Errors: `InvalidInput` for labels out of order, columns of unequal length, timestamps that do not rise, or an
    /// attachment that is too large; and what the disk says. After an error the block cannot be finished.
    pub(crate) fn series(&mut self, labels: &str, data: &SeriesData<'_>) -> io::Result<()> {
        if self.failed {
            return Err(failed());
        }
        self.failed = true;
        self.add(labels, data)?;
        self.failed = false;
        Ok(())
    }

    fn add(&mut self, labels: &str, data: &SeriesData<'_>) -> io::Result<()> {
        let invalid = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        let rises = self.meta.series == 0 || packed_pairs(&self.previous).lt(packed_pairs(labels));
        if !rises {
            return invalid("series of a block are not in the order of their labels");
        }
        if data.timestamps.len() != data.values.len() {
            return invalid("a series has not as many values as timestamps");
        }
        if self.meta.series >= u64::from(u32::MAX) {
            return invalid("a block has at most 4294967295 series");
        }
        self.add_labels(labels)?;
        let Self {
            sink,
            data: pages,
            attachments,
            columns,
            directory,
            entry,
            bits,
            ..
        } = self;
        entry.clear();
        directory.prepare(sink, || (pages.place(), attachments.place()))?;
        let mut start = 0;
        for span in columns.assign(sink, data.timestamps)? {
            let end = start + usize::from(span.count);
            bits.clear();
            bits.extend(data.values[start..end].iter().map(|value| value.to_bits()));
            start = end;
            let place = pages.next_place(sink)?;
            encode_values(bits, self.effort, &mut pages.raw);
            let summary = match StoredSummary::is_stored(bits.len()) {
                true => StoredSummary::new(bits.len(), &aggregate(bits)),
                false => StoredSummary::Absent,
            };
            entry.chunks.push(ChunkEntry {
                column: span.column,
                place,
                length: pages.raw.len() as u32 - place.offset,
                summary,
            });
        }
        for attachment in data.attachments {
            let length = attachment.payload.len();
            if attachment.last < attachment.first || length > ATTACHMENT_BYTES_MAX {
                return invalid("an attachment ends before it begins or is larger than 8 MiB");
            }
            let place = attachments.next_place(sink)?;
            attachments.raw.extend_from_slice(attachment.payload);
            entry
                .attachments
                .push(AttachmentEntry::new(attachment, place));
        }
        directory.push(entry);
        let attached = data.attachments.iter();
        let firsts = attached.clone().map(|attachment| attachment.first);
        let lasts = attached.map(|attachment| attachment.last);
        let (first, last) = (data.timestamps.first(), data.timestamps.last());
        let meta = &mut self.meta;
        meta.first = firsts.chain(first.copied()).fold(meta.first, i64::min);
        meta.last = lasts.chain(last.copied()).fold(meta.last, i64::max);
        meta.series += 1;
        meta.samples += data.timestamps.len() as u64;
        Ok(())
    }

    fn add_labels(&mut self, labels: &str) -> io::Result<()> {
        let both = self.previous.as_bytes().iter().zip(labels.as_bytes());
        let shared = both.take_while(|(left, right)| left == right).count();
        self.labels.push(&mut self.sink, labels, shared)?;
        self.previous.clear();
        self.previous.push_str(labels);
        Ok(())
    }

    /// Writes the index, makes the file durable and gives it its name.
    ///
    /// Errors: what the disk says, or an earlier error; the temporary file is then removed.
    pub(crate) fn finish(mut self) -> io::Result<BlockMeta> {
        if self.failed {
            return Err(failed());
        }
        let sink = &mut self.sink;
        self.data.flush(sink)?;
        self.attachments.flush(sink)?;
        self.columns.flush(sink)?;
        self.directory.flush(sink)?;
        self.labels.flush(sink)?;
        sink.flush()?;
        // What they took is needed for the index.
        let columns = std::mem::replace(&mut self.columns, ColumnsWriter::new()).table;
        let labels = std::mem::take(&mut self.labels).table;
        let written = self.disk.open_read(&self.temporary)?;
        let values = write_index(sink, &*written, &labels, self.index_budget)?;
        let (values, keys, postings) = values.finish();
        let tables = [
            std::mem::take(&mut self.data.table),
            std::mem::take(&mut self.attachments.table),
            columns,
            std::mem::take(&mut self.directory.table),
            labels,
            values,
            postings,
        ];
        Footer::write(sink, &self.meta, &tables, &keys)?;
        sink.sync()?;
        self.meta.bytes = sink.offset();
        self.disk.rename(&self.temporary, &self.path)?;
        self.renamed = true;
        if let Some(directory) = self.path.parent() {
            self.disk.sync_directory(directory)?;
        }
        Ok(self.meta.clone())
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        if !self.renamed {
            // Otherwise the next start removes it.
            let _ = self.disk.remove(&self.temporary);
        }
    }
}

fn failed() -> io::Error {
    io::Error::other("an earlier part of the block could not be written")
}

/// Pages into which things are put one behind the other.
struct Gathering {
    section: Section,
    raw: Vec<u8>,
    table: PageTable,
}

impl Gathering {
    fn new(section: Section) -> Self {
        Self {
            section,
            raw: Vec::new(),
            table: PageTable::default(),
        }
    }

    /// The end of what was put.
    fn place(&self) -> Place {
        Place {
            page: self.table.locations.len() as u32,
            offset: self.raw.len() as u32,
        }
    }

    /// Where the next thing comes to lie.
    fn next_place(&mut self, sink: &mut PageSink) -> io::Result<Place> {
        if self.raw.len() >= PAGE_RAW {
            self.flush(sink)?;
        }
        Ok(self.place())
    }

    fn flush(&mut self, sink: &mut PageSink) -> io::Result<()> {
        if !self.raw.is_empty() {
            let location = sink.page(self.section, &self.raw)?;
            self.table.locations.push(location);
            self.raw.clear();
        }
        Ok(())
    }
}
