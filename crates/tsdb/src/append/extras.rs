//! Takes in what is no number: histograms, exemplars, starts.

use model::{Appended, Exemplar, Histogram, RejectReason, RowKind, SampleBatch, Timestamp};

use super::{Bounds, Writer, enter_epoch, reject};
use crate::attachment;
use crate::memtable::{Extras, local};
use crate::shared::Shared;

/// What an entry takes in memory beside its content.
const ENTRY: usize = 64;

/// Bytes that a histogram or exemplar may take, encoded: so little that the largest run of them in a block, some of whose
/// encoding may be longer than what each takes alone, is far below what block and log take. Histograms of 160 buckets, which
/// are many, take some hundred bytes.
const BYTES_MAX: usize = 64 << 10;

/// Exemplars of one series in one memtable. Two hours of one every ten seconds are 720.
const EXEMPLARS_MAX: usize = 1024;

/// Exemplars of one series at one timestamp: each new one is compared with all.
const SIMULTANEOUS_MAX: usize = 64;

/// What a row is about, once its series is known.
struct Place {
    id: u32,
    timestamp: i64,
}

impl Writer {
    /// Places all rows of a batch that are no numbers.
    pub(super) fn place_extras(
        &mut self,
        shared: &Shared,
        batch: &SampleBatch<'_>,
        bounds: &Bounds,
        appended: &mut Appended,
    ) {
        for (row, wanted) in batch.histograms.iter().enumerate() {
            let placed = self
                .place(shared, batch, wanted.key, wanted.timestamp, bounds)
                .and_then(|place| self.histogram(shared, &place, &wanted.histogram, bounds));
            match placed {
                Ok(()) => appended.histograms += 1,
                Err(reason) => reject(appended, RowKind::Histogram, row, reason),
            }
        }
        for (row, wanted) in batch.exemplars.iter().enumerate() {
            let timestamp = wanted.exemplar.timestamp;
            let placed = self
                .place(shared, batch, wanted.key, timestamp, bounds)
                .and_then(|place| self.exemplar(shared, &place, &wanted.exemplar));
            match placed {
                Ok(()) => appended.exemplars += 1,
                Err(reason) => reject(appended, RowKind::Exemplar, row, reason),
            }
        }
        for (row, wanted) in batch.starts.iter().enumerate() {
            let placed = self
                .place(shared, batch, wanted.key, wanted.timestamp, bounds)
                .and_then(|place| self.start(shared, &place, wanted.start));
            match placed {
                Ok(()) => appended.starts += 1,
                Err(reason) => reject(appended, RowKind::Start, row, reason),
            }
        }
    }

    fn place(
        &mut self,
        shared: &Shared,
        batch: &SampleBatch<'_>,
        key: &[u8],
        timestamp: Timestamp,
        bounds: &Bounds,
    ) -> Result<Place, RejectReason> {
        let timestamp = timestamp.as_millis();
        let id = self.series(shared, &batch.encoding, key, timestamp, bounds)?;
        Ok(Place { id, timestamp })
    }

    fn histogram(
        &mut self,
        shared: &Shared,
        place: &Place,
        histogram: &Histogram,
        bounds: &Bounds,
    ) -> Result<(), RejectReason> {
        let Place { id, timestamp } = *place;
        let same = |extras: &Extras| {
            let known = extras.histograms.get(&timestamp);
            known.map(|known| known == histogram)
        };
        match self.known(shared, id, same) {
            Some(true) => return Ok(()),
            Some(false) => return Err(duplicate(timestamp)),
            None => {}
        }
        let newest = self.states.get(id).newest;
        if timestamp <= newest {
            let newest = self.before.get(&id).map_or(newest, |before| *before);
            bounds.check_age(timestamp, newest)?;
        }
        let bytes = attachment::encode_histogram(timestamp, histogram);
        check_size("histogram", &bytes)?;
        self.log(id, attachment::HISTOGRAM, timestamp, &bytes)?;
        self.unsure.insert(id);
        let state = self.states.of(id);
        state.newest = state.newest.max(timestamp);
        if let Some(before) = self.before.get_mut(&id) {
            *before = timestamp.max(*before);
        }
        // In memory a histogram is several times as large as encoded.
        let memory = ENTRY + size_of::<Histogram>() + 4 * bytes.len();
        self.add(id, timestamp, memory, |extras| {
            extras.histograms.insert(timestamp, histogram.clone());
        });
        Ok(())
    }

    fn exemplar(
        &mut self,
        shared: &Shared,
        place: &Place,
        exemplar: &Exemplar,
    ) -> Result<(), RejectReason> {
        let Place { id, timestamp } = *place;
        let same = |extras: &Extras| {
            let known = extras.exemplars.at(timestamp);
            known.contains(exemplar).then_some(())
        };
        if self.known(shared, id, same).is_some() {
            return Ok(());
        }
        let counts = |extras: &Extras| {
            let exemplars = &extras.exemplars;
            (exemplars.at(timestamp).len(), exemplars.len())
        };
        let (simultaneous, all) = self.active.extras(id, counts).unwrap_or_default();
        if simultaneous >= SIMULTANEOUS_MAX {
            return Err(RejectReason::ExemplarLimit {
                limit: SIMULTANEOUS_MAX,
                within: "at one time",
            });
        }
        if all >= EXEMPLARS_MAX {
            return Err(RejectReason::ExemplarLimit {
                limit: EXEMPLARS_MAX,
                within: "until the next block is written",
            });
        }
        let bytes = attachment::encode_exemplar(exemplar);
        check_size("exemplar", &bytes)?;
        self.log(id, attachment::EXEMPLAR, timestamp, &bytes)?;
        self.add(id, timestamp, ENTRY + bytes.len(), |extras| {
            extras.exemplars.insert(exemplar.clone());
        });
        Ok(())
    }

    fn start(
        &mut self,
        shared: &Shared,
        place: &Place,
        start: Timestamp,
    ) -> Result<(), RejectReason> {
        let Place { id, timestamp } = *place;
        let start = start.as_millis();
        let same = |extras: &Extras| extras.starts.get(&timestamp).map(|known| *known == start);
        match self.known(shared, id, same) {
            Some(true) => return Ok(()),
            Some(false) => return Err(duplicate(timestamp)),
            None => {}
        }
        let bytes = attachment::encode_start(timestamp, start);
        self.log(id, attachment::START, timestamp, &bytes)?;
        self.add(id, timestamp, ENTRY, |extras| {
            extras.starts.insert(timestamp, start);
        });
        Ok(())
    }

    /// What is said about a series by the memtables in memory, the oldest that has an answer first.
    fn known<T>(&self, shared: &Shared, id: u32, ask: impl Fn(&Extras) -> Option<T>) -> Option<T> {
        let view = shared.view();
        let mut memtables = view.memtables.iter();
        memtables.find_map(|memtable| memtable.extras(id, &ask).flatten())
    }

    fn log(&mut self, id: u32, kind: u8, timestamp: i64, bytes: &[u8]) -> Result<(), RejectReason> {
        let state = self.states.of(id);
        enter_epoch(state, &mut self.encoder, &self.begun, &self.index, id);
        let logged = self
            .encoder
            .attachment(state.reference, kind, timestamp, bytes);
        logged.map_err(|error| model::InvalidLabels::Malformed(error.to_string()).into())
    }

    fn add(&self, id: u32, timestamp: i64, memory: usize, change: impl FnOnce(&mut Extras)) {
        let mut shard = self.active.shard(id);
        change(shard.extras_mut(local(id), timestamp, memory));
        self.active.settle(&mut shard);
    }
}

fn check_size(what: &'static str, bytes: &[u8]) -> Result<(), RejectReason> {
    if bytes.len() > BYTES_MAX {
        return Err(RejectReason::TooLarge {
            what,
            bytes: bytes.len(),
            limit: BYTES_MAX,
        });
    }
    Ok(())
}

fn duplicate(timestamp: i64) -> RejectReason {
    RejectReason::Duplicate {
        timestamp: Timestamp::from_millis(timestamp),
    }
}
