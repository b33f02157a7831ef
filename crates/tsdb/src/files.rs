//! What the store does with whole files, and what it says when the disk refuses.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{AppendError, DiskSpace, Labels, SampleColumns, SourceError, Timestamp};

use crate::attachment;
use crate::block::{Block, BlockError, BlockProblem};
use crate::error::Error;
use crate::log::{self, LogFailure};
use crate::shared::Shared;
use crate::tombstones::{self, Tombstone};
use crate::view::View;

/// What is kept free of a file system: so much in any case, or this part of a small one. So merging and retention can
/// go on when samples no longer can.
const RESERVE_MAX: u64 = 256 << 20;
const RESERVE_PART: u64 = 20;

/// What a broken file's name ends with once it is set aside.
pub(crate) const BROKEN_SUFFIX: &str = ".broken";

/// A function that says what was tried with which file when the disk refused it.
pub(crate) fn disk_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk {
        action,
        path,
        source,
    }
}

/// What is kept free of a file system.
pub(crate) fn reserve(space: DiskSpace) -> u64 {
    RESERVE_MAX.min(space.total / RESERVE_PART)
}

impl Shared {
    /// Notes that the log could not be written.
    pub(crate) fn log_failed(&self, failure: &LogFailure) -> AppendError {
        self.disk_failed(failure.to_string());
        // What came first says more than what followed from it.
        let reason = self.condition.failure();
        AppendError::Storage(reason.unwrap_or_else(|| failure.to_string()))
    }

    /// Notes that nothing can be written: nothing is taken until that has changed.
    pub(crate) fn disk_failed(&self, reason: String) {
        if self.condition.read_only(self.clock.now(), reason.clone()) {
            self.counters.count_failure();
            tracing::error!(reason, "the store takes nothing until the disk recovers");
            self.signal.wake();
        }
    }

    pub(crate) fn block_error(&self, action: &'static str, number: u64, error: io::Error) -> Error {
        disk_error(action, &self.block_path(number))(error)
    }

    /// Notes that a block is damaged: it is read as far as that goes, and no longer merged.
    pub(crate) fn damaged(&self, block: &Block, error: &BlockError) -> Error {
        let number = block.meta().header.number;
        if let BlockProblem::Disk(_) = error.problem {
            // It may be whole, and is tried again.
            tracing::warn!(block = number, error = %error, "a block cannot be read");
            return Error::Block(error.to_string());
        }
        if self
            .condition
            .note_damaged(number, self.clock.now(), error.to_string())
        {
            self.counters.count_set_aside();
            tracing::error!(block = number, error = %error, "a block is damaged");
        }
        Error::Block(error.to_string())
    }

    /// Whether files may still be changed.
    ///
    /// Errors: the store was closed, and the directory may be someone else's.
    pub(crate) fn require_open(&self) -> Result<(), Error> {
        match self.condition.is_closed() {
            true => Err(Error::Closed),
            false => Ok(()),
        }
    }

    /// Notes blocks of which a reader could not read something.
    pub(crate) fn notice_damage(&self) {
        for block in &self.view().blocks {
            // What the disk refused may be whole, and the next reader finds out.
            if let Some(error) = block.first_error()
                && matches!(error.problem, BlockProblem::Damaged(_))
            {
                // Who asked got it as an error.
                let _ = self.damaged(block, error);
            }
        }
    }

    /// A damaged block as those see it who ask for samples.
    pub(crate) fn unreadable(&self, block: &Block, error: &BlockError) -> SourceError {
        SourceError::Storage(self.damaged(block, error).to_string())
    }

    /// Gives a broken file another name, so that nobody reads it again before it was looked at.
    pub(crate) fn set_aside(&self, path: &Path, reason: &str) -> Result<(), Error> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(BROKEN_SUFFIX);
        let aside = Path::new(&aside);
        match self.disk.rename(path, aside) {
            // An earlier try came so far, but not to its end.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.disk.length(aside).is_ok() =>
            {
                return Ok(());
            }
            renamed => renamed.map_err(disk_error("set aside", path))?,
        }
        self.counters.count_set_aside();
        let what = format!("{}: {reason}", path.display());
        self.condition.note_set_aside(self.clock.now(), what);
        tracing::error!(path = %path.display(), reason, "a broken file was set aside");
        Ok(())
    }

    /// Removes a log whose samples are all in blocks; one in which something was broken is kept under another name, and
    /// one that the disk refused to read stays as it is.
    pub(crate) fn remove_log(&self, number: u64) {
        if self.condition.is_log_unread(number) {
            return self.condition.forget_doomed_log(number);
        }
        match self.try_to_remove_log(number) {
            Ok(()) => self.condition.forget_doomed_log(number),
            Err(error) => {
                // It is read again at the next start, which finds nothing new in it.
                tracing::warn!(error = %error, "a log that is no longer needed cannot be removed");
                self.condition.note_doomed_log(number, self.clock.now());
            }
        }
    }

    fn try_to_remove_log(&self, number: u64) -> Result<(), Error> {
        let path = self.log_directory.join(log::file_name(number));
        // What it says of metrics stands in the one that is written now, if there is one.
        if !self.commits.has(self.view().active().generation) {
            let source = io::Error::other("no later log could be created");
            return Err(disk_error("remove", &path)(source));
        }
        self.commits.sync().map_err(Error::from)?;
        if self.condition.is_log_damaged(number) {
            self.set_aside(&path, "parts of the log were broken")?;
        }
        // The log's own handle goes in any case.
        self.commits
            .remove(number)
            .map_err(disk_error("remove", &path))?;
        self.disk
            .sync_directory(&self.log_directory)
            .map_err(disk_error("sync", &self.log_directory))
    }

    /// Removes a block's file, which nobody sees any more.
    pub(crate) fn remove_block(&self, block: &Block) {
        let number = block.meta().header.number;
        self.remove_file(self.block_path(number));
        self.condition.forget_block(number);
    }

    pub(crate) fn remove_file(&self, path: PathBuf) {
        match self.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), error = %error, "a block that is no longer needed cannot be removed");
                self.condition.note_doomed(path, self.clock.now());
            }
            _ => self.condition.forget_doomed(&path),
        }
    }

    /// Tries again to remove what could not be removed; only while holding `changing`.
    pub(crate) fn remove_doomed(&self) {
        for path in self.condition.doomed() {
            self.remove_file(path);
        }
        for number in self.condition.doomed_logs() {
            self.remove_log(number);
        }
    }

    /// Forgets tombstones that no block is left for.
    ///
    /// Errors: the disk refused; they stay.
    pub(crate) fn forget_tombstones(&self) -> Result<(), Error> {
        let _changing = self.changing();
        let view = self.view();
        let concerns = |tombstone: &Tombstone| {
            let mut blocks = view.blocks.iter();
            blocks.any(|block| block.meta().header.number < tombstone.before_block)
        };
        let left: Vec<_> = view
            .tombstones
            .iter()
            .filter(|tombstone| concerns(tombstone))
            .cloned()
            .collect();
        // They may concern a block that nobody could read, too.
        let unseen = self.condition.has_doomed() || self.condition.has_unread_blocks();
        if left.len() == view.tombstones.len() || unseen {
            return Ok(());
        }
        let directory = &self.block_directory;
        // What they concerned is really gone before they are.
        self.disk
            .sync_directory(directory)
            .map_err(disk_error("sync", directory))?;
        tombstones::store(&*self.disk, directory, &left)
            .map_err(disk_error("write tombstones to", directory))?;
        self.replace_view(|view| view.tombstones.clone_from(&left));
        Ok(())
    }

    /// Writes the tombstones as they are in memory: what the file has is not known once writing it has failed.
    ///
    /// Errors: the disk refused.
    pub(crate) fn rewrite_tombstones(&self) -> Result<(), Error> {
        let _changing = self.changing();
        let directory = &self.block_directory;
        tombstones::store(&*self.disk, directory, &self.view().tombstones)
            .map_err(disk_error("write tombstones to", directory))
    }

    /// Whether a merge of so many bytes leaves the reserve alone.
    ///
    /// Errors: it would not.
    pub(crate) fn require_room(&self, bytes: u64) -> Result<(), Error> {
        let directory = &self.block_directory;
        let space = self
            .disk
            .space(directory)
            .map_err(disk_error("look at", directory))?;
        if space.free < reserve(space).saturating_add(bytes) {
            let source = io::Error::new(
                io::ErrorKind::StorageFull,
                format!("{bytes} bytes are needed, {} are free", space.free),
            );
            return Err(disk_error("merge blocks in", directory)(source));
        }
        Ok(())
    }

    /// The value of a series at a timestamp in the memtables that become blocks.
    pub(crate) fn value_in_frozen(&self, id: u32, timestamp: i64) -> Option<u64> {
        let view = self.view();
        let mut frozen = view.frozen().iter();
        frozen.find_map(|memtable| memtable.value_at(id, timestamp))
    }

    /// The newest sample of a series in the blocks of a view that is not deleted, if a sample at `timestamp` would be too
    /// late behind it. The value is none if it is a histogram.
    pub(crate) fn newest_in(
        &self,
        view: &View,
        labels: &Labels,
        timestamp: i64,
        window: Duration,
    ) -> Option<(i64, Option<u64>)> {
        let after = (Timestamp::from_millis(timestamp) + window).as_millis();
        let later = |block: &&Arc<Block>| block.meta().last > after;
        let mut newest: Option<(i64, Option<u64>)> = None;
        for block in view.blocks.iter().filter(later) {
            let number = block.meta().header.number;
            let tombstones = view.tombstones.iter();
            let concern = |it: &&Arc<Tombstone>| number < it.before_block && it.selects(labels);
            let deleted: Vec<_> = tombstones.filter(concern).collect();
            // A block that cannot be read does not keep new samples out.
            let found = newest_in(block, labels.as_packed(), after, &deleted).unwrap_or_default();
            if let Some(found) = found
                && newest.is_none_or(|(newest, _)| newest < found.0)
            {
                newest = Some(found);
            }
        }
        newest
    }
}

/// The newest sample of a series behind `after` that is not deleted, number or histogram.
fn newest_in(
    block: &Block,
    labels: &str,
    after: i64,
    deleted: &[&Arc<Tombstone>],
) -> Result<Option<(i64, Option<u64>)>, BlockError> {
    let Some(ordinal) = block.find(labels)? else {
        return Ok(None);
    };
    // Whether all from `first` to `last` is.
    let is_deleted = |first: i64, last: i64| {
        let mut deleted = deleted.iter();
        deleted.any(|it| it.start <= first && last <= it.end)
    };
    let mut columns = SampleColumns::default();
    block.read(ordinal, after, i64::MAX, &mut columns)?;
    let samples = columns.timestamps.iter().zip(&columns.values).rev();
    let mut left = samples.filter(|(timestamp, _)| !is_deleted(**timestamp, **timestamp));
    let mut newest = left
        .next()
        .map(|(timestamp, value)| (*timestamp, Some(value.to_bits())));
    block.attachments(
        ordinal,
        attachment::HISTOGRAM,
        after,
        i64::MAX,
        &mut |histograms| {
            // Of many of which some are deleted the newest counts, be it one of those: so no late one is taken in.
            if newest.is_none_or(|(newest, _)| newest < histograms.last)
                && !is_deleted(histograms.first, histograms.last)
            {
                newest = Some((histograms.last, None));
            }
        },
    )?;
    Ok(newest)
}
