//! What happens now and then: old blocks go, full memory is written, a disk that refused is tried again.

use std::sync::Arc;
use std::time::Duration;

use model::{AppendError, Timestamp};

use crate::block::Block;
use crate::condition::Dropped;
use crate::error::Error;
use crate::files::{disk_error, reserve};
use crate::log::file_name;
use crate::shared::Shared;

/// Room beyond the reserve at which a store that stopped for want of it goes on: so it does not stop again at once.
const RECOVERED_PART: u64 = 4;

/// A log as short as this is not worth a block of its own while nothing is written; and so many bytes for each series.
const IDLE_LOG_BYTES: u64 = 1 << 20;
const IDLE_LOG_BYTES_PER_SERIES: u64 = 16;

/// File systems give room in pieces of this size.
const ALLOCATED: u64 = 4 << 10;

/// How long nothing more is dropped for the disk's sake after that freed nothing: queries end and snapshots are removed
/// sooner.
const FUTILE: Duration = Duration::from_secs(3600);

/// How long an append waits for room; its sender would not wait much longer.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long nothing is written until a bulk load is taken to be over. Scrapes come more often.
const IDLE: Duration = Duration::from_secs(8);

impl Shared {
    /// One round: what is older than the retention goes, and what is more than the disk is to hold.
    pub(crate) fn maintain(&self, now: Timestamp) {
        let _compacting = self.compacting();
        let outcome = self.retain(now);
        {
            let _changing = self.changing();
            self.remove_doomed();
        }
        self.series.reclaim();
        let reason = outcome.as_ref().err().map(ToString::to_string);
        if self.condition.set_retention(now, reason)
            && let Err(error) = outcome
        {
            tracing::error!(error = %error, "old blocks cannot be removed");
        }
    }

    /// Writes into blocks what has been in memory for long, and looks whether there is room for more.
    pub(crate) fn tick(&self) {
        self.notice_damage();
        if self.condition.is_read_only().is_some() {
            if let Err(error) = self.try_to_recover() {
                tracing::debug!(error = %error, "the disk has not recovered yet");
            }
            return;
        }
        if let Err(error) = self.check_space() {
            return self.disk_failed(error.to_string());
        }
        self.series.reclaim();
        self.prepare_log();
        if self.is_flush_due() {
            let frozen = match self.writer() {
                Ok(mut writer) => self.freeze(&mut writer),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = frozen {
                self.disk_failed(error.to_string());
            }
        }
    }

    /// Writes all frozen memtables. If the disk refuses they stay and are tried again.
    pub(crate) fn flush_frozen(&self) {
        let waits = !self.view().frozen().is_empty();
        // Once the disk has recovered everything is written; until then it would be written for nothing.
        let is_read_only = self.condition.is_read_only().is_some();
        if waits && (is_read_only || !self.condition.is_flush_due(self.clock.monotonic())) {
            return;
        }
        loop {
            let now = self.clock.now();
            match self.flush_oldest() {
                Ok(true) => _ = self.condition.set_blocked(now, None),
                Ok(false) => {
                    self.condition.set_blocked(now, None);
                    return;
                }
                Err(error) => {
                    let reason = format!("samples cannot be moved from memory to disk: {error}");
                    if self.condition.set_blocked(now, Some(reason)) {
                        tracing::error!(error = %error, "samples cannot be moved from memory to disk");
                    }
                    self.signal.notify_flushed();
                    return;
                }
            }
        }
    }

    /// Waits while more is in memory than can be written to disk in time.
    ///
    /// Errors: the disk refuses.
    pub(crate) fn wait_for_room(&self) -> Result<(), AppendError> {
        self.condition.check()?;
        self.commits
            .wait_for_room()
            .map_err(|failure| self.log_failed(&failure))?;
        if !self.is_full() {
            return Ok(());
        }
        if !self.config().threads {
            // Nobody else would do it.
            self.flush_frozen();
        }
        let start = self.clock.monotonic();
        loop {
            if !self.is_full() {
                return Ok(());
            }
            if self.clock.monotonic().saturating_sub(start) > ROOM_WAIT_MAX {
                let reason = "samples in memory are not written to disk in time: send again later";
                return Err(AppendError::Storage(reason.to_owned()));
            }
            if let Some(reason) = self.condition.blocked() {
                return Err(AppendError::Storage(reason));
            }
            self.condition.check()?;
            self.signal.wait_flushed();
        }
    }

    /// Whether there is room for more than the reserve.
    ///
    /// Errors: there is not.
    pub(crate) fn check_space(&self) -> Result<(), Error> {
        let directory = &self.log_directory;
        let space = self
            .disk
            .space(directory)
            .map_err(disk_error("look at", directory))?;
        let reserve = reserve(space);
        let needed = match self.condition.is_read_only() {
            Some(_) => reserve + reserve / RECOVERED_PART,
            None => reserve,
        };
        if space.free >= needed {
            return Ok(());
        }
        Err(Error::Full {
            path: directory.clone(),
            free: space.free,
            needed,
        })
    }

    /// Creates the next log, so that going on in it costs no one time.
    pub(crate) fn prepare_log(&self) {
        let view = self.view();
        let active = view.active();
        if active.memory() >= self.memtable_limit() / 4 {
            // If the disk refuses, it will say so again when the log is needed.
            let _ = self.commits.prepare(active.generation + 1);
        }
    }

    fn is_flush_due(&self) -> bool {
        let view = self.view();
        let active = view.active();
        if active.is_empty() {
            return false;
        }
        let now = self.clock.monotonic();
        if now >= active.begun + self.config().memtable_age {
            return true;
        }
        let idle_since = self.signal.idle_since(active.samples(), now);
        let idle = now.saturating_sub(idle_since) >= IDLE;
        let worth = IDLE_LOG_BYTES.max(IDLE_LOG_BYTES_PER_SERIES * self.series.len() as u64);
        idle && self.log_length(active.generation) >= worth
    }

    /// Bytes of all logs.
    pub(crate) fn log_bytes(&self) -> u64 {
        let view = self.view();
        let logs = view.memtables.iter();
        logs.map(|memtable| self.log_length(memtable.generation))
            .sum()
    }

    fn log_length(&self, generation: u64) -> u64 {
        let path = self.log_directory.join(file_name(generation));
        self.disk.length(&path).unwrap_or(0)
    }

    /// Removes blocks by age, by bytes and by share of the disk.
    fn retain(&self, now: Timestamp) -> Result<(), Error> {
        let config = self.config();
        let floor = self.oldest_on_disk(now);
        let old: Vec<_> = self
            .view()
            .blocks
            .iter()
            .filter(|block| block.meta().last < floor)
            .cloned()
            .collect();
        self.drop_blocks(&old, "age");
        if config.retention_bytes > 0 {
            // Logs go only by what is in memory: where there is hardly room for them blocks get half of it.
            let logs = self.log_bytes().min(config.retention_bytes / 2);
            while self.view().bytes() + logs > config.retention_bytes
                && self.drop_oldest("bytes").is_some()
            {}
        }
        let share = config.retention_share;
        let outcome = share.map_or(Ok(()), |share| self.retain_share(share));
        if !self.view().tombstones.is_empty() {
            self.forget_tombstones()?;
        }
        outcome
    }

    /// Drops as much as the disk has beyond a share of it, as measured once: a file that a reader or a snapshot holds
    /// gives its room back later, or never.
    ///
    /// Errors: what was dropped before freed nothing; more of the same would cost everything.
    fn retain_share(&self, share: f64) -> Result<(), Error> {
        let directory = &self.block_directory;
        let space = self
            .disk
            .space(directory)
            .map_err(disk_error("look at", directory))?;
        let used = (space.total - space.free.min(space.total)) as f64;
        let excess = used - share * space.total as f64;
        if excess <= 0.0 {
            self.condition.set_dropped(None);
            return Ok(());
        }
        let now = self.clock.monotonic();
        if let Some(dropped) = self.condition.dropped()
            && space.free <= dropped.free
            && now < dropped.at + FUTILE
        {
            return Err(Error::Refused(format!(
                "{} is fuller than storage.retention_disk allows, and removing old blocks frees nothing: a snapshot or a \
                 query holds them, or others fill the disk",
                directory.display()
            )));
        }
        let mut freed = 0.0;
        while freed < excess
            && let Some(bytes) = self.drop_oldest("share")
        {
            freed += bytes.next_multiple_of(ALLOCATED) as f64;
        }
        if freed > 0.0 {
            self.condition.set_dropped(Some(Dropped {
                at: now,
                free: space.free,
            }));
        }
        Ok(())
    }

    /// Drops the block whose newest sample is the oldest, and tells its bytes; none if there is none but what memory
    /// was written to last.
    fn drop_oldest(&self, reason: &'static str) -> Option<u64> {
        let view = self.view();
        let headers = view.blocks.iter().map(|block| &block.meta().header);
        let newest = headers.map(|header| header.last_generation).max()?;
        let old = view.blocks.iter().filter(|block| {
            let header = &block.meta().header;
            header.level > 0 || header.last_generation < newest
        });
        let oldest = old.min_by_key(|block| block.meta().last);
        let oldest = Arc::clone(oldest?);
        let bytes = oldest.meta().bytes;
        self.drop_blocks(&[oldest], reason);
        Some(bytes)
    }

    fn drop_blocks(&self, blocks: &[Arc<Block>], reason: &'static str) {
        if blocks.is_empty() {
            return;
        }
        {
            let _changing = self.changing();
            self.replace_view(|view| {
                view.blocks
                    .retain(|other| !blocks.iter().any(|block| Arc::ptr_eq(block, other)));
            });
        }
        for block in blocks {
            self.remove_block(block);
            self.counters.count_dropped(block.meta().bytes);
            tracing::info!(
                block = block.meta().header.number,
                bytes = block.meta().bytes,
                reason,
                "a block is past the retention and was removed"
            );
        }
    }
}
