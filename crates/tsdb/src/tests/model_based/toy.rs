//! A store of two hundred lines that can do everything and is right, and its brothers that are each wrong in one way.
//!
//! Everything is in memory, in a file `base.N`, and in the records of `log.N` that came after it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use model::{
    AppendError, Appended, Clock, Disk, DiskFile, Exemplar, Labels, Matcher, Metadata,
    RejectReason, Rejected, RowKind, SampleBatch, SampleSink, Scope, SelectedSeries, Selection,
    SeriesSource, SourceError, Timestamp,
};
use testkit::{MemoryStore, SimulatedClock, SimulatedDisk};

use super::super::Contents;
use super::seam::Subject;
use super::truth::matches;
use crate::files::disk_error;
use crate::{Config, Error};

/// Nothing is wrong.
pub(super) const RIGHT: u8 = 0;
/// Acknowledges what is not synced.
pub(super) const UNSYNCED: u8 = 1;
/// Deletes in memory only.
pub(super) const FORGETS_DELETIONS: u8 = 2;
/// Lets a later value replace the first.
pub(super) const LAST_WINS: u8 = 3;
/// Renames a base that is not synced.
pub(super) const BASE_UNSYNCED: u8 = 4;
/// Removes the old base before the new one's name is durable.
pub(super) const NAME_UNSYNCED: u8 = 5;
/// Takes snapshots without the newest sample of each series.
pub(super) const SNAPSHOT_SHORT: u8 = 6;
/// Ends a selection before its end.
pub(super) const END_EXCLUSIVE: u8 = 7;
/// Writes 0 for -0 when it compacts.
pub(super) const LOSES_SIGN: u8 = 8;
/// Acknowledges what could not be written.
pub(super) const IGNORES_ERRORS: u8 = 9;
/// Drops old samples too early.
pub(super) const DROPS_EARLY: u8 = 10;
/// Hides what is written anew where something was deleted.
pub(super) const HIDES_NEW: u8 = 11;
/// Believes records whose checksum is wrong.
pub(super) const BELIEVES_ALL: u8 = 12;
/// Goes on after a failed sync as if the next one made it good.
pub(super) const TRUSTS_SYNC: u8 = 13;
/// Refuses a repetition of what it has.
pub(super) const REFUSES_REPETITION: u8 = 14;

/// How many ways to be wrong there are.
pub(super) const WAYS: u8 = 14;

pub(super) struct Toy<const WAY: u8> {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    clock: Arc<SimulatedClock>,
    config: Config,
    state: Mutex<State>,
}

struct State {
    contents: Contents,
    number: u64,
    log: Box<dyn DiskFile>,
    /// Once the disk has refused, nothing is taken any more.
    failed: bool,
    /// Only of the one that hides what is new.
    hidden: Contents,
}

const ADD: u8 = 1;
const REMOVE: u8 = 2;

impl<const WAY: u8> Toy<WAY> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Writes everything to a new base, and begins its log.
    fn rewrite(&self, state: &mut State) -> io::Result<()> {
        if state.failed {
            return Err(io::Error::other("the toy has failed"));
        }
        let number = state.number + 1;
        if WAY == LOSES_SIGN {
            for bits in state.contents.values_mut().flat_map(BTreeMap::values_mut) {
                *bits = if *bits == 1 << 63 { 0 } else { *bits };
            }
        }
        if WAY == DROPS_EARLY {
            let floor = self.clock.now() - self.config.retention / 2;
            if !self.config.retention.is_zero() {
                drop_before(&mut state.contents, floor.as_millis());
            }
        }
        state.failed = true;
        write_base::<WAY>(&*self.disk, &self.directory, number, &state.contents)?;
        state.log = self
            .disk
            .open_append(&self.directory.join(format!("log.{number}")))?;
        if WAY != NAME_UNSYNCED {
            self.disk.sync_directory(&self.directory)?;
        }
        state.failed = false;
        for name in ["base", "log"] {
            // One that stays is removed when the store is opened.
            let _ = self
                .disk
                .remove(&self.directory.join(format!("{name}.{}", state.number)));
        }
        state.number = number;
        Ok(())
    }

    fn write(&self, state: &mut State, records: &[u8]) -> io::Result<()> {
        if state.failed {
            return Err(io::Error::other("the toy has failed"));
        }
        let mut written = state.log.append(records);
        if WAY != UNSYNCED {
            written = written.and_then(|()| state.log.sync());
        }
        state.failed = written.is_err() && WAY != TRUSTS_SYNC && WAY != IGNORES_ERRORS;
        match WAY {
            IGNORES_ERRORS => Ok(()),
            _ => written,
        }
    }

    fn copy(&self) -> MemoryStore {
        let state = self.state();
        let samples = state.contents.iter().flat_map(|(labels, samples)| {
            let hidden = state.hidden.get(labels);
            let is_shown = move |at: &i64| hidden.is_none_or(|hidden| !hidden.contains_key(at));
            let samples = samples.iter().filter(move |(at, _)| is_shown(at));
            samples.map(|(at, bits)| (labels.clone(), *at, f64::from_bits(*bits)))
        });
        MemoryStore::with_samples(samples)
    }
}

fn write_base<const WAY: u8>(
    disk: &dyn Disk,
    directory: &Path,
    number: u64,
    contents: &Contents,
) -> io::Result<()> {
    let mut records = Vec::new();
    for (labels, samples) in contents {
        for (at, bits) in samples {
            put(&mut records, ADD, labels, *at, *bits);
        }
    }
    let temporary = directory.join("base.tmp");
    let _ = disk.remove(&temporary);
    let mut file = disk.open_append(&temporary)?;
    file.append(&records)?;
    if WAY != BASE_UNSYNCED {
        file.sync()?;
    }
    disk.rename(&temporary, &directory.join(format!("base.{number}")))
}

fn put(records: &mut Vec<u8>, kind: u8, labels: &Labels, at: i64, bits: u64) {
    let mut payload = vec![kind];
    payload.extend_from_slice(labels.as_packed().as_bytes());
    payload.extend_from_slice(&at.to_le_bytes());
    payload.extend_from_slice(&bits.to_le_bytes());
    records.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    records.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    records.extend_from_slice(&payload);
}

/// Applies records up to the first broken one.
fn apply<const WAY: u8>(mut records: &[u8], contents: &mut Contents) {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    while let Some((header, rest)) = records.split_at_checked(8) {
        let Some((payload, rest)) = rest.split_at_checked(number(&header[..4]) as usize) else {
            return;
        };
        let is_whole = crc32fast::hash(payload) == number(&header[4..]) || WAY == BELIEVES_ALL;
        if payload.len() < 17 || !is_whole {
            return;
        }
        let end = payload.len();
        let eight = |from: usize| payload[from..from + 8].try_into().unwrap();
        let at = i64::from_le_bytes(eight(end - 16));
        let bits = u64::from_le_bytes(eight(end - 8));
        let Ok(labels) = Labels::from_packed(&payload[1..end - 16]) else {
            return;
        };
        let samples = contents.entry(labels).or_default();
        match payload[0] {
            REMOVE => _ = samples.remove(&at),
            _ => _ = samples.insert(at, bits),
        }
        records = rest;
    }
}

fn drop_before(contents: &mut Contents, floor: i64) {
    for samples in contents.values_mut() {
        *samples = samples.split_off(&floor);
    }
}

impl<const WAY: u8> Subject for Toy<WAY> {
    const ACKNOWLEDGED_IS_DURABLE: bool = true;
    const RECOVERS_BY_ITSELF: bool = false;

    fn open(
        disk: &SimulatedDisk,
        directory: &Path,
        clock: &Arc<SimulatedClock>,
        config: &Config,
    ) -> Result<Self, Error> {
        let disk: Arc<dyn Disk> = Arc::new(disk.process());
        let failed = || disk_error("open", directory);
        disk.create_directory(directory).map_err(failed())?;
        let names = disk.list(directory).map_err(failed())?;
        let numbers = names.iter().filter_map(|name| name.strip_prefix("base."));
        let number = numbers
            .filter_map(|number| number.parse::<u64>().ok())
            .max();
        let mut contents = Contents::new();
        for name in ["base", "log"] {
            let path = directory.join(format!("{name}.{}", number.unwrap_or(0)));
            match disk.read(&path) {
                Ok(records) => apply::<WAY>(&records, &mut contents),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed()(error)),
            }
        }
        // The one that believes all is to show what it believes.
        if !config.retention.is_zero() && WAY != BELIEVES_ALL {
            let floor = clock.now() - config.retention;
            drop_before(&mut contents, floor.as_millis());
        }
        let log = disk
            .open_append(&directory.join("log.tmp"))
            .map_err(failed())?;
        let toy = Self {
            disk,
            directory: directory.to_owned(),
            clock: clock.clone(),
            config: config.clone(),
            state: Mutex::new(State {
                contents,
                number: number.unwrap_or(0),
                log,
                failed: false,
                hidden: Contents::new(),
            }),
        };
        toy.rewrite(&mut toy.state()).map_err(failed())?;
        Ok(toy)
    }

    fn sync(&self) -> Result<(), Error> {
        match self.is_unhealthy() {
            true => Err(Error::Log("the toy has failed".to_owned())),
            false => Ok(()),
        }
    }

    fn maintain(&self, now: Timestamp) {
        if !self.config.retention.is_zero() {
            let floor = now - self.config.retention;
            drop_before(&mut self.state().contents, floor.as_millis());
        }
    }

    fn close(&self) -> Result<(), Error> {
        self.sync()
    }

    fn is_unhealthy(&self) -> bool {
        self.state().failed
    }

    fn flush(&self) -> Option<Result<(), Error>> {
        let flushed = self.rewrite(&mut self.state());
        Some(flushed.map_err(disk_error("flush", &self.directory)))
    }

    fn compact(&self) -> Option<Result<bool, Error>> {
        Some(self.flush()?.map(|()| false))
    }

    fn delete(
        &self,
        selectors: &[Vec<Matcher>],
        start: i64,
        end: i64,
    ) -> Option<Result<(), Error>> {
        let mut state = self.state();
        let mut records = Vec::new();
        let mut hidden = Contents::new();
        for (labels, samples) in &state.contents {
            if start <= end && selectors.iter().any(|matchers| matches(matchers, labels)) {
                for at in samples.range(start..=end).map(|(at, _)| *at) {
                    put(&mut records, REMOVE, labels, at, 0);
                    hidden.entry(labels.clone()).or_default().insert(at, 0);
                }
            }
        }
        if WAY != FORGETS_DELETIONS
            && let Err(error) = self.write(&mut state, &records)
        {
            return Some(Err(disk_error("delete in", &self.directory)(error)));
        }
        for (labels, places) in &hidden {
            if let Some(samples) = state.contents.get_mut(labels) {
                samples.retain(|at, _| !places.contains_key(at));
            }
        }
        if WAY == HIDES_NEW {
            state.hidden.extend(hidden);
        }
        Some(Ok(()))
    }

    fn clean_tombstones(&self) -> Option<Result<(), Error>> {
        self.flush()
    }

    fn snapshot(&self) -> Option<Result<PathBuf, Error>> {
        let snapshots = self.directory.join("snapshots");
        let mut names = (0..).map(|number| snapshots.join(format!("{number}")));
        let is_free = |path: &PathBuf| self.disk.list(path).is_err();
        let path = names.find(is_free).expect("there is a free name");
        let mut contents = self.state().contents.clone();
        if WAY == SNAPSHOT_SHORT {
            for samples in contents.values_mut() {
                samples.pop_last();
            }
        }
        let written = self.disk.create_directory(&path);
        let written = written.and_then(|()| write_base::<WAY>(&*self.disk, &path, 1, &contents));
        let written = written.map_err(disk_error("write a snapshot to", &path));
        Some(written.map(|()| path))
    }
}

impl<const WAY: u8> SampleSink for Toy<WAY> {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        let mut state = self.state();
        let mut appended = Appended::default();
        let mut records = Vec::new();
        let mut new = Contents::new();
        for (row, sample) in batch.rows.iter().enumerate() {
            let labels = (batch.encoding.decode)(sample.key).expect("the work sends valid labels");
            let (timestamp, at) = (sample.timestamp, sample.timestamp.as_millis());
            let bits = sample.value.to_bits();
            let samples = |contents: &Contents| contents.get(&labels)?.get(&at).copied();
            let known = samples(&new).or_else(|| samples(&state.contents));
            let oldest = self.clock.now() - self.config.retention;
            let reason = if !self.config.retention.is_zero() && timestamp < oldest {
                Some(RejectReason::BeyondRetention { timestamp, oldest })
            } else if WAY == LAST_WINS {
                None
            } else if known.is_some_and(|known| known != bits || WAY == REFUSES_REPETITION) {
                Some(RejectReason::Duplicate { timestamp })
            } else {
                None
            };
            match reason {
                Some(reason) => appended.rejected.push(Rejected {
                    kind: RowKind::Sample,
                    row,
                    reason,
                }),
                None => {
                    appended.accepted += 1;
                    put(&mut records, ADD, &labels, at, bits);
                    new.entry(labels).or_default().insert(at, bits);
                }
            }
        }
        let written = self.write(&mut state, &records);
        written.map_err(|error| AppendError::Storage(error.to_string()))?;
        for (labels, samples) in new {
            state.contents.entry(labels).or_default().extend(samples);
        }
        Ok(appended)
    }

    fn describe(&self, _: &[(String, Metadata)]) -> Result<(), AppendError> {
        Ok(())
    }
}

impl<const WAY: u8> SeriesSource for Toy<WAY> {
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        let mut selection = selection.clone();
        if WAY == END_EXCLUSIVE && selection.end < Timestamp::MAX {
            selection.end = Timestamp::from_millis(selection.end.as_millis() - 1);
        }
        self.copy().select(&selection)
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        self.copy().series(scope)
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.copy().label_names(scope)
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.copy().label_values(name, scope)
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        Ok(BTreeMap::new())
    }

    fn exemplars(&self, _: &Scope) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
        Ok(Vec::new())
    }
}
