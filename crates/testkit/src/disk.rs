//! A disk in memory that tears writes, forgets what was not synced, is full, and fails when told to.
//!
//! It knows two kinds of end. When the process dies, what was written stays, and only the operation that was under way
//! is torn. When power fails, only what was synced is sure; of the rest any pages and names may be there, in any order.

mod fault;
mod file;
mod handle;
mod names;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use model::{Disk, DiskFile, DiskRead, DiskSpace};

pub use fault::Operation;
use fault::{Attempt, Effect, Fault, Faults, When, dead};
use file::{File, pages};
use handle::{Lock, SimulatedFile, SimulatedRead};
use names::{Change, Names};

/// What [`Disk::space`] answers as the size of a disk that has no capacity.
const TOTAL_WITHOUT_CAPACITY: u64 = 1 << 50;

/// A disk whose faults follow from a seed. A clone is the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    /// The process that it dies with; none for the machine, which is there always.
    process: Option<u64>,
}

/// What reading a file does instead of answering with its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// It fails.
    Fail(io::ErrorKind),
    /// One bit of what is read, another each time, is not what was written.
    FlipBit,
}

struct State {
    faults: Faults,
    files: Vec<File>,
    names: Names,
    locks: BTreeMap<PathBuf, u64>,
    /// Handles and locks of earlier processes have earlier numbers.
    process: u64,
    /// Bytes that all files together may take.
    capacity: Option<u64>,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let state = State {
            faults: Faults::new(seed),
            files: Vec::new(),
            names: Names::default(),
            locks: BTreeMap::new(),
            process: 0,
            capacity: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            process: None,
        }
    }

    /// The disk as the running process sees it: when that has died, everything fails through it for ever, while the
    /// next process works on the same disk.
    pub fn process(&self) -> Self {
        let process = Some(self.state().process);
        Self {
            state: Arc::clone(&self.state),
            process,
        }
    }

    /// How many operations there have been; reads are not counted.
    pub fn operations(&self) -> u64 {
        self.state().faults.changing()
    }

    /// How many operations of a kind there have been.
    pub fn count(&self, operation: Operation) -> u64 {
        self.state().faults.count(operation)
    }

    /// Lets the process die during an operation that is no read, after `others` more; it is torn, or done, or not done.
    /// From then on everything fails until [`SimulatedDisk::restart`] or [`SimulatedDisk::lose_power`].
    pub fn die_after(&self, others: u64) {
        self.state().faults.add(Fault {
            operation: None,
            when: When::After(others),
            effect: Effect::Die,
        });
    }

    /// Lets an operation fail, after `others` more of its kind. An append is torn. A sync makes some of the pages
    /// durable and forgets of the others that they are not, as kernels do: later syncs succeed without them.
    pub fn fail_after(&self, operation: Operation, others: u64, error: io::ErrorKind) {
        self.state().faults.add(Fault {
            operation: Some(operation),
            when: When::After(others),
            effect: Effect::Fail(error),
        });
    }

    /// Lets one in `one_in` operations of a kind fail, chosen by the seed, until [`SimulatedDisk::clear_faults`].
    pub fn fail_some(&self, operation: Operation, one_in: u64, error: io::ErrorKind) {
        self.state().faults.add(Fault {
            operation: Some(operation),
            when: When::OneIn(one_in.max(1)),
            effect: Effect::Fail(error),
        });
    }

    /// Takes back the faults that have not happened yet.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How many operations of a kind have failed without the death of the process.
    pub fn failures(&self, operation: Operation) -> u64 {
        self.state().faults.failures(operation)
    }

    /// How many faults have happened, deaths among them.
    pub fn faults(&self) -> u64 {
        self.state().faults.happened()
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        self.state().faults.alive().is_err()
    }

    /// Bytes that all files together may take; none is no limit. It may be less than they take already.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.state().capacity = capacity;
    }

    /// Bytes that all files together take, in whole pages, with what is reserved.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// The process is gone with its handles and locks; what was written is there. Only what a failed sync has forgotten
    /// may be gone as if power had failed; whatever is read from now on can be made durable again.
    pub fn restart(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.process += 1;
        state.locks.clear();
        state.faults.restart();
        for file in &mut state.files {
            file.handles = 0;
            file.evict(&mut || state.faults.next());
        }
        state.release_all();
    }

    /// Power fails: what was not synced is there in part.
    pub fn lose_power(&self) {
        self.restart();
        let mut state = self.state();
        let state = &mut *state;
        state.names.lose_power(&mut || state.faults.next());
        for file in &mut state.files {
            file.lose_power(&mut || state.faults.next());
        }
        state.release_all();
    }

    /// Flips a bit of a file.
    ///
    /// Panics: there is no such file or bit.
    pub fn flip_bit(&self, path: &Path, bit: usize) {
        self.state().named(path).flip_bit(bit);
    }

    /// Lets reads of a file, and of handles on it that are open, fail or lie until it is told otherwise.
    ///
    /// Panics: there is no such file.
    pub fn break_reads(&self, path: &Path, fault: Option<ReadFault>) {
        self.state().named(path).read_fault = fault;
    }

    /// The disk to whom it belongs, if its process lives.
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        state.faults.alive()?;
        match self.process {
            Some(process) if process != state.process => Err(dead()),
            _ => Ok(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("invariant: the disk does not panic")
    }
}

impl State {
    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names
            .get(path)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn named(&mut self, path: &Path) -> &mut File {
        let file = self.names.get(path);
        let file = file.unwrap_or_else(|| panic!("there is no {}", path.display()));
        &mut self.files[file]
    }

    /// What of a file is read; counts as a read.
    fn read(&mut self, file: usize, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.faults.attempt(Operation::Read).result?;
        let file = &self.files[file];
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|offset| file.content().get(offset..)?.get(..length));
        let mut bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec();
        match file.read_fault {
            Some(ReadFault::Fail(error)) => return Err(io::Error::new(error, "simulated fault")),
            Some(ReadFault::FlipBit) if !bytes.is_empty() => {
                let bit = (self.faults.next() % (bytes.len() as u64 * 8)) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            _ => {}
        }
        Ok(bytes)
    }

    fn used(&self) -> u64 {
        let named = self.names.files();
        let files = self.files.iter().enumerate();
        let taking = files.filter(|(at, file)| file.handles > 0 || named.contains(at));
        taking.map(|(_, file)| file.room()).sum()
    }

    /// How far a file may grow; without a capacity as far as it wants.
    fn room_for(&self, file: usize) -> u64 {
        let Some(capacity) = self.capacity else {
            return u64::MAX;
        };
        let free = capacity.saturating_sub(self.used());
        self.files[file].room() + free / pages(1) * pages(1)
    }

    /// Opens a file once more.
    fn handle(&mut self, file: usize) {
        self.files[file].handles += 1;
    }

    /// Forgets a file's content if nothing leads to it any more.
    fn release(&mut self, file: usize) {
        if self.files[file].handles == 0 && !self.names.leads_to(file) {
            self.files[file] = File::default();
        }
    }

    fn release_all(&mut self) {
        let reachable = self.names.reachable();
        for (at, file) in self.files.iter_mut().enumerate() {
            if file.handles == 0 && !reachable.contains(&at) {
                *file = File::default();
            }
        }
    }

    /// Tries to change a name.
    fn change(&mut self, change: impl FnOnce(&Self) -> io::Result<Change>) -> io::Result<()> {
        let Attempt { done, result } = self.faults.attempt(Operation::Change);
        if done > 0 {
            let change = change(self)?;
            let gone = self.names.change(change);
            if let Some(file) = gone {
                self.release(file);
            }
        }
        result
    }
}

impl Disk for SimulatedDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.alive()?.names.create_directory(path);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.alive()?.names.list(directory)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.alive()?;
        let Attempt { done, result } = state.faults.attempt(Operation::Open);
        if done > 0 && state.names.get(path).is_none() {
            state.names.check_parent(path)?;
            let file = state.files.len();
            state.files.push(File::default());
            let to = path.to_owned();
            state.names.change(Change::Add { to, file });
        }
        result?;
        let file = state.file(path)?;
        state.handle(file);
        let process = state.process;
        Ok(Box::new(SimulatedFile::new(self.clone(), process, file)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.alive()?;
        let file = state.file(path)?;
        let length = state.files[file].content().len();
        state.read(file, 0, length)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>> {
        let mut state = self.alive()?;
        let file = state.file(path)?;
        state.handle(file);
        let process = state.process;
        Ok(Box::new(SimulatedRead::new(self.clone(), process, file)))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.alive()?.change(|state| {
            let file = state.file(from)?;
            state.names.check_parent(to)?;
            if state.names.get(to).is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let to = to.to_owned();
            Ok(Change::Add { to, file })
        })
    }

    fn space(&self, _: &Path) -> io::Result<DiskSpace> {
        let state = self.alive()?;
        let total = state.capacity.unwrap_or(TOTAL_WITHOUT_CAPACITY);
        let free = total.saturating_sub(state.used());
        Ok(DiskSpace { total, free })
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let state = self.alive()?;
        Ok(state.files[state.file(path)?].content().len() as u64)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.alive()?;
        let Attempt { done, result } = state.faults.attempt(Operation::Change);
        if done > 0 {
            let file = state.file(path)?;
            state.files[file].truncate(length as usize);
        }
        result
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.alive()?.change(|state| {
            let file = state.file(from)?;
            state.names.check_parent(to)?;
            let (from, to) = (from.to_owned(), to.to_owned());
            Ok(Change::Move { from, to, file })
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.alive()?.change(|state| {
            let file = state.file(path)?;
            let from = path.to_owned();
            Ok(Change::Remove { from, file })
        })
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.alive()?;
        let Attempt { done, result } = state.faults.attempt(Operation::Sync);
        if done > 0 {
            state.names.sync(path)?;
            state.release_all();
        }
        result
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.alive()?;
        if state.locks.contains_key(path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let process = state.process;
        state.locks.insert(path.to_owned(), process);
        Ok(Box::new(Lock::new(self.clone(), process, path.to_owned())))
    }
}

#[cfg(test)]
mod tests;
