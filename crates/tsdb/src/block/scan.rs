//! Every series of a block in order, with all it has: for compaction.

use model::SampleColumns;

use super::directory::AttachmentEntry;
use super::file::{PageReader, Section};
use super::labels::LabelsCursor;
use super::read::BlockReader;
use super::{Attachment, Block, BlockError, SeriesData};

/// Goes through a block once, past the cache, holding one page of each section and one series.
///
/// What cannot be read is told once as an error; the next call goes on behind it, with what could be read of the series.
/// So who ignores errors gets everything that lies in whole pages.
pub(crate) struct BlockScan<'a> {
    reader: BlockReader<'a>,
    next: u32,
    /// The page of labels and all labels in it, one behind the other.
    labels: String,
    ends: Vec<usize>,
    labels_first: u32,
    columns: SampleColumns,
    attached: Vec<(AttachmentEntry, usize)>,
    payloads: Vec<u8>,
    /// Errors about the series that comes next, which has been read.
    pending: Vec<BlockError>,
    read: bool,
}

/// A series and all it has.
pub(crate) struct SeriesView<'s> {
    pub(crate) ordinal: u32,
    /// Packed.
    pub(crate) labels: &'s str,
    pub(crate) timestamps: &'s [i64],
    pub(crate) values: &'s [f64],
    pub(crate) attachments: Vec<Attachment<'s>>,
}

impl SeriesView<'_> {
    /// What a writer takes.
    pub(crate) fn data(&self) -> SeriesData<'_> {
        SeriesData {
            timestamps: self.timestamps,
            values: self.values,
            attachments: &self.attachments,
        }
    }
}

impl Block {
    /// Goes through all series.
    pub(crate) fn scan(&self) -> BlockScan<'_> {
        BlockScan {
            reader: BlockReader::new(PageReader::sequential(self)),
            next: 0,
            labels: String::new(),
            ends: Vec::new(),
            labels_first: 0,
            columns: SampleColumns::default(),
            attached: Vec::new(),
            payloads: Vec::new(),
            pending: Vec::new(),
            read: false,
        }
    }
}

impl BlockScan<'_> {
    /// The next series; none at the end. After an error the next call goes on.
    pub(crate) fn next(&mut self) -> Result<Option<SeriesView<'_>>, BlockError> {
        if !self.read && !self.load()? {
            return Ok(None);
        }
        if let Some(error) = self.pending.pop() {
            return Err(error);
        }
        let ordinal = self.next;
        self.next += 1;
        self.read = false;
        let index = (ordinal - self.labels_first) as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let attached = self.attached.iter().map(|(entry, start)| {
            entry.with(&self.payloads[*start..*start + entry.length as usize])
        });
        Ok(Some(SeriesView {
            ordinal,
            labels: &self.labels[start..self.ends[index]],
            timestamps: &self.columns.timestamps,
            values: &self.columns.values,
            attachments: attached.collect(),
        }))
    }

    /// Reads the next series, if there is one.
    fn load(&mut self) -> Result<bool, BlockError> {
        let ordinal = self.next;
        let block = self.reader.pages.block;
        if u64::from(ordinal) >= block.meta.series {
            return Ok(false);
        }
        if (ordinal - self.labels_first) as usize >= self.ends.len() {
            self.load_labels()?;
        }
        self.columns.clear();
        self.attached.clear();
        self.payloads.clear();
        let Self {
            reader,
            columns,
            attached,
            payloads,
            pending,
            ..
        } = self;
        let mut each = |entry: &AttachmentEntry, payload: &[u8]| {
            attached.push((*entry, payloads.len()));
            payloads.extend_from_slice(payload);
        };
        let mut skip = |error| pending.push(error);
        let read = reader
            .read_intact(ordinal, i64::MIN, i64::MAX, columns, &mut skip)
            .and_then(|()| reader.all_attachments(ordinal, &mut each, &mut skip));
        if let Err(error) = read {
            // Where anything of this page's series lies is not known.
            let directory = block.table(Section::Directory);
            let page = directory.page_of(ordinal).unwrap_or(0);
            self.next = directory.items_of(page).end.max(ordinal + 1);
            return Err(error);
        }
        self.pending.reverse();
        self.read = true;
        Ok(true)
    }

    fn load_labels(&mut self) -> Result<(), BlockError> {
        let block = self.reader.pages.block;
        let table = block.table(Section::Labels);
        let number = table.page_of(self.next).unwrap_or(0);
        let items = table.items_of(number);
        self.labels.clear();
        self.ends.clear();
        self.labels_first = items.start;
        let loaded = self.reader.pages.page(Section::Labels, number);
        let mut parse = |raw: &[u8]| {
            let mut cursor = LabelsCursor::new(raw)?;
            for _ in items.clone() {
                cursor.advance()?;
                self.labels.push_str(cursor.packed()?);
                self.ends.push(self.labels.len());
            }
            Some(())
        };
        let parsed = loaded.and_then(|page| {
            parse(page.bytes())
                .ok_or_else(|| block.damaged(Section::Labels, number, "labels make no sense"))
        });
        if parsed.is_err() {
            self.ends.clear();
            self.next = items.end.max(self.next + 1);
        }
        parsed
    }
}
