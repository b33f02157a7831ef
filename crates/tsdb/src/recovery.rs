//! Brings back what a store had, when it is opened.
//!
//! 1. Blocks are opened; one that is no block any more is set aside. Those that a merge was about to remove are
//!    removed: the merged one names them.
//! 2. Each log becomes the memtable that it was, which is written into a block soon after.
//! 3. A new log and memtable take what comes; the descriptions of metrics go on in it.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use model::{Labels, Metadata};

use crate::append::{LATE, Writer};
use crate::attachment;
use crate::block::{Block, BlockProblem};
use crate::error::Error;
use crate::files::{BROKEN_SUFFIX, disk_error};
use crate::log::{self, FILE_HEADER, LogContents, Pairs, ReplayError, ReplayReport, Run, replay};
use crate::memtable::{Extras, Memtable, Shard, local};
use crate::shared::{Shared, block_number};
use crate::tombstones::{self, Unreadable};

/// What the name of a file ends with while it is written.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Bytes without a whole record that may be removed with a log in which there is nothing else: the file's header and a
/// small record that were being written. More than that may have been samples.
const TORN_MAX: u64 = 4 << 10;

/// What opening a store found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// Blocks that can be read.
    pub blocks: usize,
    /// Blocks that cannot, and were set aside.
    pub blocks_broken: usize,
    /// What was found in each log.
    pub logs: Vec<ReplayReport>,
    /// Series in the logs.
    pub series: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl Recovery {
    /// Samples in the logs.
    pub fn samples(&self) -> u64 {
        self.logs.iter().map(|log| log.samples).sum()
    }

    /// Stretches of the logs that are broken.
    pub fn broken_stretches(&self) -> u64 {
        self.logs.iter().map(|log| log.broken.count).sum()
    }

    /// Bytes behind the last whole record of the logs: writes that were interrupted, or damage.
    pub fn torn_bytes(&self) -> u64 {
        self.logs.iter().map(|log| log.torn_bytes).sum()
    }
}

impl Shared {
    /// Brings back what is in the store's directory.
    pub(crate) fn recover(&self) -> Result<Recovery, Error> {
        let start = self.clock.monotonic();
        let mut recovery = Recovery::default();
        // What is seen from here on is there after a loss of power too.
        self.require_for_writing(self.sync_directories());
        let blocks = self.load_blocks(&mut recovery)?;
        let tombstones = self.load_tombstones()?;
        recovery.blocks = blocks.len();
        let generation = blocks
            .iter()
            .map(|block| block.meta().header.last_generation)
            .max();
        self.replace_view(|view| {
            view.blocks = blocks;
            view.tombstones = tombstones;
            view.sort();
        });
        let mut writer = self.writer().map_err(Error::from)?;
        let mut memtables = Vec::new();
        let mut empty = Vec::new();
        let (numbers, aside) = self.log_numbers()?;
        for number in &numbers {
            let memtable = self.new_memtable(*number);
            writer.active = Arc::clone(&memtable);
            let path = self.log_directory.join(log::file_name(*number));
            let mut contents = Replay::new(self, &mut writer, &memtable);
            match replay(&*self.disk, &path, *number, &mut contents) {
                Ok(report) => recovery.logs.push(report),
                Err(ReplayError::Version { path, version }) => {
                    return Err(Error::Version {
                        path,
                        version,
                        known: log::VERSION,
                    });
                }
                // Nobody wants to begin without the logs for the want of a permission.
                Err(ReplayError::Disk { path, source })
                    if source.kind() == io::ErrorKind::PermissionDenied =>
                {
                    return Err(disk_error("read", &path)(source));
                }
                Err(ReplayError::Disk { path, source }) => {
                    self.note_unread_log(*number, &path, &source)
                }
            }
            let lost = contents.lost;
            if lost > 0 {
                tracing::error!(path = %path.display(), count = lost, "series or attachments of the log are not understood");
                self.condition.note_damaged_log(*number);
            }
            if memtable.is_empty() {
                empty.push(*number);
                continue;
            }
            // Its end may have been read from memory only, and whoever sends that again is told that it is known. If it
            // cannot be synced nothing is taken until it stands in a block.
            let synced = self.disk.open_append(&path).and_then(|mut log| log.sync());
            self.require_for_writing(synced.map_err(disk_error("sync", &path)));
            memtables.push(memtable);
        }
        self.report(&recovery.logs);
        recovery.series = self.series.len();
        let newest = numbers
            .last()
            .copied()
            .max(generation)
            .max(aside)
            .unwrap_or(0);
        let active = self.new_memtable(newest + 1);
        memtables.push(Arc::clone(&active));
        self.replace_view(|view| view.memtables = memtables);
        writer.active = Arc::clone(&active);
        let begun = self.begin_log(&mut writer, active);
        self.require_for_writing(begun);
        drop(writer);
        // What the empty logs said stands in the new one now.
        if let Err(failure) = self.commits.sync() {
            self.disk_failed(failure.to_string());
        }
        for number in empty {
            self.remove_log(number);
        }
        recovery.elapsed = self.clock.monotonic().saturating_sub(start);
        Ok(recovery)
    }

    /// Without this nothing can be taken, but what there is can be asked for, and the disk may recover.
    fn require_for_writing(&self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            self.disk_failed(error.to_string());
        }
    }

    /// What is seen in the directories is there after a loss of power too.
    fn sync_directories(&self) -> Result<(), Error> {
        let (blocks, logs) = (&*self.block_directory, &*self.log_directory);
        for directory in [blocks, logs, self.directory()] {
            self.disk
                .sync_directory(directory)
                .map_err(disk_error("sync", directory))?;
        }
        Ok(())
    }

    fn note_unread_log(&self, number: u64, path: &Path, error: &io::Error) {
        tracing::error!(path = %path.display(), error = %error, "a log cannot be read, and is left as it is");
        let what = format!("{}: cannot be read: {error}", path.display());
        self.condition
            .note_unread_log(number, self.clock.now(), what);
    }

    fn load_blocks(&self, recovery: &mut Recovery) -> Result<Vec<Arc<Block>>, Error> {
        let directory = &self.block_directory;
        let names = self
            .disk
            .list(directory)
            .map_err(disk_error("list", directory))?;
        let mut blocks: Vec<Arc<Block>> = Vec::new();
        for name in names {
            if name.ends_with(TEMPORARY_SUFFIX) {
                // It was being written when the process ended; what it was to hold stands elsewhere.
                self.remove_rest(&name);
            }
            // One that was set aside may be put back, and a rest may be removed later: their numbers are never given
            // again.
            let whole = [BROKEN_SUFFIX, TEMPORARY_SUFFIX]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(&name);
            if let Some(number) = block_number(whole) {
                self.next_block.fetch_max(number + 1, Ordering::Relaxed);
            }
            let Some(number) = block_number(&name) else {
                continue;
            };
            let path = directory.join(&name);
            self.refuse_forbidden(&path)?;
            match Block::open(&*self.disk, &path, Arc::clone(&self.pages)) {
                Ok(block) if block.meta().header.number == number => blocks.push(Arc::new(block)),
                Ok(block) => {
                    let reason = format!("it says that it is block {}", block.meta().header.number);
                    self.set_block_aside(number, &path, &reason);
                    recovery.blocks_broken += 1;
                }
                Err(error) => match error.problem {
                    BlockProblem::Version(version) => {
                        return Err(Error::Version {
                            path,
                            version,
                            known: crate::block::VERSION,
                        });
                    }
                    // It may be whole, and be read the next time.
                    BlockProblem::Disk(_) => {
                        tracing::error!(error = %error, "a block cannot be read, and is left as it is");
                        let now = self.clock.now();
                        self.condition
                            .note_unread_block(number, now, error.to_string());
                    }
                    BlockProblem::Damaged(_) => {
                        self.set_block_aside(number, &path, &error.within());
                        recovery.blocks_broken += 1;
                    }
                },
            }
        }
        let (current, replaced) = without_replaced(blocks);
        for block in replaced {
            self.remove_block(&block);
        }
        Ok(current)
    }

    /// Removes a file that was being written when the process ended.
    fn remove_rest(&self, name: &str) {
        let path = self.block_directory.join(name);
        match block_number(name.strip_suffix(TEMPORARY_SUFFIX).unwrap_or(name)) {
            Some(_) => self.remove_file(path),
            // Others are removed before they are written again, by whoever writes them.
            None => _ = self.disk.remove(&path),
        }
    }

    /// Nobody wants to begin without all blocks for the want of a permission.
    fn refuse_forbidden(&self, path: &Path) -> Result<(), Error> {
        match self.disk.open_read(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(disk_error("read", path)(error))
            }
            // What else is wrong, opening the block says.
            _ => Ok(()),
        }
    }

    /// Sets a broken block aside; on a disk that cannot be written it stays, and is not read.
    fn set_block_aside(&self, number: u64, path: &Path, reason: &str) {
        if let Err(error) = self.set_aside(path, reason) {
            let what = format!("{}: {reason}", path.display());
            self.condition.note_damaged(number, self.clock.now(), what);
            self.disk_failed(error.to_string());
        }
    }

    fn load_tombstones(&self) -> Result<Vec<Arc<tombstones::Tombstone>>, Error> {
        let directory = &self.block_directory;
        let path = directory.join(tombstones::FILE);
        let loaded = tombstones::load(&*self.disk, directory);
        match loaded.map_err(disk_error("read", &path))? {
            Ok(tombstones) => {
                // The blocks that a deletion concerned may be gone; a new one must not get one of their numbers.
                let before = tombstones.iter().map(|tombstone| tombstone.before_block);
                let before = before.max().unwrap_or(0);
                self.next_block.fetch_max(before, Ordering::Relaxed);
                Ok(tombstones)
            }
            Err(Unreadable::Version(version)) => Err(Error::Version {
                path,
                version,
                known: tombstones::VERSION,
            }),
            Err(Unreadable::Broken) => {
                let reason = "it is damaged: deleted samples may be back, delete them again";
                if let Err(error) = self.set_aside(&path, reason) {
                    let what = format!("{}: {reason}", path.display());
                    self.condition.note_set_aside(self.clock.now(), what);
                    self.disk_failed(error.to_string());
                }
                Ok(Vec::new())
            }
        }
    }

    /// The numbers of the logs, and the greatest of those that were set aside, which is never given again.
    fn log_numbers(&self) -> Result<(Vec<u64>, Option<u64>), Error> {
        let directory = &self.log_directory;
        let names = self
            .disk
            .list(directory)
            .map_err(disk_error("list", directory))?;
        let numbers = names.iter().filter_map(|name| log::parse_file_name(name));
        let mut numbers: Vec<_> = numbers.collect();
        numbers.sort_unstable();
        let aside = names
            .iter()
            .filter_map(|name| log::parse_file_name(name.strip_suffix(BROKEN_SUFFIX)?));
        Ok((numbers, aside.max()))
    }

    fn report(&self, reports: &[ReplayReport]) {
        // Behind the log that was written there may be one that was only made ready.
        let written = reports.iter().rposition(|report| report.records > 0);
        for (index, report) in reports.iter().enumerate() {
            let newest = written.is_none_or(|written| written <= index);
            // A log that gives nothing is removed at once: only if no more is in it than a write that was interrupted.
            let is_unused = report.samples == 0 && report.attachments == 0;
            // Nothing is written behind a header that is not on the disk.
            let is_headless = report.end == 0 && report.bytes > FILE_HEADER as u64;
            let is_damaged = report.broken.count > 0
                || report.records_unknown > 0
                || report.torn_bytes > 0 && !newest
                || is_unused && (report.torn_bytes > TORN_MAX || is_headless);
            if is_damaged {
                self.condition.note_damaged_log(report.number);
            }
            let path = self.log_directory.join(log::file_name(report.number));
            report_log(&path, report, newest);
        }
    }
}

fn report_log(path: &Path, report: &ReplayReport, newest: bool) {
    tracing::info!(
        path = %path.display(),
        bytes = report.bytes,
        samples = report.samples,
        series = report.definitions,
        "log read"
    );
    if report.torn_bytes > 0 {
        tracing::warn!(
            path = %path.display(),
            offset = report.end,
            length = report.torn_bytes,
            newest,
            "the end of the log is no whole record: an interrupted write, or damage"
        );
    }
    for broken in &report.broken.first {
        tracing::error!(
            path = %path.display(),
            offset = broken.offset,
            length = broken.length,
            reason = broken.reason,
            "a broken part of the log was skipped"
        );
    }
    let left_out = report.samples_undefined + report.samples_untrusted;
    if left_out > 0 || report.broken.count > report.broken.first.len() as u64 {
        tracing::error!(
            path = %path.display(),
            broken_stretches = report.broken.count,
            samples_left_out = left_out,
            "broken parts of the log were skipped, in all"
        );
    }
    if report.records_unknown > 0 {
        tracing::warn!(
            path = %path.display(),
            count = report.records_unknown,
            "records of the log are of a type that a newer version wrote"
        );
    }
}

/// The blocks that hold something of their own, and those whose content a merge has put into another.
fn without_replaced(blocks: Vec<Arc<Block>>) -> (Vec<Arc<Block>>, Vec<Arc<Block>>) {
    let replaced: HashSet<u64> = blocks
        .iter()
        .flat_map(|block| block.meta().header.replaces.iter().copied())
        .collect();
    let is_current = |block: &Arc<Block>| !replaced.contains(&block.meta().header.number);
    blocks.into_iter().partition(is_current)
}

/// Puts what a log holds into its memtable.
struct Replay<'a> {
    shared: &'a Shared,
    writer: &'a mut Writer,
    memtable: &'a Memtable,
    oldest: i64,
    /// The numbers of the series by their references.
    series: Vec<Option<u32>>,
    /// Series and attachments that are not understood.
    lost: u64,
}

impl<'a> Replay<'a> {
    fn new(shared: &'a Shared, writer: &'a mut Writer, memtable: &'a Memtable) -> Self {
        Self {
            oldest: shared.oldest_on_disk(shared.clock.now()),
            shared,
            writer,
            memtable,
            series: Vec::new(),
            lost: 0,
        }
    }

    /// What was decoded; without that it is counted.
    fn decoded<T>(&mut self, decoded: Option<Vec<T>>) -> Vec<T> {
        self.lost += u64::from(decoded.is_none());
        decoded.unwrap_or_default()
    }

    fn series(&self, reference: u32) -> Option<u32> {
        self.series.get(reference as usize).copied().flatten()
    }

    fn extras(&self, id: u32, timestamp: i64, memory: usize, change: impl FnOnce(&mut Extras)) {
        let mut shard = self.memtable.shard(id);
        change(shard.extras_mut(local(id), timestamp, memory));
        self.memtable.settle(&mut shard);
    }
}

impl LogContents for Replay<'_> {
    fn define(&mut self, reference: u32, labels: Pairs<'_>) {
        let labels = Labels::from_pairs(labels).ok();
        let created = labels.and_then(|labels| self.shared.series.restore(&labels).ok());
        self.lost += u64::from(created.is_none());
        let at = reference as usize;
        if self.series.len() <= at {
            self.series.resize(at + 1, None);
        }
        self.series[at] = created.map(|created| created.id);
    }

    fn samples(&mut self, run: Run<'_>) {
        if run.timestamp < self.oldest {
            return;
        }
        let mut column = u32::MAX;
        let mut locked: Option<(u32, MutexGuard<'_, Shard>)> = None;
        for (reference, bits) in (run.reference..).zip(run.bits) {
            let Some(id) = self.series(reference) else {
                continue;
            };
            let shard = match &mut locked {
                Some((first, shard)) if Memtable::same_shard(*first, id) => shard,
                _ => {
                    if let Some((_, mut shard)) = locked.take() {
                        self.memtable.settle(&mut shard);
                    }
                    column = u32::MAX;
                    &mut locked.insert((id, self.memtable.shard(id))).1
                }
            };
            if self.writer.restore(id, run.timestamp, *bits) {
                shard.append(local(id), run.timestamp, *bits, &mut column);
            } else if shard.value_at(local(id), run.timestamp).is_none() {
                shard.insert_late(local(id), run.timestamp, *bits);
            }
        }
        if let Some((_, mut shard)) = locked {
            self.memtable.settle(&mut shard);
        }
    }

    fn attachment(&mut self, reference: u32, kind: u8, timestamp: i64, bytes: &[u8]) {
        let Some(id) = self.series(reference) else {
            return;
        };
        if timestamp < self.oldest {
            return;
        }
        match kind {
            LATE => match bytes.try_into().map(u64::from_le_bytes) {
                Err(_) => self.lost += 1,
                Ok(bits) => {
                    let mut shard = self.memtable.shard(id);
                    if shard.value_at(local(id), timestamp).is_none() {
                        shard.insert_late(local(id), timestamp, bits);
                        self.memtable.settle(&mut shard);
                    }
                    drop(shard);
                    self.writer.restore(id, timestamp, bits);
                }
            },
            attachment::HISTOGRAM => {
                let decoded = self.decoded(attachment::decode_histograms(bytes));
                for (timestamp, histogram) in decoded {
                    self.writer.restore_histogram(id, timestamp);
                    self.extras(id, timestamp, 4 * bytes.len(), |extras| {
                        extras.histograms.entry(timestamp).or_insert(histogram);
                    });
                }
            }
            attachment::EXEMPLAR => {
                let decoded = self.decoded(attachment::decode_exemplars(bytes));
                for exemplar in decoded {
                    self.extras(id, timestamp, bytes.len(), |extras| {
                        extras.exemplars.insert(exemplar);
                    });
                }
            }
            attachment::START => {
                let decoded = self.decoded(attachment::decode_starts(bytes));
                for (timestamp, start) in decoded {
                    self.extras(id, timestamp, size_of::<i64>(), |extras| {
                        extras.starts.entry(timestamp).or_insert(start);
                    });
                }
            }
            _ => self.lost += 1,
        }
    }

    fn describe(&mut self, name: &str, metadata: Metadata) {
        self.shared.descriptions_mut().set(name, &metadata);
    }
}

impl Shared {
    /// Goes on in a memtable and its new log, which begins with the descriptions of metrics.
    ///
    /// Errors: the log cannot be created; everything is as before.
    pub(crate) fn begin_log(
        &self,
        writer: &mut Writer,
        memtable: Arc<Memtable>,
    ) -> Result<(), Error> {
        let number = memtable.generation;
        self.commits.prepare(number).map_err(Error::from)?;
        writer.rotate(memtable);
        for (name, metadata) in self.descriptions().by_name() {
            writer
                .encoder()
                .describe(name, metadata)
                .expect("invariant: descriptions are shorter than records");
        }
        // It becomes durable with what follows, and is needed no sooner.
        self.commits.publish(number, writer.encoder().finish());
        Ok(())
    }

    /// Freezes the memtable that is written, and goes on in a new one; nothing happens if it is empty.
    ///
    /// Errors: the next log cannot be created; everything is as before.
    pub(crate) fn freeze(&self, writer: &mut Writer) -> Result<(), Error> {
        if writer.active.is_empty() {
            return Ok(());
        }
        let number = self.commits.first_free(writer.active.generation + 1);
        let memtable = self.new_memtable(number);
        self.begin_log(writer, Arc::clone(&memtable))?;
        self.replace_view(|view| view.memtables.push(memtable));
        self.signal.wake();
        Ok(())
    }

    /// Writes everything in memory into blocks.
    ///
    /// Errors: the disk refused; what is not in a block is in the log.
    pub(crate) fn flush_all(&self) -> Result<(), Error> {
        let mut writer = self.writer().map_err(Error::from)?;
        let newest = writer.active.generation;
        self.freeze(&mut writer)?;
        drop(writer);
        while self
            .view()
            .frozen()
            .first()
            .is_some_and(|memtable| memtable.generation <= newest)
        {
            self.flush_oldest()?;
        }
        Ok(())
    }

    /// Tries to take samples again after the disk refused.
    ///
    /// The log is not trusted any more. So everything in memory becomes blocks first; then a new log begins. All that is
    /// written for nothing while the disk still refuses: it is tried less and less often, and only if there is room.
    ///
    /// Errors: the disk still refuses.
    pub(crate) fn try_to_recover(&self) -> Result<(), Error> {
        let Some(since) = self.condition.is_read_only() else {
            return Ok(());
        };
        self.check_space()?;
        self.require_room(self.log_bytes())?;
        if !self.condition.is_retry_due(self.clock.monotonic()) {
            return Ok(());
        }
        self.sync_directories()?;
        {
            let mut writer = self.writer().map_err(Error::from)?;
            let before = writer.active.generation;
            let number = self.commits.first_free(before + 1);
            self.commits.reset(number);
            let was_empty = writer.active.is_empty();
            let memtable = self.new_memtable(number);
            self.begin_log(&mut writer, Arc::clone(&memtable))?;
            self.replace_view(|view| {
                if was_empty {
                    view.memtables.pop();
                }
                view.memtables.push(memtable);
            });
            drop(writer);
            if was_empty {
                self.remove_log(before);
            }
        }
        self.flush_all()?;
        self.commits.sync().map_err(Error::from)?;
        self.rewrite_tombstones()?;
        self.check_space()?;
        self.condition.recovered();
        let paused = self.clock.now().since(since);
        tracing::info!(
            seconds = paused.as_secs_f64(),
            "the disk has recovered, and the store takes samples again"
        );
        Ok(())
    }
}
