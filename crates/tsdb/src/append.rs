//! Takes batches in.
//!
//! 1. The series of all rows are found by their keys; those that are new are created, or refused.
//! 2. Each row is accepted or refused by what its series has so far. What is accepted goes into the memtable and, encoded,
//!    to the log at once, both in memory, so that a row is touched once.
//! 3. The encoded bytes are published to the log and the writer's lock is given back. Only then the batch waits until
//!    the log is on disk, together with whoever else waits.
//!
//! Readers may see a sample before it is durable. If the log fails, nothing is taken until all that is in memory stands
//! in blocks: so whatever was seen is kept, and a repetition that is "known" is on disk too.

mod ahead;
mod extras;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{
    AppendError, Appended, KeyEncoding, RejectReason, Rejected, Row, RowKind, SampleBatch,
    Timestamp,
};
use roaring::RoaringBitmap;

use self::ahead::Ahead;
use crate::log::{LogEncoder, Ticket};
use crate::memtable::{Memtable, local};
use crate::registry::{Identity, SeriesIndex, UNKNOWN};
use crate::shared::{NEVER, Shared};

/// The most rows of one batch.
const ROWS_MAX: usize = 1_000_000;

/// How far ahead of the clock a sample may be. Clocks that nobody sets differ by minutes, a forgotten time zone by hours;
/// what lies far ahead would keep its block until then.
const FUTURE_MAX: Duration = Duration::from_secs(3600);

/// Series of which the writer's state lies in one piece: what grows by pieces is never copied.
const PIECE: usize = 1 << 12;

/// How long a series that nothing is written to stays in memory. Jobs that run hourly find theirs again.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// A sample that came late is logged as an attachment of this kind; its bytes are those of the value. Late ones are few.
pub(crate) const LATE: u8 = 0;

/// Everything that only the one who writes may touch.
pub(crate) struct Writer {
    index: Arc<SeriesIndex>,
    identity: Identity,
    states: States,
    encoder: LogEncoder,
    pub(crate) active: Arc<Memtable>,
    /// The first epoch of each of the last logs, with the monotonic time of its beginning, the oldest first.
    begun: Vec<(u32, Duration)>,
    /// The series whose newest sample may not have the value that their state names: it is a histogram, or was deleted.
    unsure: RoaringBitmap,
    /// The series of the rows of the batch that is being taken in; the memory is used again.
    ids: Vec<u32>,
    /// The newest timestamp of series before the numbers of a batch were placed that has histograms too: which of both
    /// come first in a request says nothing about which is late.
    before: HashMap<u32, i64>,
}

/// What decides about the next sample of a series.
#[derive(Clone, Copy)]
struct SeriesState {
    /// The newest timestamp, [`NEVER`] without samples, and the value there.
    newest: i64,
    bits: u64,
    /// What was logged last for the series in `epoch`.
    logged: u64,
    epoch: u32,
    /// The series' number in the log that has the epoch.
    reference: u32,
}

const UNWRITTEN: SeriesState = SeriesState {
    newest: NEVER,
    bits: 0,
    logged: 0,
    epoch: 0,
    reference: 0,
};

/// The state of each series by its number.
#[derive(Default)]
struct States(Vec<Box<[SeriesState]>>);

impl States {
    fn get(&self, id: u32) -> SeriesState {
        let piece = self.0.get(id as usize / PIECE);
        piece.map_or(UNWRITTEN, |piece| piece[id as usize % PIECE])
    }

    #[inline]
    fn of(&mut self, id: u32) -> &mut SeriesState {
        let number = id as usize / PIECE;
        if self.0.len() <= number {
            self.grow(number + 1);
        }
        &mut self.0[number][id as usize % PIECE]
    }

    /// Apart, since whoever has a piece on its stack touches each page of it in each call.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, pieces: usize) {
        let piece = || vec![UNWRITTEN; PIECE].into_boxed_slice();
        self.0.resize_with(pieces, piece);
    }
}

/// What a row may have at most.
struct Bounds {
    oldest: i64,
    newest: i64,
    window: Duration,
    /// Whether there is memory for samples …
    has_room: bool,
    /// … and for so many new series.
    series_left: Cell<usize>,
    memory_max: u64,
    now: Timestamp,
    /// What blocks said about new series of the batch.
    ahead: Ahead,
}

impl Bounds {
    fn check(&self, timestamp: i64) -> Result<(), RejectReason> {
        if timestamp < self.oldest {
            return Err(RejectReason::BeyondRetention {
                timestamp: Timestamp::from_millis(timestamp),
                oldest: Timestamp::from_millis(self.oldest),
            });
        }
        if timestamp > self.newest {
            return Err(RejectReason::InFuture {
                timestamp: Timestamp::from_millis(timestamp),
                limit: Timestamp::from_millis(self.newest),
            });
        }
        if !self.has_room {
            return Err(RejectReason::MemoryLimit {
                limit: self.memory_max,
            });
        }
        Ok(())
    }

    /// A sample as old as this comes too late.
    fn check_age(&self, timestamp: i64, newest: i64) -> Result<(), RejectReason> {
        let (timestamp, newest) = (
            Timestamp::from_millis(timestamp),
            Timestamp::from_millis(newest),
        );
        if timestamp + self.window < newest {
            return Err(RejectReason::OutOfOrder { timestamp, newest });
        }
        Ok(())
    }
}

/// What became of a row whose series is known.
enum Placed {
    /// It was added.
    New,
    /// It was there before.
    Known,
}

impl Writer {
    pub(crate) fn new(index: Arc<SeriesIndex>, active: Arc<Memtable>) -> Self {
        Self {
            index,
            identity: Identity::default(),
            states: States::default(),
            encoder: LogEncoder::new(active.generation),
            active,
            begun: Vec::new(),
            unsure: RoaringBitmap::new(),
            ids: Vec::new(),
            before: HashMap::new(),
        }
    }

    /// Goes on in another memtable and its log.
    pub(crate) fn rotate(&mut self, memtable: Arc<Memtable>) {
        self.encoder.rotate(memtable.generation);
        // One log that began before suffices to know who was idle since.
        let is_long_ago = |(_, begun): &(u32, Duration)| *begun + IDLE <= memtable.begun;
        while self.begun.get(1).is_some_and(is_long_ago) {
            self.begun.remove(0);
        }
        self.begun.push((self.encoder.epoch(), memtable.begun));
        self.active = memtable;
    }

    /// The log's records that are not published yet.
    pub(crate) fn encoder(&mut self) -> &mut LogEncoder {
        &mut self.encoder
    }

    /// Bytes of memory that the writer takes, but for the registry and the memtables.
    pub(crate) fn memory(&self) -> usize {
        self.identity.memory()
            + self.states.0.len() * PIECE * size_of::<SeriesState>()
            + self.encoder.memory()
    }

    /// The epoch that tells which series are idle at `now` of the monotonic clock: those that were last written before
    /// it; none if no log is so old.
    pub(crate) fn idle_epoch(&self, now: Duration) -> Option<u32> {
        let mut begun = self.begun.iter().rev();
        let before = begun.find(|(_, begun)| *begun + IDLE <= now);
        before.map(|(epoch, _)| *epoch)
    }

    /// Keeps of some series those to which nothing was written since an epoch began.
    pub(crate) fn retain_idle(&self, ids: &mut Vec<u32>, epoch: u32) {
        ids.retain(|id| self.states.get(*id).epoch < epoch);
    }

    /// Gives back memory of evicted series, part by part; the part after `part`, if there is another one.
    pub(crate) fn sweep(&mut self, part: usize) -> Option<usize> {
        self.identity.sweep(&self.index, part)
    }

    /// Forgets series; their numbers may be given to others.
    pub(crate) fn evict(&mut self, ids: &[u32]) {
        self.identity.evict(&self.index, ids);
        for id in ids {
            *self.states.of(*id) = UNWRITTEN;
            self.unsure.remove(*id);
        }
    }

    /// Notes what a series has, when a log is read back.
    pub(crate) fn restore(&mut self, id: u32, timestamp: i64, bits: u64) -> bool {
        let state = self.states.of(id);
        let is_newer = timestamp > state.newest;
        if is_newer {
            state.newest = timestamp;
            state.bits = bits;
        }
        is_newer
    }

    /// Notes that a series has a histogram, when a log is read back.
    pub(crate) fn restore_histogram(&mut self, id: u32, timestamp: i64) {
        self.unsure.insert(id);
        let state = self.states.of(id);
        state.newest = state.newest.max(timestamp);
    }

    /// Some of what the series have was deleted, perhaps their newest samples: these may be written again.
    pub(crate) fn doubt(&mut self, ids: &RoaringBitmap) {
        self.unsure |= ids;
    }

    /// What the series have from `start` to `end`, and nothing of it in memory, was deleted: a newest sample among that
    /// makes no other late any more. What is left of the series is older than `start`.
    pub(crate) fn forget(&mut self, ids: impl Iterator<Item = u32>, start: i64, end: i64) {
        for id in ids {
            let newest = self.states.get(id).newest;
            if newest != NEVER && (start..=end).contains(&newest) {
                self.states.of(id).newest = start.checked_sub(1).unwrap_or(NEVER);
            }
        }
    }

    /// Finds the series of all rows; [`UNKNOWN`] for those that must be created.
    fn resolve(&mut self, encoding: &KeyEncoding, rows: &[Row<'_>]) {
        self.ids.clear();
        self.identity
            .resolve(&self.index, encoding, rows, &mut self.ids);
    }

    /// Creates the series that are new; [`UNKNOWN`] stays for the rows that are refused.
    fn create(
        &mut self,
        shared: &Shared,
        encoding: &KeyEncoding,
        rows: &[Row<'_>],
        bounds: &Bounds,
        appended: &mut Appended,
    ) {
        let mut ids = std::mem::take(&mut self.ids);
        if ids.contains(&UNKNOWN) {
            for (row, id) in ids.iter_mut().enumerate().filter(|(_, id)| **id == UNKNOWN) {
                let Row { key, timestamp, .. } = rows[row];
                match self.series(shared, encoding, key, timestamp.as_millis(), bounds) {
                    Ok(created) => *id = created,
                    Err(reason) => reject(appended, RowKind::Sample, row, reason),
                }
            }
        }
        self.ids = ids;
    }

    /// The series of a key, which is created if need be.
    fn series(
        &mut self,
        shared: &Shared,
        encoding: &KeyEncoding,
        key: &[u8],
        timestamp: i64,
        bounds: &Bounds,
    ) -> Result<u32, RejectReason> {
        // Before anything is created for it.
        bounds.check(timestamp)?;
        // The registry may have it though its key is not known: after a restart, in another encoding.
        let refusal = (bounds.series_left.get() == 0).then_some(RejectReason::MemoryLimit {
            limit: bounds.memory_max,
        });
        let created = self
            .identity
            .create(&self.index, encoding, key, bounds.now, refusal)?;
        if created.is_new {
            bounds.series_left.update(|left| left - 1);
            let newest = shared.newest_on_disk(created.id, timestamp, bounds);
            match newest {
                Some((newest, Some(bits))) => _ = self.restore(created.id, newest, bits),
                Some((newest, None)) => self.restore_histogram(created.id, newest),
                None => {}
            }
        }
        Ok(created.id)
    }

    /// Places the samples of a batch; if it is mixed, histograms follow.
    fn place_samples(
        &mut self,
        shared: &Shared,
        rows: &[Row<'_>],
        bounds: &Bounds,
        mixed: bool,
        appended: &mut Appended,
    ) {
        let ids = std::mem::take(&mut self.ids);
        self.before = HashMap::new();
        let mut noted = UNKNOWN;
        let active = Arc::clone(&self.active);
        let mut row = 0;
        while let Some(first) = ids.get(row) {
            if *first == UNKNOWN {
                row += 1;
                continue;
            }
            let mut shard = active.shard(*first);
            let mut run = UNKNOWN;
            while let Some(id) = ids.get(row)
                && *id != UNKNOWN
                && Memtable::same_shard(*first, *id)
            {
                let timestamp = rows[row].timestamp.as_millis();
                let bits = rows[row].value.to_bits();
                let state = self.states.of(*id);
                if mixed && noted != *id {
                    noted = *id;
                    self.before.entry(*id).or_insert(state.newest);
                }
                let placed = match bounds.check(timestamp) {
                    Err(reason) => Err(reason),
                    Ok(()) if timestamp > state.newest => {
                        enter_epoch(state, &mut self.encoder, &self.begun, &self.index, *id);
                        let reference = state.reference;
                        self.encoder
                            .sample(reference, timestamp, bits, state.logged);
                        state.newest = timestamp;
                        state.bits = bits;
                        state.logged = bits;
                        shard.append(local(*id), timestamp, bits, &mut run);
                        Ok(Placed::New)
                    }
                    Ok(()) => {
                        let known = || {
                            let here = shard.value_at(local(*id), timestamp);
                            here.or_else(|| shared.value_in_frozen(*id, timestamp))
                        };
                        let newest = match self.unsure.contains(*id) {
                            true => None,
                            false => Some(state.bits),
                        };
                        let late = late(state.newest, newest, timestamp, bits, bounds, known);
                        if let Ok(Placed::New) = late {
                            enter_epoch(state, &mut self.encoder, &self.begun, &self.index, *id);
                            let bytes = bits.to_le_bytes();
                            self.encoder
                                .attachment(state.reference, LATE, timestamp, &bytes)
                                .expect("invariant: eight bytes are not too many");
                            shard.insert_late(local(*id), timestamp, bits);
                        }
                        late
                    }
                };
                match placed {
                    Ok(_) => appended.accepted += 1,
                    Err(reason) => reject(appended, RowKind::Sample, row, reason),
                }
                row += 1;
            }
            active.settle(&mut shard);
        }
        self.ids = ids;
    }
}

/// Makes ready for a sample of a series: the first in an epoch refers to none before, and the first in a log defines the
/// series.
#[inline]
fn enter_epoch(
    state: &mut SeriesState,
    encoder: &mut LogEncoder,
    begun: &[(u32, Duration)],
    index: &SeriesIndex,
    id: u32,
) {
    if state.epoch != encoder.epoch() {
        begin_epoch(state, encoder, begun, index, id);
    }
}

#[cold]
fn begin_epoch(
    state: &mut SeriesState,
    encoder: &mut LogEncoder,
    begun: &[(u32, Duration)],
    index: &SeriesIndex,
    id: u32,
) {
    let first = begun.last().map_or(1, |(epoch, _)| *epoch);
    if state.epoch < first {
        let labels = index.labels(id);
        state.reference = encoder
            .define(labels.iter())
            .expect("invariant: labels of series are shorter than records");
    }
    state.epoch = encoder.epoch();
    state.logged = 0;
}

/// Decides about a sample that is not newer than all others of its series; `at_newest` is the value of the newest, if
/// that is one number.
fn late(
    newest: i64,
    at_newest: Option<u64>,
    timestamp: i64,
    bits: u64,
    bounds: &Bounds,
    known: impl FnOnce() -> Option<u64>,
) -> Result<Placed, RejectReason> {
    let known = match at_newest {
        Some(at_newest) if timestamp == newest => Some(at_newest),
        _ => {
            bounds.check_age(timestamp, newest)?;
            known()
        }
    };
    match known {
        None => Ok(Placed::New),
        Some(known) if known == bits => Ok(Placed::Known),
        Some(_) => Err(RejectReason::Duplicate {
            timestamp: Timestamp::from_millis(timestamp),
        }),
    }
}

fn reject(appended: &mut Appended, kind: RowKind, row: usize, reason: RejectReason) {
    appended.rejected.push(Rejected { kind, row, reason });
}

impl Shared {
    /// Takes a batch in; see [`model::SampleSink::append`].
    pub(crate) fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        let mut appended = Appended::default();
        let rows = batch.len();
        if rows > ROWS_MAX {
            let reason = format!("batch of {rows} samples: at most {ROWS_MAX} are taken at once");
            return Err(AppendError::TooLarge(reason));
        }
        if rows == 0 {
            return Ok(appended);
        }
        self.wait_for_room()?;
        let mut writer = self.writer()?;
        self.condition.check()?;
        let mut bounds = self.bounds(&writer);
        writer.resolve(&batch.encoding, &batch.rows);
        let new = writer.new_series(self, batch, &bounds);
        if !new.is_empty() {
            drop(writer);
            let ahead = self.ask_ahead(new, &bounds);
            writer = self.writer()?;
            self.condition.check()?;
            bounds = self.bounds(&writer);
            bounds.ahead = ahead;
            writer.resolve(&batch.encoding, &batch.rows);
        }
        writer.create(self, &batch.encoding, &batch.rows, &bounds, &mut appended);
        let mixed = !batch.histograms.is_empty();
        writer.place_samples(self, &batch.rows, &bounds, mixed, &mut appended);
        if rows > batch.rows.len() {
            writer.place_extras(self, batch, &bounds, &mut appended);
        }
        let ticket = self.publish(&mut writer);
        batch.announcement.arrive();
        drop(writer);
        self.commits
            .wait(ticket)
            .map_err(|failure| self.log_failed(&failure))?;
        appended
            .rejected
            .sort_by_key(|rejected| (rejected.kind, rejected.row));
        self.counters.count(&appended);
        if appended
            .rejected
            .iter()
            .any(|rejected| matches!(rejected.reason, RejectReason::MemoryLimit { .. }))
        {
            self.note_refusal();
        }
        Ok(appended)
    }

    /// Publishes what was encoded, and goes on in another memtable if this one is full.
    pub(crate) fn publish(&self, writer: &mut Writer) -> Ticket {
        let number = writer.encoder.number();
        let ticket = self.commits.publish(number, writer.encoder.finish());
        if writer.active.memory() >= self.memtable_limit()
            && let Err(error) = self.freeze(writer)
        {
            // What was published goes into the log that there is.
            self.disk_failed(error.to_string());
        }
        ticket
    }

    fn bounds(&self, writer: &Writer) -> Bounds {
        let config = self.config();
        let now = self.clock.now();
        self.note_writer_memory(writer.memory());
        let room = self.room();
        Bounds {
            // Nothing was measured before 1970; whoever says so has a broken clock.
            oldest: self.oldest(now).max(0),
            newest: (now + FUTURE_MAX).as_millis(),
            window: config.out_of_order_window,
            has_room: room.for_samples(),
            series_left: Cell::new(room.series_left()),
            memory_max: config.memory_max,
            now,
            ahead: Ahead::default(),
        }
    }

    /// The newest sample of a new series on disk, if a sample at `timestamp` would be too late behind it: most new
    /// series begin now, and then no block is asked.
    fn newest_on_disk(
        &self,
        id: u32,
        timestamp: i64,
        bounds: &Bounds,
    ) -> Option<(i64, Option<u64>)> {
        let view = self.view();
        let after = (Timestamp::from_millis(timestamp) + bounds.window).as_millis();
        if view.blocks.iter().all(|block| block.meta().last <= after) {
            return None;
        }
        let labels = self.series.labels(id);
        let answer = bounds.ahead.answer(self, &labels, timestamp);
        answer.unwrap_or_else(|| self.newest_in(&view, &labels, timestamp, bounds.window))
    }

    fn note_refusal(&self) {
        if self.condition.note_refusal(self.clock.now()) {
            let memory_max = self.config().memory_max;
            tracing::warn!(memory_max, "samples are refused for want of memory");
        }
    }
}

/// The limit, whose 0 stands for none.
pub(crate) fn memory_limit(memory_max: u64) -> usize {
    match memory_max {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    }
}
