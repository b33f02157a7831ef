//! Blocks into fewer blocks.
//!
//! 1. Blocks of one window of time stand in the order in which they were written. Four neighbours of one level are
//!    merged into one of the next level: each sample is written anew as often as there are levels, a few times.
//! 2. Once a window is past and nothing has come for it for a while, all its blocks become one.
//! 3. What tombstones cover and what the retention of single series takes is left out; a block that loses enough by
//!    that is written anew on its own.
//!
//! The merged block's name appears in one step. A crash before the old ones are removed leaves both, and opening the
//! store removes the old ones, since the new one names those that it replaces.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Labels, SampleColumns, Timestamp};

use crate::attachment;
use crate::block::{Attachment, Block, BlockError, BlockHeader, BlockScan, SeriesData};
use crate::codec::Effort;
use crate::error::Error;
use crate::selected::{merge_last, remove_range};
use crate::shared::Shared;
use crate::tombstones::TOMBSTONES_MAX;
use crate::view::{Deleted, View, select_any};

/// So many neighbours of one level become one: fewer would write each sample more often, more would leave more to be
/// read.
const NEIGHBOURS: usize = 4;

/// Blocks that are merged at once at most; each is read through a buffer of its own.
const MERGED_MAX: usize = 32;

/// Input of one merge in bytes: it needs as much free space, and takes that long.
const INPUT_BYTES_MAX: u64 = 16 << 30;

/// With more deletions than this each is carried out, however little of a block it concerns: each question looks at all
/// of them.
const TOMBSTONES_MANY: usize = TOMBSTONES_MAX / 10;

/// Merges that are done one after the other. One that fails is left out, and the others are done.
#[derive(Default)]
struct Round {
    /// The numbers of the blocks of each merge that failed.
    failed: BTreeSet<Vec<u64>>,
    /// Why the first of them did.
    error: Option<Error>,
}

impl Shared {
    /// Does the most useful merge that can be done; false if there is nothing to do.
    ///
    /// Errors: nothing else is to be done than what the disk refused, or than what is broken.
    pub(crate) fn compact_once(&self) -> Result<bool, Error> {
        let mut round = Round::default();
        match (self.compact_next(&mut round)?, round.error) {
            (false, Some(error)) => Err(error),
            (merged, _) => Ok(merged),
        }
    }

    /// Merges until there is nothing to do, and keeps the retention meanwhile. What cannot be merged is said, and tried
    /// again in the next round.
    pub(crate) fn compact_all(&self) {
        let mut round = Round::default();
        let error = loop {
            match self.compact_next(&mut round) {
                Ok(true) => self.maintain(self.clock.now()),
                Ok(false) => break round.error,
                Err(Error::Closed) => return,
                Err(error) => break Some(error),
            }
        };
        let reason = error.as_ref().map(ToString::to_string);
        if self.condition.set_merging(self.clock.now(), reason)
            && let Some(error) = error
        {
            tracing::error!(error = %error, "blocks cannot be merged");
        }
    }

    /// Does the most useful merge that has not failed in this round; false if there is none.
    ///
    /// Errors: the store is being closed, or deletions that were carried out cannot be forgotten.
    fn compact_next(&self, round: &mut Round) -> Result<bool, Error> {
        let _compacting = self.compacting();
        self.require_open()?;
        let view = self.view();
        let mut merged = false;
        for blocks in self.candidates(&view) {
            let numbers = blocks.iter().map(|block| block.meta().header.number);
            let numbers: Vec<_> = numbers.collect();
            if round.failed.contains(&numbers) {
                continue;
            }
            match self.merge_if_due(&view, &blocks) {
                Ok(false) => {}
                Ok(true) => {
                    merged = true;
                    break;
                }
                Err(Error::Closed) => return Err(Error::Closed),
                Err(error) => {
                    round.failed.insert(numbers);
                    round.error.get_or_insert(error);
                }
            }
        }
        self.forget_tombstones()?;
        Ok(merged)
    }

    fn merge_if_due(&self, view: &View, blocks: &[Arc<Block>]) -> Result<bool, Error> {
        if let [block] = blocks
            && !self.has_expired(block)?
            && !self.is_mostly_deleted(block, view)?
        {
            return Ok(false);
        }
        self.merge(blocks)?;
        Ok(true)
    }

    /// Writes all blocks anew that tombstones concern.
    pub(crate) fn clean(&self) -> Result<(), Error> {
        loop {
            let _compacting = self.compacting();
            self.require_open()?;
            let view = self.view();
            let mut concerned = None;
            for block in &view.blocks {
                let damaged = self.condition.is_damaged(block.meta().header.number);
                if !damaged && !self.deleted_of(block, &view)?.is_empty() {
                    concerned = Some(Arc::clone(block));
                    break;
                }
            }
            match concerned {
                Some(block) => self.merge(&[block])?,
                None => return self.forget_tombstones(),
            }
        }
    }

    /// What may be merged, the most useful first: blocks of one window, then each block on its own, which is worth it
    /// only if it loses something by that.
    fn candidates(&self, view: &View) -> Vec<Vec<Arc<Block>>> {
        self.notice_damage();
        let mut windows: Vec<(i64, Vec<&Arc<Block>>)> = Vec::new();
        for block in &view.blocks {
            // What cannot be read as a whole stays as it is.
            if self.condition.is_damaged(block.meta().header.number) {
                continue;
            }
            let number = self.window_number(block.meta().first);
            // A block that another length of windows left across two of them is merged with those of its beginning.
            match windows.iter_mut().find(|(window, _)| *window == number) {
                Some((_, blocks)) => blocks.push(block),
                None => windows.push((number, vec![block])),
            }
        }
        let mut candidates = Vec::new();
        for (number, blocks) in &windows {
            let past = self.is_past(self.window(*number).0);
            if past && blocks.len() > 1 && self.has_settled(blocks) {
                candidates.push(bounded(blocks));
            } else {
                candidates.extend(neighbours(blocks));
            }
        }
        let blocks = windows.iter().flat_map(|(_, blocks)| blocks);
        candidates.extend(blocks.map(|block| vec![Arc::clone(block)]));
        candidates
    }

    /// Whether nothing has come for a window for a while: an import would have the whole written anew with each flush
    /// otherwise.
    fn has_settled(&self, blocks: &[&Arc<Block>]) -> bool {
        let age = self.config().memtable_age;
        let now = self.clock.now();
        let mut created = blocks.iter().map(|block| block.meta().header.created);
        created.all(|created| Timestamp::from_millis(created) + age <= now)
    }

    /// Whether the window of a timestamp is so long past that hardly anything comes for it.
    fn is_past(&self, timestamp: i64) -> bool {
        let config = self.config();
        let settled = self.clock.now() - config.out_of_order_window - config.memtable_age;
        self.window(self.window_number(timestamp)).1 < settled.as_millis()
    }

    /// Whether a block is past the retention of some of its series as a whole.
    fn has_expired(&self, block: &Block) -> Result<bool, Error> {
        let Some(now) = self.time_for_dropping(self.clock.now()) else {
            return Ok(false);
        };
        for (matchers, retention) in &self.config().selector_retention {
            if block.meta().last < (now - *retention).as_millis() {
                let series = select_any(block, std::slice::from_ref(matchers));
                if !series
                    .map_err(|error| self.damaged(block, &error))?
                    .is_empty()
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether tombstones cover at least a tenth of a block's series, or any while there are many tombstones.
    fn is_mostly_deleted(&self, block: &Block, view: &View) -> Result<bool, Error> {
        let deleted = self.deleted_of(block, view)?;
        let series: u64 = deleted.iter().map(|deleted| deleted.series.len()).sum();
        let is_much = series >= block.meta().series / 10;
        Ok(series > 0 && (is_much || view.tombstones.len() > TOMBSTONES_MANY))
    }

    fn deleted_of(&self, block: &Block, view: &View) -> Result<Vec<Deleted>, Error> {
        Deleted::of(block, &view.tombstones).map_err(|error| self.damaged(block, &error))
    }

    fn merge(&self, blocks: &[Arc<Block>]) -> Result<(), Error> {
        let start = self.clock.monotonic();
        self.require_room(blocks.iter().map(|block| block.meta().bytes).sum())?;
        // A deletion that is not seen here comes later, and concerns the new block, whose number is given before.
        let (number, view) = {
            let _changing = self.changing();
            (self.next_block_number(), self.view())
        };
        let mut sources = Vec::new();
        for block in blocks {
            sources.push(Source::new(block, self.deleted_of(block, &view)?));
        }
        let first = blocks
            .iter()
            .map(|block| block.meta().header.first_generation)
            .min();
        let last = blocks
            .iter()
            .map(|block| block.meta().header.last_generation)
            .max();
        let level = blocks.iter().map(|block| block.meta().header.level).max();
        let (Some(first), Some(last), Some(level)) = (first, last, level) else {
            return Ok(());
        };
        // A block that is written anew on its own does not come from memory any more.
        let level = (level + u32::from(blocks.len() > 1)).max(1);
        // What will not be merged again soon is worth some time.
        let past = blocks.iter().all(|block| self.is_past(block.meta().first));
        let effort = match past {
            true => Effort::Thorough,
            false => Effort::Fast,
        };
        let header = BlockHeader {
            number,
            first_generation: first,
            last_generation: last,
            level,
            replaces: blocks
                .iter()
                .map(|block| block.meta().header.number)
                .collect(),
            ..BlockHeader::default()
        };
        let merged = self.write_merged(&mut sources, &header, effort)?;
        {
            let _changing = self.changing();
            self.replace_view(|view| {
                let is_input =
                    |other: &Arc<Block>| blocks.iter().any(|block| Arc::ptr_eq(block, other));
                view.blocks.retain(|other| !is_input(other));
                view.blocks.extend(merged.iter().cloned());
                view.sort();
            });
        }
        for block in blocks {
            self.remove_block(block);
        }
        let elapsed = self.clock.monotonic().saturating_sub(start);
        let bytes = merged.as_ref().map_or(0, |block| block.meta().bytes);
        self.counters.count_compaction(blocks.len(), bytes, elapsed);
        tracing::info!(
            blocks = blocks.len(),
            level,
            bytes,
            duration_ms = elapsed.as_secs_f64() * 1000.0,
            "blocks were merged"
        );
        Ok(())
    }

    /// Writes what the sources hold; none if nothing of it is left.
    ///
    /// Errors: the disk refused, a block is broken, or the store is being closed; no file is left.
    fn write_merged(
        &self,
        sources: &mut [Source<'_>],
        header: &BlockHeader,
        effort: Effort,
    ) -> Result<Option<Arc<Block>>, Error> {
        let now = self.clock.now();
        let past = self.oldest_on_disk(now);
        let floors = self.floors(self.time_for_dropping(now).unwrap_or(now));
        let mut writer = None;
        let mut columns = SampleColumns::default();
        let mut attachments = Vec::new();
        for source in &mut *sources {
            source
                .advance()
                .map_err(|error| self.damaged(source.block, &error))?;
        }
        loop {
            let smallest = sources
                .iter()
                .filter_map(|source| source.labels.as_ref())
                .min();
            let Some(labels) = smallest.cloned() else {
                break;
            };
            if self.signal.is_stopping() {
                return Err(Error::Closed);
            }
            let floor = past.max(floors.of(&labels));
            columns.clear();
            attachments.clear();
            for source in &mut *sources {
                if source.labels.as_ref() == Some(&labels) {
                    source.take(floor, &mut columns, &mut attachments);
                    source
                        .advance()
                        .map_err(|error| self.damaged(source.block, &error))?;
                }
            }
            if columns.is_empty() && attachments.is_empty() {
                continue;
            }
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(self.begin_block(header.clone(), effort)?),
            };
            let shown: Vec<_> = attachments.iter().map(OwnedAttachment::show).collect();
            let data = SeriesData {
                timestamps: &columns.timestamps,
                values: &columns.values,
                attachments: &shown,
            };
            writer
                .series(labels.as_packed(), &data)
                .map_err(|error| self.block_error("write", header.number, error))?;
        }
        let Some(writer) = writer else {
            return Ok(None);
        };
        let number = header.number;
        let finished = writer
            .finish()
            .map_err(|error| self.block_error("write", number, error))
            .and_then(|_| self.open_block(number));
        match finished {
            Ok(block) => Ok(Some(block)),
            Err(error) => {
                self.discard(&[number]);
                Err(error)
            }
        }
    }
}

/// The oldest of them, as many as may be merged at once.
fn bounded(blocks: &[&Arc<Block>]) -> Vec<Arc<Block>> {
    let mut bytes = 0;
    let mut chosen: Vec<Arc<Block>> = Vec::new();
    for block in blocks.iter().take(MERGED_MAX) {
        bytes += block.meta().bytes;
        if chosen.len() >= 2 && bytes > INPUT_BYTES_MAX {
            break;
        }
        chosen.push(Arc::clone(block));
    }
    chosen
}

/// The first neighbours that have come together on one level; higher levels may not stand between them.
fn neighbours(blocks: &[&Arc<Block>]) -> Option<Vec<Arc<Block>>> {
    let lowest = blocks.iter().map(|block| block.meta().header.level).min()?;
    let highest = blocks.iter().map(|block| block.meta().header.level).max()?;
    (lowest..=highest).find_map(|level| {
        let runs = blocks
            .chunk_by(|a, b| a.meta().header.level <= level && b.meta().header.level <= level);
        let mut full =
            runs.filter(|run| run.len() >= NEIGHBOURS && run[0].meta().header.level <= level);
        full.next().map(bounded)
    })
}

/// A block on its way into a merge, and the series at which it stands.
struct Source<'a> {
    block: &'a Block,
    scan: BlockScan<'a>,
    deleted: Vec<Deleted>,
    labels: Option<Labels>,
    ordinal: u32,
    columns: SampleColumns,
    attachments: Vec<OwnedAttachment>,
}

impl<'a> Source<'a> {
    fn new(block: &'a Block, deleted: Vec<Deleted>) -> Self {
        Self {
            block,
            scan: block.scan(),
            deleted,
            labels: None,
            ordinal: 0,
            columns: SampleColumns::default(),
            attachments: Vec::new(),
        }
    }

    /// Goes on to the next series.
    fn advance(&mut self) -> Result<(), BlockError> {
        self.columns.clear();
        self.attachments.clear();
        self.labels = None;
        let Some(series) = self.scan.next()? else {
            return Ok(());
        };
        self.ordinal = series.ordinal;
        self.columns.timestamps.extend_from_slice(series.timestamps);
        self.columns.values.extend_from_slice(series.values);
        let attachments = series.attachments.iter().map(OwnedAttachment::of);
        self.attachments.extend(attachments);
        match Labels::from_packed(series.labels.as_bytes()) {
            Ok(labels) => self.labels = Some(labels),
            Err(_) => return Err(self.block.broken_labels()),
        }
        Ok(())
    }

    /// Adds what is left of the series from `floor` on, in the order of time.
    fn take(
        &mut self,
        floor: i64,
        columns: &mut SampleColumns,
        attachments: &mut Vec<OwnedAttachment>,
    ) {
        let before = columns.len();
        columns.timestamps.append(&mut self.columns.timestamps);
        columns.values.append(&mut self.columns.values);
        let deleted = self.deleted.iter();
        let deleted = deleted.filter(|deleted| deleted.series.contains(self.ordinal));
        let gone: Vec<_> = deleted
            .map(|deleted| (deleted.start, deleted.end))
            .chain([(i64::MIN, floor.saturating_sub(1))])
            .collect();
        for (start, end) in &gone {
            remove_range(columns, before, *start, *end);
        }
        merge_last(columns, 0, before);
        let is_gone = |at: i64| gone.iter().any(|(start, end)| *start <= at && at <= *end);
        // What is gone as a whole need not be understood.
        let is_all_gone = |attachment: &OwnedAttachment| {
            let mut gone = gone.iter();
            gone.any(|(start, end)| *start <= attachment.first && attachment.last <= *end)
        };
        self.attachments
            .retain(|attachment| !is_all_gone(attachment));
        for attachment in self.attachments.drain(..) {
            let touched = gone
                .iter()
                .any(|(start, end)| *start <= attachment.last && attachment.first <= *end);
            match touched {
                false => attachments.push(attachment),
                true => attachments.extend(attachment.without(&is_gone)),
            }
        }
    }
}

struct OwnedAttachment {
    kind: u8,
    first: i64,
    last: i64,
    count: u32,
    payload: Vec<u8>,
}

impl OwnedAttachment {
    fn of(attachment: &Attachment<'_>) -> Self {
        Self {
            kind: attachment.kind,
            first: attachment.first,
            last: attachment.last,
            count: attachment.count,
            payload: attachment.payload.to_vec(),
        }
    }

    fn show(&self) -> Attachment<'_> {
        Attachment {
            kind: self.kind,
            first: self.first,
            last: self.last,
            count: self.count,
            payload: &self.payload,
        }
    }

    /// What is left without the timestamps that are gone; what cannot be read stays as it is.
    fn without(self, is_gone: &dyn Fn(i64) -> bool) -> Option<Self> {
        let Some((payload, timestamps)) = attachment::without(self.kind, &self.payload, is_gone)
        else {
            return Some(self);
        };
        Some(Self {
            kind: self.kind,
            first: *timestamps.iter().min()?,
            last: *timestamps.iter().max()?,
            count: timestamps.len() as u32,
            payload,
        })
    }
}
