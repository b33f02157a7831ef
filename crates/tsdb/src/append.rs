//! Takes batches in: decide about each row, log what is accepted in one write, then show it.
//!
//! 1. Each row's series is found or created, and the row accepted or refused by what its series has so far.
//! 2. The accepted rows go to the log. Only what is logged is shown, and only what is shown may make a repetition of
//!    it "known": so an acknowledged row is always in the log.
//! 3. The samples go into their series, each under the series' own lock. Readers wait for none of this.

use std::collections::HashMap;
use std::time::Duration;

use model::{AppendError, Appended, RejectReason, Rejected, Row, SampleBatch, Timestamp};

use crate::chunk::GROWTH;
use crate::series::Memory;
use crate::shared::Shared;
use crate::table::{NEVER, SeriesTable, validate};
use crate::wal::payload::LoggedSample;
use crate::wal::writer::LogWriter;

/// The most rows of one batch.
const ROWS_MAX: usize = 1_000_000;

/// How far ahead of the clock a sample may be. Clocks that nobody sets differ by minutes, a forgotten time zone by hours;
/// what lies far ahead would keep its segment of the log until then.
const FUTURE_MAX: Duration = Duration::from_secs(3600);

/// What a sample adds to the memory at most: each may be the one for which its tail grows.
const SAMPLE_MEMORY_MAX: usize = GROWTH;

/// Everything that only the one who writes may touch.
pub(crate) struct Writer {
    pub(crate) table: SeriesTable,
    pub(crate) log: LogWriter,
    /// What the samples of all series take.
    pub(crate) samples_memory: Memory,
    /// Before this time no attempt is made to free memory.
    pub(crate) trim_again: Timestamp,
    /// Oldest and newest timestamp of all samples; the oldest may be gone already.
    pub(crate) range: Option<(i64, i64)>,
    batch: Batch,
}

/// The accepted rows of the batch that is being taken in; the memory is used again.
#[derive(Default)]
struct Batch {
    ids: Vec<u32>,
    samples: Vec<LoggedSample>,
    created: Vec<u32>,
    /// The values of the first rows by series and timestamp, filled only when an old row asks for it.
    by_place: HashMap<(u32, i64), u64, foldhash::fast::RandomState>,
    rows_by_place: usize,
}

/// What a row may have at most.
struct Bounds {
    oldest: i64,
    newest: Timestamp,
    window: Duration,
    series_max: usize,
    series_memory_max: usize,
    samples_memory_max: usize,
    memory_max: u64,
}

impl Writer {
    pub(crate) fn new(log: LogWriter) -> Self {
        Self {
            table: SeriesTable::default(),
            log,
            samples_memory: Memory::default(),
            trim_again: Timestamp::MIN,
            range: None,
            batch: Batch::default(),
        }
    }

    /// Bytes of memory that series and samples take.
    pub(crate) fn memory(&self) -> usize {
        self.table.memory() + self.samples_memory.sealed + self.samples_memory.tails
    }

    /// The memory once the batch so far has been shown, at most.
    fn expected_memory(&self) -> usize {
        self.memory() + self.batch.expected_memory()
    }

    /// Adds a sample that is not there yet to its series.
    pub(crate) fn place(&mut self, id: u32, timestamp: i64, bits: u64) {
        let slot = self.table.slot(id);
        let mut samples = slot.series.samples();
        let before = samples.memory();
        samples.insert(timestamp, bits);
        let after = samples.memory();
        self.samples_memory.sealed += after.sealed;
        self.samples_memory.sealed -= before.sealed;
        self.samples_memory.tails += after.tails;
        self.samples_memory.tails -= before.tails;
        let (oldest, newest) = self.range.unwrap_or((timestamp, timestamp));
        self.range = Some((oldest.min(timestamp), newest.max(timestamp)));
    }

    /// Decides about a row; if it is accepted and new, it joins the batch.
    fn admit(
        &mut self,
        batch: &SampleBatch<'_>,
        row: &Row<'_>,
        previous: Option<(&[u8], u32)>,
        bounds: &Bounds,
    ) -> Result<u32, RejectReason> {
        let timestamp = row.timestamp.as_millis();
        if timestamp < bounds.oldest {
            let oldest = Timestamp::from_millis(bounds.oldest);
            return Err(RejectReason::BeyondRetention {
                timestamp: row.timestamp,
                oldest,
            });
        }
        if row.timestamp > bounds.newest {
            return Err(RejectReason::InFuture {
                timestamp: row.timestamp,
                limit: bounds.newest,
            });
        }
        let id = match previous {
            Some((key, id)) if key == row.key => id,
            _ => match self.table.known(&batch.encoding, row.key) {
                Some(id) => id,
                None => self.learn(batch, row.key, bounds)?,
            },
        };
        let bits = row.value.to_bits();
        let slot = self.table.slot(id);
        if timestamp <= slot.newest {
            let newest = Timestamp::from_millis(slot.newest);
            let present = if timestamp == slot.newest {
                Some(slot.bits)
            } else if row.timestamp + bounds.window < newest {
                return Err(RejectReason::OutOfOrder {
                    timestamp: row.timestamp,
                    newest,
                });
            } else {
                let stored = slot.series.samples().value_at(timestamp);
                stored.or_else(|| self.batch.value_at(id, timestamp))
            };
            match present {
                Some(present) if present == bits => return Ok(id),
                Some(_) => {
                    return Err(RejectReason::Duplicate {
                        timestamp: row.timestamp,
                    });
                }
                None => {}
            }
        }
        // For a series that has just been created there is room.
        let is_new = self.table.slot(id).newest == NEVER;
        if !is_new && self.expected_memory() + SAMPLE_MEMORY_MAX > bounds.samples_memory_max {
            return Err(RejectReason::MemoryLimit {
                limit: bounds.memory_max,
            });
        }
        let slot = self.table.slot(id);
        if timestamp > slot.newest {
            slot.newest = timestamp;
            slot.bits = bits;
        }
        if slot.segment != self.log.number() {
            slot.segment = self.log.number();
            slot.reference = self.log.define(&slot.series.labels);
        }
        self.batch.ids.push(id);
        self.batch.samples.push(LoggedSample {
            reference: slot.reference,
            timestamp,
            bits,
        });
        Ok(id)
    }

    /// Decodes a key that was not seen before; creates its series if there is none.
    fn learn(
        &mut self,
        batch: &SampleBatch<'_>,
        key: &[u8],
        bounds: &Bounds,
    ) -> Result<u32, RejectReason> {
        let labels = (batch.encoding.decode)(key)?;
        let known = self.table.find(labels.as_packed().as_bytes());
        let id = match known {
            Some(id) => id,
            None => {
                validate(&labels)?;
                if self.table.len() >= bounds.series_max {
                    return Err(RejectReason::SeriesLimit {
                        limit: bounds.series_max,
                    });
                }
                let tails = self.samples_memory.tails + self.batch.expected_memory();
                if self.table.memory() + tails > bounds.series_memory_max
                    || self.expected_memory() + SAMPLE_MEMORY_MAX > bounds.samples_memory_max
                {
                    return Err(RejectReason::MemoryLimit {
                        limit: bounds.memory_max,
                    });
                }
                let id = self.table.create(labels);
                self.batch.created.push(id);
                id
            }
        };
        self.table.remember(&batch.encoding, key, id);
        Ok(id)
    }
}

impl Batch {
    /// What its samples take, at most.
    fn expected_memory(&self) -> usize {
        self.samples.len() * SAMPLE_MEMORY_MAX
    }

    /// The value of an accepted row.
    fn value_at(&mut self, id: u32, timestamp: i64) -> Option<u64> {
        for (id, sample) in self.ids.iter().zip(&self.samples).skip(self.rows_by_place) {
            self.by_place.insert((*id, sample.timestamp), sample.bits);
        }
        self.rows_by_place = self.ids.len();
        self.by_place.get(&(id, timestamp)).copied()
    }

    fn clear(&mut self) {
        self.ids.clear();
        self.samples.clear();
        self.created.clear();
        self.by_place.clear();
        self.rows_by_place = 0;
    }
}

impl Shared {
    /// Takes a batch in; see [`model::SampleSink::append`].
    pub(crate) fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        let mut appended = Appended::default();
        let rows = batch.rows.len();
        if rows > ROWS_MAX {
            let reason = format!("batch of {rows} samples: at most {ROWS_MAX} are taken at once");
            return Err(AppendError::TooLarge(reason));
        }
        if rows == 0 {
            return Ok(appended);
        }
        let mut writer = self.writer()?;
        self.begin(&mut writer)?;
        self.make_room(&mut writer, rows.saturating_mul(SAMPLE_MEMORY_MAX));
        let bounds = self.bounds();
        let mut previous: Option<(&[u8], u32)> = None;
        for (index, row) in batch.rows.iter().enumerate() {
            match writer.admit(batch, row, previous, &bounds) {
                Ok(id) => {
                    appended.accepted += 1;
                    previous = Some((row.key, id));
                }
                Err(reason) => appended.rejected.push(Rejected { row: index, reason }),
            }
        }
        let Writer { log, batch, .. } = &mut *writer;
        if !batch.samples.is_empty() {
            log.samples(&batch.samples);
        }
        self.commit(&mut writer)?;
        self.show(&mut writer);
        self.counters.count(&appended);
        if refused_for_memory(&appended) {
            self.note_refusal();
        }
        self.counters.observe(&writer);
        Ok(appended)
    }

    /// Makes the log ready; a new segment begins with the metadata.
    pub(crate) fn begin(&self, writer: &mut Writer) -> Result<(), AppendError> {
        self.check()?;
        let new = writer
            .log
            .begin(self.clock.now())
            .map_err(|error| self.fail("write", &error))?;
        if new {
            writer.log.metadata(self.descriptions().by_name());
        }
        Ok(())
    }

    /// Writes what was gathered for the log.
    pub(crate) fn commit(&self, writer: &mut Writer) -> Result<(), AppendError> {
        let was_clean = writer
            .log
            .commit()
            .map_err(|error| self.fail("write", &error))?;
        if was_clean {
            self.signal.wake();
        }
        Ok(())
    }

    /// Puts the batch where readers find it.
    fn show(&self, writer: &mut Writer) {
        let mut batch = std::mem::take(&mut writer.batch);
        if !batch.created.is_empty() {
            let mut index = self.index_mut();
            for id in &batch.created {
                index.insert(*id, writer.table.slot(*id).series.clone());
            }
        }
        for (id, sample) in batch.ids.iter().zip(&batch.samples) {
            writer.place(*id, sample.timestamp, sample.bits);
        }
        batch.clear();
        writer.batch = batch;
    }

    fn bounds(&self) -> Bounds {
        let config = &self.config;
        let now = self.clock.now();
        let memory_max = memory_limit(config.memory_max);
        Bounds {
            oldest: self.oldest(now).max(NEVER + 1),
            newest: now + FUTURE_MAX,
            window: config.out_of_order_window,
            series_max: match config.active_series {
                0 => usize::MAX,
                limit => limit,
            },
            // The rest is for samples; without it series would be all there is.
            series_memory_max: memory_max / 4 * 3,
            samples_memory_max: memory_max,
            memory_max: config.memory_max,
        }
    }
}

fn refused_for_memory(appended: &Appended) -> bool {
    let refused = |rejected: &Rejected| matches!(rejected.reason, RejectReason::MemoryLimit { .. });
    appended.rejected.iter().any(refused)
}

/// The limit, whose 0 stands for none.
pub(crate) fn memory_limit(memory_max: u64) -> usize {
    match memory_max {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    }
}
