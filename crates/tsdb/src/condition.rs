//! Whether the store takes samples, and what else is not as it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{AppendError, HealthState, Timestamp};

/// How long after the last refusal for want of memory health still says so; senders repeat within a minute.
const REFUSAL_REMEMBERED: Duration = Duration::from_secs(120);

/// How long a disk that refused is left alone until it is tried again: first, and at most.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What is the matter with a store.
pub(crate) struct Condition {
    opened: Timestamp,
    /// Whether anything stands in the way of writing; a copy of what `state` says, for those in a hurry.
    stopped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why nothing is taken.
    stop: Option<Stop>,
    /// When a disk that refused is tried again.
    retry: Retry,
    /// Why samples cannot leave memory.
    blocked: Option<Trouble>,
    /// When that is tried again, as with `retry`.
    flush_retry: Retry,
    /// Why the retention cannot be kept.
    retention: Option<Trouble>,
    /// What was dropped last because the disk is too full.
    dropped: Option<Dropped>,
    /// Why blocks cannot be merged.
    merging: Option<Trouble>,
    refused_since: Option<Timestamp>,
    refused_last: Option<Timestamp>,
    /// Files that are broken and were set aside since the start.
    set_aside: usize,
    set_aside_since: Option<Timestamp>,
    set_aside_last: String,
    /// Blocks of which something cannot be read, as long as they are there.
    damaged: BTreeMap<u64, Trouble>,
    /// Logs of which something could not be read.
    damaged_logs: BTreeSet<u64>,
    /// Files of the log that the disk refused to read, whole or in part: they are left as they are.
    unread_logs: BTreeSet<u64>,
    /// Whether there are blocks that the disk refused to read: they are left as they are, and not in the view.
    unread_blocks: bool,
    /// Files that nobody needs and that could not be removed, since when; each round tries again.
    doomed: BTreeMap<PathBuf, Timestamp>,
    /// The same for logs whose samples are in blocks, or that may be there after a loss of power.
    doomed_logs: BTreeMap<u64, Timestamp>,
}

/// When blocks were dropped because the disk is too full, by the monotonic clock, and how many bytes were free before.
#[derive(Clone, Copy)]
pub(crate) struct Dropped {
    pub(crate) at: Duration,
    pub(crate) free: u64,
}

/// From when on something is tried again, by the monotonic clock, and how long after that once more; none: at once.
#[derive(Default)]
struct Retry(Option<(Duration, Duration)>);

impl Retry {
    /// Whether it is to be tried now; then not again for a while, and each time for longer.
    fn is_due(&mut self, now: Duration) -> bool {
        let (from, delay) = self.0.unwrap_or((now, RETRY_FIRST));
        let is_due = now >= from;
        if is_due {
            self.0 = Some((now + delay, RETRY_MAX.min(2 * delay)));
        }
        is_due
    }
}

impl State {
    /// What is said about files that nobody needs and that cannot be removed.
    fn undeletable(&self) -> Option<(Timestamp, String)> {
        let since = self.doomed.values().chain(self.doomed_logs.values());
        let since = *since.min()?;
        let count = self.doomed.len() + self.doomed_logs.len();
        let reason = match self.doomed.keys().next() {
            Some(path) => format!(
                "{count} files that nobody needs cannot be removed, one of them: {}",
                path.display()
            ),
            None => format!("{count} logs that nobody needs cannot be removed"),
        };
        Some((since, reason))
    }

    /// What is said about files that were set aside and blocks that are damaged.
    fn broken(&self) -> Option<(Timestamp, String)> {
        let damaged = self.damaged.values();
        let since = damaged.clone().map(|damaged| damaged.since);
        let since = since.chain(self.set_aside_since).min()?;
        let newest = damaged.max_by_key(|damaged| damaged.since);
        let newest = newest.map_or(&self.set_aside_last, |damaged| &damaged.reason);
        let count = self.set_aside + self.damaged.len();
        let reason = format!(
            "{count} files are damaged, the last of them: {newest}; see campanile storage verify"
        );
        Some((since, reason))
    }
}

#[derive(Clone)]
struct Trouble {
    since: Timestamp,
    reason: String,
}

/// Why nothing is taken, and whether that may end by itself.
#[derive(Clone)]
struct Stop {
    trouble: Trouble,
    kind: StopKind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum StopKind {
    /// The disk refused; it may recover.
    Disk,
    /// Nobody knows what is in memory.
    Fault,
    /// It was closed, which is no fault.
    Closed,
}

impl Condition {
    pub(crate) fn new(opened: Timestamp) -> Self {
        Self {
            opened,
            stopped: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Whether the store takes anything.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        if !self.stopped.load(Ordering::Acquire) {
            return Ok(());
        }
        match &self.state().stop {
            None => Ok(()),
            Some(stop) => Err(AppendError::Storage(stop.trouble.reason.clone())),
        }
    }

    /// The disk refused: nothing is taken until it recovers. True if it was taking samples before.
    pub(crate) fn read_only(&self, now: Timestamp, reason: String) -> bool {
        self.stop(now, reason, StopKind::Disk)
    }

    /// Something went wrong that only a restart mends.
    pub(crate) fn fail(&self, now: Timestamp, reason: String) {
        self.stop(now, reason, StopKind::Fault);
    }

    /// The store was closed.
    pub(crate) fn close(&self, now: Timestamp) {
        self.stop(now, "the store is closed".to_owned(), StopKind::Closed);
    }

    /// Whether the store was closed.
    pub(crate) fn is_closed(&self) -> bool {
        let state = self.state();
        let stop = state.stop.as_ref();
        stop.is_some_and(|stop| stop.kind == StopKind::Closed)
    }

    /// Whether the disk refused and has not recovered; since when.
    pub(crate) fn is_read_only(&self) -> Option<Timestamp> {
        let state = self.state();
        let stop = state.stop.as_ref()?;
        (stop.kind == StopKind::Disk).then_some(stop.trouble.since)
    }

    /// Why nothing is taken, unless the store was closed.
    pub(crate) fn failure(&self) -> Option<String> {
        let state = self.state();
        let stop = state.stop.as_ref()?;
        (stop.kind != StopKind::Closed).then(|| stop.trouble.reason.clone())
    }

    /// Whether the disk is to be tried again at `now` of the monotonic clock; then not again for a while, and each time
    /// for longer.
    pub(crate) fn is_retry_due(&self, now: Duration) -> bool {
        self.state().retry.is_due(now)
    }

    /// Whether samples are to be moved to disk at `now` of the monotonic clock: always, unless that failed a moment ago.
    pub(crate) fn is_flush_due(&self, now: Duration) -> bool {
        let mut state = self.state();
        state.blocked.is_none() || state.flush_retry.is_due(now)
    }

    /// The disk has recovered.
    pub(crate) fn recovered(&self) {
        let mut state = self.state();
        if state
            .stop
            .as_ref()
            .is_some_and(|stop| stop.kind == StopKind::Disk)
        {
            state.stop = None;
            state.retry = Retry::default();
            self.stopped.store(false, Ordering::Release);
        }
    }

    /// Samples cannot leave memory, or can again. True if that is news.
    pub(crate) fn set_blocked(&self, now: Timestamp, reason: Option<String>) -> bool {
        let mut state = self.state();
        if reason.is_none() {
            state.flush_retry = Retry::default();
        }
        set(&mut state.blocked, now, reason)
    }

    /// Why samples cannot leave memory.
    pub(crate) fn blocked(&self) -> Option<String> {
        let state = self.state();
        state.blocked.as_ref().map(|trouble| trouble.reason.clone())
    }

    /// The retention cannot be kept, or can again. True if that is news.
    pub(crate) fn set_retention(&self, now: Timestamp, reason: Option<String>) -> bool {
        set(&mut self.state().retention, now, reason)
    }

    /// Notes that blocks were dropped because the disk is too full; none if it no longer is.
    pub(crate) fn set_dropped(&self, dropped: Option<Dropped>) {
        self.state().dropped = dropped;
    }

    /// When blocks were dropped last because the disk is too full.
    pub(crate) fn dropped(&self) -> Option<Dropped> {
        self.state().dropped
    }

    /// Blocks cannot be merged, or can again. True if that is news.
    pub(crate) fn set_merging(&self, now: Timestamp, reason: Option<String>) -> bool {
        set(&mut self.state().merging, now, reason)
    }

    /// Rows were refused for want of memory; true if that is news.
    pub(crate) fn note_refusal(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        state.refused_last = Some(now);
        let news = state.refused_since.is_none();
        state.refused_since.get_or_insert(now);
        news
    }

    /// A broken file was set aside.
    pub(crate) fn note_set_aside(&self, now: Timestamp, what: String) {
        let mut state = self.state();
        state.set_aside += 1;
        state.set_aside_since.get_or_insert(now);
        state.set_aside_last = what;
    }

    /// Something of a block cannot be read; true if that is news.
    pub(crate) fn note_damaged(&self, number: u64, now: Timestamp, what: String) -> bool {
        let trouble = Trouble {
            since: now,
            reason: what,
        };
        let mut state = self.state();
        let news = !state.damaged.contains_key(&number);
        state.damaged.entry(number).or_insert(trouble);
        news
    }

    /// A block is no more, and what was the matter with it neither.
    pub(crate) fn forget_block(&self, number: u64) {
        self.state().damaged.remove(&number);
    }

    /// Whether something of a block could not be read.
    pub(crate) fn is_damaged(&self, number: u64) -> bool {
        self.state().damaged.contains_key(&number)
    }

    /// Something of a log could not be read.
    pub(crate) fn note_damaged_log(&self, number: u64) {
        self.state().damaged_logs.insert(number);
    }

    /// Whether something of a log could not be read.
    pub(crate) fn is_log_damaged(&self, number: u64) -> bool {
        self.state().damaged_logs.contains(&number)
    }

    /// The disk refused to read a log; what it holds may be there the next time.
    pub(crate) fn note_unread_log(&self, number: u64, now: Timestamp, what: String) {
        self.state().unread_logs.insert(number);
        self.note_set_aside(now, what);
    }

    /// Whether the disk refused to read a log.
    pub(crate) fn is_log_unread(&self, number: u64) -> bool {
        self.state().unread_logs.contains(&number)
    }

    /// The disk refused to read a block; it may be there the next time.
    pub(crate) fn note_unread_block(&self, number: u64, now: Timestamp, what: String) {
        self.state().unread_blocks = true;
        self.note_damaged(number, now, what);
    }

    /// Whether there are files that could not be read when the store was opened.
    #[cfg(test)]
    pub(crate) fn has_unread(&self) -> bool {
        let state = self.state();
        state.unread_blocks || !state.unread_logs.is_empty()
    }

    /// Whether the disk refused to read a block.
    pub(crate) fn has_unread_blocks(&self) -> bool {
        self.state().unread_blocks
    }

    /// A file that nobody needs could not be removed.
    pub(crate) fn note_doomed(&self, path: PathBuf, now: Timestamp) {
        self.state().doomed.entry(path).or_insert(now);
    }

    /// A file that nobody needs is gone.
    pub(crate) fn forget_doomed(&self, path: &Path) {
        self.state().doomed.remove(path);
    }

    /// The files that are to be removed.
    pub(crate) fn doomed(&self) -> Vec<PathBuf> {
        self.state().doomed.keys().cloned().collect()
    }

    /// A log whose samples are in blocks could not be removed for sure.
    pub(crate) fn note_doomed_log(&self, number: u64, now: Timestamp) {
        self.state().doomed_logs.entry(number).or_insert(now);
    }

    /// A log whose samples are in blocks is gone.
    pub(crate) fn forget_doomed_log(&self, number: u64) {
        self.state().doomed_logs.remove(&number);
    }

    /// The logs that are to be removed.
    pub(crate) fn doomed_logs(&self) -> Vec<u64> {
        self.state().doomed_logs.keys().copied().collect()
    }

    /// Whether there may be logs whose samples are in blocks, or that nobody has read.
    pub(crate) fn has_doomed_logs(&self) -> bool {
        let state = self.state();
        !state.doomed_logs.is_empty() || !state.unread_logs.is_empty()
    }

    pub(crate) fn has_doomed(&self) -> bool {
        !self.state().doomed.is_empty()
    }

    /// State, since when, and why: the worst of all.
    pub(crate) fn health(&self, now: Timestamp) -> (HealthState, Timestamp, String) {
        let mut state = self.state();
        if state
            .refused_last
            .is_some_and(|last| now >= last + REFUSAL_REMEMBERED)
        {
            state.refused_since = None;
            state.refused_last = None;
        }
        if let Some(stop) = &state.stop {
            let Trouble { since, reason } = stop.trouble.clone();
            return (HealthState::Unhealthy, since, reason);
        }
        if let Some(Trouble { since, reason }) = state.blocked.clone() {
            return (HealthState::Degraded, since, reason);
        }
        if let Some(since) = state.refused_since {
            let reason = "samples are refused, because there is no room for them in memory: raise limits.memory";
            return (HealthState::Degraded, since, reason.to_owned());
        }
        let maintenance = state.retention.as_ref().or(state.merging.as_ref());
        if let Some(Trouble { since, reason }) = maintenance.cloned() {
            return (HealthState::Degraded, since, reason);
        }
        if let Some((since, reason)) = state.undeletable().or_else(|| state.broken()) {
            return (HealthState::Degraded, since, reason);
        }
        (HealthState::Healthy, self.opened, String::new())
    }

    fn stop(&self, now: Timestamp, reason: String, kind: StopKind) -> bool {
        let mut state = self.state();
        // What came first stays, but a fault outweighs a full disk, and what is closed remains so.
        if state.stop.as_ref().is_some_and(|stop| stop.kind >= kind) {
            return false;
        }
        let trouble = Trouble { since: now, reason };
        state.stop = Some(Stop { trouble, kind });
        self.stopped.store(true, Ordering::Release);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(trouble: &mut Option<Trouble>, now: Timestamp, reason: Option<String>) -> bool {
    let news = trouble.is_some() != reason.is_some();
    *trouble = reason.map(|reason| Trouble {
        since: trouble.as_ref().map_or(now, |trouble| trouble.since),
        reason,
    });
    news
}
