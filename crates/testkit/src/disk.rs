//! A disk in memory that tears writes, forgets what was not synced, and fails when told to.
//!
//! It knows two kinds of end. When the process dies, what was written stays, and only the write that was under way is
//! torn. When power fails, only what was synced is sure; of the rest any part may be there, as zeros too.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use model::{Disk, DiskFile};

/// A disk whose faults follow from a seed. A clone is the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

/// What changes the disk, and can therefore fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creating a file, or opening it for appending.
    Open,
    /// Appending bytes.
    Append,
    /// Syncing a file or a directory.
    Sync,
    /// Cutting, renaming or removing a file.
    Change,
}

struct State {
    random: u64,
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    directories: BTreeSet<PathBuf>,
    locks: BTreeMap<PathBuf, u64>,
    /// Handles and locks of earlier processes have earlier numbers.
    process: u64,
    faults: Vec<Fault>,
    operations: u64,
    dead: bool,
}

#[derive(Default)]
struct File {
    content: Vec<u8>,
    durable_length: usize,
}

struct Fault {
    /// Any operation if none.
    operation: Option<Operation>,
    /// After how many others.
    left: u64,
    /// The process dies if none.
    error: Option<io::ErrorKind>,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: seed,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            directories: BTreeSet::new(),
            locks: BTreeMap::new(),
            process: 0,
            faults: Vec::new(),
            operations: 0,
            dead: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How many operations there have been.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the process die during an operation, after `others` more; an append is torn. From then on everything
    /// fails until [`SimulatedDisk::restart`] or [`SimulatedDisk::lose_power`].
    pub fn die_after(&self, others: u64) {
        self.state().faults.push(Fault {
            operation: None,
            left: others,
            error: None,
        });
    }

    /// Lets an operation fail, after `others` more of its kind; an append is torn.
    pub fn fail_after(&self, operation: Operation, others: u64, error: io::ErrorKind) {
        self.state().faults.push(Fault {
            operation: Some(operation),
            left: others,
            error: Some(error),
        });
    }

    /// The process is gone with its handles and locks; what was written is there.
    pub fn restart(&self) {
        let mut state = self.state();
        state.process += 1;
        state.locks.clear();
        state.faults.clear();
        state.dead = false;
    }

    /// Power fails: what was not synced is there in part.
    pub fn lose_power(&self) {
        self.restart();
        let mut state = self.state();
        let state = &mut *state;
        let mut names = state.durable_names.clone();
        let paths: BTreeSet<_> = state.names.keys().chain(names.keys()).cloned().collect();
        for path in paths {
            if next(&mut state.random).is_multiple_of(2) {
                match state.names.get(&path) {
                    Some(file) => _ = names.insert(path, *file),
                    None => _ = names.remove(&path),
                }
            }
        }
        state.names.clone_from(&names);
        state.durable_names = names;
        for file in &mut state.files {
            let loose = (file.content.len() - file.durable_length) as u64;
            let kept = file.durable_length + (next(&mut state.random) % (loose + 1)) as usize;
            file.content.truncate(kept);
            // The length may be on disk before the bytes are.
            let zeros = next(&mut state.random) % (2 * (kept - file.durable_length) as u64 + 1);
            let written = kept.saturating_sub(zeros as usize).max(file.durable_length);
            file.content[written..].fill(0);
            file.durable_length = kept;
        }
    }

    /// Flips a bit of a file.
    ///
    /// Panics: there is no such file or bit.
    pub fn flip_bit(&self, path: &Path, bit: usize) {
        let mut state = self.state();
        let file = state.names[path];
        state.files[file].content[bit / 8] ^= 1 << (bit % 8);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("invariant: the disk does not panic")
    }
}

impl State {
    /// Whether the operation goes well. If not, the error, and the share of it that is done nevertheless in 1/256.
    fn perform(&mut self, operation: Operation) -> Result<(), (io::Error, u64)> {
        self.alive().map_err(|error| (error, 0))?;
        self.operations += 1;
        let mut due = None;
        self.faults.retain_mut(|fault| {
            if fault.operation.is_some_and(|only| only != operation) {
                return true;
            }
            if fault.left == 0 {
                due = Some(fault.error);
                return false;
            }
            fault.left -= 1;
            true
        });
        let Some(fault) = due else {
            return Ok(());
        };
        let done = next(&mut self.random) % 257;
        self.dead |= fault.is_none();
        let error = fault.map_or_else(dead, |kind| io::Error::new(kind, "simulated fault"));
        Err((error, done))
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(dead()) } else { Ok(()) }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        self.alive()?;
        let file = self.names.get(path).copied();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn dead() -> io::Error {
    io::Error::other("the simulated process is dead")
}

impl Disk for SimulatedDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        state
            .directories
            .extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        if !state.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = state
            .names
            .keys()
            .filter(|path| path.parent() == Some(directory));
        let names = inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        Ok(names.collect())
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.perform(Operation::Open).map_err(|(error, _)| error)?;
        let file = match state.names.get(path) {
            Some(file) => *file,
            None => {
                state.files.push(File::default());
                let file = state.files.len() - 1;
                state.names.insert(path.to_owned(), file);
                file
            }
        };
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            process: state.process,
            file,
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        Ok(state.files[state.file(path)?].content.clone())
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        Ok(state.files[state.file(path)?].content.len() as u64)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state
            .perform(Operation::Change)
            .map_err(|(error, _)| error)?;
        let at = state.file(path)?;
        let file = &mut state.files[at];
        file.content.truncate(length as usize);
        file.durable_length = file.durable_length.min(file.content.len());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state
            .perform(Operation::Change)
            .map_err(|(error, _)| error)?;
        let file = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state
            .perform(Operation::Change)
            .map_err(|(error, _)| error)?;
        state.file(path)?;
        state.names.remove(path);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.perform(Operation::Sync).map_err(|(error, _)| error)?;
        let state = &mut *state;
        let inside = |name: &PathBuf| name.parent() == Some(path);
        state.durable_names.retain(|name, _| !inside(name));
        for (name, file) in &state.names {
            if inside(name) {
                state.durable_names.insert(name.clone(), *file);
            }
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state();
        state.alive()?;
        if state.locks.contains_key(path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let process = state.process;
        state.locks.insert(path.to_owned(), process);
        Ok(Box::new(Lock {
            disk: self.clone(),
            path: path.to_owned(),
            process,
        }))
    }
}

struct Lock {
    disk: SimulatedDisk,
    path: PathBuf,
    process: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locks.get(&self.path) == Some(&self.process) {
            state.locks.remove(&self.path);
        }
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    process: u64,
    file: usize,
}

impl SimulatedFile {
    fn perform(&self, state: &mut State, operation: Operation) -> Result<(), (io::Error, u64)> {
        if self.process != state.process {
            return Err((dead(), 0));
        }
        state.perform(operation)
    }
}

impl DiskFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let performed = self.perform(&mut state, Operation::Append);
        let content = &mut state.files[self.file].content;
        match performed {
            Ok(()) => {
                content.extend_from_slice(bytes);
                Ok(())
            }
            Err((error, done)) => {
                content.extend_from_slice(&bytes[..bytes.len() * done as usize / 256]);
                Err(error)
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        self.perform(&mut state, Operation::Sync)
            .map_err(|(error, _)| error)?;
        let file = &mut state.files[self.file];
        file.durable_length = file.content.len();
        Ok(())
    }

    fn try_clone(&self) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self {
            disk: self.disk.clone(),
            process: self.process,
            file: self.file,
        }))
    }
}

/// The next number of the sequence (SplitMix64).
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_outlives_power_and_what_was_written_outlives_the_process() {
        for seed in 0..50 {
            let disk = SimulatedDisk::new(seed);
            let path = Path::new("/a/b");
            disk.create_directory(Path::new("/a")).unwrap();
            let mut file = disk.open_append(path).unwrap();
            file.append(b"synced").unwrap();
            file.sync().unwrap();
            disk.sync_directory(Path::new("/a")).unwrap();
            file.append(b"written").unwrap();
            disk.restart();
            assert_eq!(disk.read(path).unwrap(), b"syncedwritten");
            assert!(
                file.append(b"late").is_err(),
                "the handle died with its process"
            );
            disk.lose_power();
            let content = disk.read(path).unwrap();
            assert!(content.starts_with(b"synced") && content.len() <= 13);
        }
    }

    #[test]
    fn a_dying_process_tears_its_write_and_can_do_nothing_more() {
        let lengths: BTreeSet<_> = (0..50)
            .map(|seed| {
                let disk = SimulatedDisk::new(seed);
                disk.die_after(2);
                let mut file = disk.open_append(Path::new("/a")).unwrap();
                file.append(b"first").unwrap();
                assert!(file.append(b"second").is_err());
                assert!(file.sync().is_err() && disk.read(Path::new("/a")).is_err());
                disk.restart();
                disk.length(Path::new("/a")).unwrap()
            })
            .collect();
        assert!(
            lengths.contains(&5) && lengths.contains(&8),
            "torn at various places: {lengths:?}"
        );
    }

    #[test]
    fn a_fault_hits_the_operation_that_was_named() {
        let disk = SimulatedDisk::new(1);
        disk.fail_after(Operation::Sync, 1, io::ErrorKind::StorageFull);
        let mut file = disk.open_append(Path::new("/a")).unwrap();
        file.append(b"x").unwrap();
        file.sync().unwrap();
        assert_eq!(file.sync().unwrap_err().kind(), io::ErrorKind::StorageFull);
        file.sync().unwrap();
    }

    #[test]
    fn a_lock_has_one_holder_until_it_is_dropped_or_its_process_dies() {
        let disk = SimulatedDisk::new(1);
        let path = Path::new("/lock");
        let first = disk.lock(path).unwrap();
        let refused = disk.lock(path).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        disk.restart();
        let second = disk.lock(path).unwrap();
        drop(first);
        assert!(disk.lock(path).is_err(), "a dead process frees nothing");
        drop(second);
        assert!(disk.lock(path).is_ok());
    }
}
