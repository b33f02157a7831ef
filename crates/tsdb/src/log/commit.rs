//! Group commit: who waits first writes and syncs for all.
//!
//! 1. Writers publish encoded bytes, in the order of the log, and get a ticket. Nothing is written yet.
//! 2. Who waits for a ticket becomes the leader if there is none, takes all that is pending, appends and syncs it
//!    without holding a lock, and wakes the others. What is published meanwhile gathers for the next leader.
//! 3. A leader waits a moment for batches that are announced and on their way: a sync costs more than that moment, and
//!    one may do for all of them.
//! 4. After a failure every ticket that was not yet acknowledged fails, until the log goes on in a new file: what a
//!    failed sync left in memory and on disk cannot be known.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Announcements, Clock, Disk};

use super::failure::LogFailure;
use super::file::{LogFile, file_name};

/// Bytes that wait to be written before writers have to wait for room.
const PENDING_MAX: usize = 8 << 20;

/// Smaller pieces are joined to one append; larger ones are not copied.
const JOINED_MAX: usize = 256 << 10;

/// Buffers of written pieces that are kept for the next, and how large they may be.
const SPARE_BUFFERS: usize = 4;
const SPARE_BYTES_MAX: usize = 256 << 10;

/// How long a leader waits for announced batches. To decode one takes less, a sync of most disks more.
const GATHER_MAX: Duration = Duration::from_millis(1);

/// Failures whose tickets are remembered exactly.
const LOST_MAX: usize = 16;

/// When a ticket is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Acknowledge {
    /// After the sync: it survives the loss of power.
    #[default]
    Synced,
    /// After the write: it survives the death of the process. Someone calls [`Commits::sync`] soon.
    Written,
}

/// Stands for what was published up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// What the log has done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogStatistics {
    /// Files that are open for writing.
    pub(crate) files: usize,
    /// Bytes written.
    pub(crate) bytes: u64,
    /// Publications written.
    pub(crate) publications: u64,
    /// Rounds of group commit that went well.
    pub(crate) commits: u64,
    /// Syncs that went well, and how long they took in all and at most.
    pub(crate) syncs: u64,
    pub(crate) sync_time: Duration,
    pub(crate) sync_time_max: Duration,
    /// Rounds that failed.
    pub(crate) failures: u64,
    /// Threads that wait for a leader.
    pub(crate) waiting: usize,
    /// Bytes that are published and not yet written.
    pub(crate) pending_bytes: usize,
}

/// Writes the log's files.
pub(crate) struct Commits {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    acknowledge: Acknowledge,
    /// Held by whoever creates a file, or wants to know which are there: of two who want the same, one creates it.
    creating: Mutex<()>,
    state: Mutex<State>,
    /// A round has ended.
    changed: Condvar,
    /// Batches that are on their way.
    announcements: Announcements,
    /// One more waits for a round that has not begun to write.
    joined: Condvar,
    /// How long a leader waits for announced batches at most.
    pub(super) gather_max: Duration,
}

struct State {
    files: BTreeMap<u64, Arc<Mutex<LogFile>>>,
    /// Lower ones are never written again.
    first_file: u64,
    pending: VecDeque<Piece>,
    /// With those that the leader is writing.
    pending_bytes: usize,
    spare: Vec<Vec<u8>>,
    /// The last ticket.
    published: u64,
    /// Up to here tickets are acknowledged, but for lost ones.
    done: u64,
    /// Up to here they are synced.
    synced: u64,
    /// The file with bytes that are not synced.
    dirty: Option<u64>,
    /// Whether the next round is to sync whatever the policy.
    sync_wanted: bool,
    leading: bool,
    /// Whether the leader waits for others before it writes.
    gathering: bool,
    failure: Option<LogFailure>,
    lost: VecDeque<Lost>,
    statistics: LogStatistics,
}

struct Piece {
    number: u64,
    bytes: Vec<u8>,
    publications: u64,
}

/// Tickets that a failure took.
struct Lost {
    /// Above this one.
    from: u64,
    /// Up to this one.
    to: u64,
    failure: LogFailure,
}

impl Commits {
    /// Without files.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        clock: Arc<dyn Clock>,
        acknowledge: Acknowledge,
    ) -> Self {
        Self {
            disk,
            directory,
            clock,
            acknowledge,
            creating: Mutex::default(),
            state: Mutex::new(State {
                files: BTreeMap::new(),
                first_file: 0,
                pending: VecDeque::new(),
                pending_bytes: 0,
                spare: Vec::new(),
                published: 0,
                done: 0,
                synced: 0,
                dirty: None,
                sync_wanted: false,
                leading: false,
                gathering: false,
                failure: None,
                lost: VecDeque::new(),
                statistics: LogStatistics::default(),
            }),
            changed: Condvar::new(),
            announcements: Announcements::default(),
            joined: Condvar::new(),
            gather_max: GATHER_MAX,
        }
    }

    /// Counts batches that are on their way; who announced one says that it arrived once it is published.
    pub(crate) const fn announcements(&self) -> &Announcements {
        &self.announcements
    }

    /// Creates the file `number`, so that the first bytes for it find it ready. Without that they create it themselves.
    ///
    /// Errors: the disk refused, or there is such a file on it; the log goes on as before.
    pub(crate) fn prepare(&self, number: u64) -> Result<(), LogFailure> {
        self.open_file(number).map(|_| ())
    }

    /// The first number from `number` on under which a log can be written: it is ready, or there is no file of that name.
    /// A file that could be neither finished nor removed is not in the way.
    pub(crate) fn first_free(&self, mut number: u64) -> u64 {
        let _creating = self.creating();
        while !self.has(number) {
            let path = self.directory.join(file_name(number));
            if self.disk.length(&path).is_err() {
                break;
            }
            number += 1;
        }
        number
    }

    /// Whether the file `number` was created by this process and is written, or made ready.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.state().files.contains_key(&number)
    }

    /// Takes the next bytes of the log, for the end of the file `number`, and leaves an empty buffer. Called in the order
    /// of the log; file numbers never fall. No I/O, no waiting for any.
    pub(crate) fn publish(&self, number: u64, bytes: &mut Vec<u8>) -> Ticket {
        let mut state = self.state();
        if bytes.is_empty() {
            // What was published last may be among the lost ones; with nothing under way nobody needs to wait.
            return match state.failure.is_none() && state.done == state.published {
                true => Ticket(0),
                false => Ticket(state.published),
            };
        }
        state.published += 1;
        let ticket = Ticket(state.published);
        if state.failure.is_some() || number < state.first_file {
            // It is among the lost ones; if the log goes on elsewhere by now, this one is lost by itself.
            if state.failure.is_none() {
                let failure = self.outdated(number);
                state.lose(ticket.0 - 1, ticket.0, failure);
            }
            bytes.clear();
            return ticket;
        }
        state.pending_bytes += bytes.len();
        match state.pending.back_mut() {
            Some(last) if last.number == number && last.bytes.len() + bytes.len() <= JOINED_MAX => {
                last.bytes.append(bytes);
                last.publications += 1;
            }
            _ => {
                let empty = state.spare.pop().unwrap_or_default();
                state.pending.push_back(Piece {
                    number,
                    bytes: std::mem::replace(bytes, empty),
                    publications: 1,
                });
            }
        }
        ticket
    }

    /// Waits until what was published up to the ticket is written, and synced if that is the policy.
    ///
    /// Errors: it is not known to be on disk, and never will be.
    pub(crate) fn wait(&self, ticket: Ticket) -> Result<(), LogFailure> {
        let mut state = self.state();
        loop {
            if let Some(outcome) = state.outcome(ticket) {
                return outcome;
            }
            state = self.next_round(state);
        }
    }

    /// Waits until there is room for more bytes; called before the writer's lock is taken.
    ///
    /// Errors: the log cannot be written.
    pub(crate) fn wait_for_room(&self) -> Result<(), LogFailure> {
        let mut state = self.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if state.pending_bytes < PENDING_MAX {
                return Ok(());
            }
            state = self.next_round(state);
        }
    }

    /// Whether something is written or published that is not synced.
    pub(crate) fn sync_due(&self) -> bool {
        let state = self.state();
        state.failure.is_none() && (state.dirty.is_some() || !state.pending.is_empty())
    }

    /// Writes and syncs all that was published before.
    ///
    /// Errors: the log cannot be written.
    pub(crate) fn sync(&self) -> Result<(), LogFailure> {
        let mut state = self.state();
        let target = state.published;
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if state.synced >= target {
                return Ok(());
            }
            state.sync_wanted = true;
            state = self.next_round(state);
        }
    }

    /// Goes on after a failure, in the file `first`, which must be a new one. Tickets that the failure took stay lost, and
    /// no earlier file is written again. Without a failure it does the same to what is pending.
    pub(crate) fn reset(&self, first: u64) {
        let mut state = self.state();
        while state.leading {
            state = self.await_round(state);
        }
        let failure = state.failure.take();
        let (done, published) = (state.done, state.published);
        if done < published {
            let failure = failure.unwrap_or_else(|| self.outdated(first));
            state.lose(done, published, failure);
        }
        state.done = published;
        state.synced = published;
        state.sync_wanted = false;
        state.drop_pending();
        state.dirty = None;
        state.first_file = state.first_file.max(first);
        state.files.retain(|number, _| *number >= first);
        drop(state);
        self.changed.notify_all();
    }

    /// Removes a file; bytes for it are no longer published. One that is gone is no error.
    pub(crate) fn remove(&self, number: u64) -> io::Result<()> {
        let mut state = self.state();
        state.files.remove(&number);
        if state.dirty == Some(number) {
            state.dirty = None;
        }
        drop(state);
        match self.disk.remove(&self.directory.join(file_name(number))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Writes and syncs what is pending, and gives back what files have of room taken ahead.
    ///
    /// Errors: the log could not be written, or not be trimmed.
    pub(crate) fn close(&self) -> Result<(), LogFailure> {
        self.sync()?;
        let files: Vec<_> = std::mem::take(&mut self.state().files)
            .into_values()
            .collect();
        for file in files {
            lock_file(&file).trim(&*self.disk)?;
        }
        Ok(())
    }

    /// Whether a leader waits for announced batches.
    #[cfg(test)]
    pub(super) fn is_gathering(&self) -> bool {
        self.state().gathering
    }

    /// What was done so far.
    pub(crate) fn statistics(&self) -> LogStatistics {
        let state = self.state();
        LogStatistics {
            files: state.files.len(),
            pending_bytes: state.pending_bytes,
            ..state.statistics
        }
    }

    /// Leads a round if nobody does, or else waits until one ends.
    fn next_round<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.leading {
            self.await_round(state)
        } else {
            self.lead(state)
        }
    }

    fn await_round<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.statistics.waiting += 1;
        if state.gathering {
            self.joined.notify_one();
        }
        let woken = self.changed.wait(state);
        let mut state = woken.expect("invariant: no one panics while holding the state");
        state.statistics.waiting -= 1;
        state
    }

    fn lead<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.leading = true;
        state = self.gather(state);
        let wanted = std::mem::take(&mut state.sync_wanted);
        let target = state.published;
        let pieces = std::mem::take(&mut state.pending);
        let mut round = Round {
            commits: self,
            dirty: state.dirty,
            statistics: state.statistics,
        };
        drop(state);
        let mut leading = Leading {
            commits: self,
            has_ended: false,
        };
        let outcome = round.carry_out(&pieces, wanted || self.acknowledge == Acknowledge::Synced);
        leading.has_ended = true;
        let (dirty, done) = (round.dirty, round.statistics);
        let mut state = self.state();
        state.leading = false;
        let waiting = state.statistics.waiting;
        state.statistics = LogStatistics { waiting, ..done };
        match outcome {
            Ok(()) => {
                state.statistics.commits += 1;
                state.done = target;
                state.dirty = dirty;
                if dirty.is_none() {
                    state.synced = target;
                }
                for piece in pieces {
                    state.recycle(piece.bytes);
                }
            }
            Err(failure) => {
                state.statistics.failures += 1;
                state.failure = Some(failure);
                state.drop_pending();
            }
        }
        self.changed.notify_all();
        state
    }

    /// Waits for announced batches, for a moment.
    fn gather<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if self.announcements.count() == 0 {
            return state;
        }
        state.gathering = true;
        let are_coming = |_: &mut State| self.announcements.count() > 0;
        let gathered = self
            .joined
            .wait_timeout_while(state, self.gather_max, are_coming);
        let (mut state, _) = gathered.expect("invariant: no one panics while holding the state");
        state.gathering = false;
        state
    }

    fn open_file(&self, number: u64) -> Result<Arc<Mutex<LogFile>>, LogFailure> {
        if let Some(file) = self.file(number) {
            return Ok(file);
        }
        let _creating = self.creating();
        // Someone else may have created it meanwhile.
        if let Some(file) = self.file(number) {
            return Ok(file);
        }
        let file = LogFile::create(&*self.disk, &self.directory, number)?;
        let file = Arc::new(Mutex::new(file));
        self.state().files.insert(number, Arc::clone(&file));
        Ok(file)
    }

    fn file(&self, number: u64) -> Option<Arc<Mutex<LogFile>>> {
        self.state().files.get(&number).cloned()
    }

    fn outdated(&self, number: u64) -> LogFailure {
        let path = self.directory.join(file_name(number));
        let gone = io::Error::other("the log goes on in a later file");
        LogFailure::new("write to", &path, &gone)
    }

    fn creating(&self) -> MutexGuard<'_, ()> {
        // It guards nothing that a panic of the disk could leave half done.
        self.creating.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("invariant: no one panics while holding the state")
    }
}

impl State {
    /// Whether a ticket is acknowledged or lost, if that is known.
    fn outcome(&self, ticket: Ticket) -> Option<Result<(), LogFailure>> {
        for (index, lost) in self.lost.iter().enumerate() {
            // Of what was before the first failure that is still known, nobody knows.
            let from = if index == 0 && self.lost.len() == LOST_MAX {
                0
            } else {
                lost.from
            };
            if from < ticket.0 && ticket.0 <= lost.to {
                return Some(Err(lost.failure.clone()));
            }
        }
        if ticket.0 <= self.done {
            return Some(Ok(()));
        }
        self.failure.clone().map(Err)
    }

    fn lose(&mut self, from: u64, to: u64, failure: LogFailure) {
        if self.lost.len() == LOST_MAX {
            self.lost.pop_front();
        }
        self.lost.push_back(Lost { from, to, failure });
    }

    fn drop_pending(&mut self) {
        self.pending.clear();
        self.pending_bytes = 0;
    }

    fn recycle(&mut self, mut bytes: Vec<u8>) {
        self.pending_bytes -= bytes.len();
        self.statistics.bytes += bytes.len() as u64;
        if self.spare.len() < SPARE_BUFFERS && bytes.capacity() <= SPARE_BYTES_MAX {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

/// What a leader does, without a lock.
struct Round<'a> {
    commits: &'a Commits,
    dirty: Option<u64>,
    statistics: LogStatistics,
}

impl Round<'_> {
    fn carry_out(&mut self, pieces: &VecDeque<Piece>, sync: bool) -> Result<(), LogFailure> {
        for piece in pieces {
            // What is in a later file counts only if the earlier one is whole.
            if self.dirty.is_some_and(|dirty| dirty != piece.number) {
                self.sync()?;
            }
            let file = self.commits.open_file(piece.number)?;
            self.dirty = Some(piece.number);
            lock_file(&file).append(&piece.bytes)?;
            self.statistics.publications += piece.publications;
        }
        if sync { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), LogFailure> {
        let Some(number) = self.dirty else {
            return Ok(());
        };
        let file = self.commits.file(number);
        // Its name may have been removed meanwhile.
        if let Some(file) = file {
            let start = self.commits.clock.monotonic();
            lock_file(&file).sync()?;
            let took = self.commits.clock.monotonic().saturating_sub(start);
            self.statistics.syncs += 1;
            self.statistics.sync_time += took;
            self.statistics.sync_time_max = self.statistics.sync_time_max.max(took);
        }
        self.dirty = None;
        Ok(())
    }
}

/// Ends a round in which a disk or a clock panicked: nobody waits for ever, and what became of the bytes is not known.
struct Leading<'a> {
    commits: &'a Commits,
    has_ended: bool,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let panicked = io::Error::other("a panic interrupted it");
        let failure = LogFailure::new("write to", &self.commits.directory, &panicked);
        let mut state = self.commits.state();
        state.leading = false;
        state.statistics.failures += 1;
        state.failure = Some(failure);
        state.drop_pending();
        drop(state);
        self.commits.changed.notify_all();
    }
}

/// Only the leader uses a file, and who closes the log. A file in which a panic interrupted the leader is not used again:
/// the log has failed.
fn lock_file(file: &Mutex<LogFile>) -> MutexGuard<'_, LogFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}
