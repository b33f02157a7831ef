//! What a process has open: it is of no use any more when that process is dead.

use std::io;
use std::path::PathBuf;
use std::sync::MutexGuard;

use model::{DiskFile, DiskRead};

use super::fault::{Attempt, dead};
use super::{Operation, SimulatedDisk, State};

/// One opening of a file.
struct Handle {
    disk: SimulatedDisk,
    process: u64,
    file: usize,
}

impl Handle {
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        state.faults.alive()?;
        if self.process == state.process {
            Ok(state)
        } else {
            Err(dead())
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if self.process == state.process {
            state.files[self.file].handles -= 1;
            state.release(self.file);
        }
    }
}

pub(super) struct SimulatedRead(Handle);

impl SimulatedRead {
    pub(super) fn new(disk: SimulatedDisk, process: u64, file: usize) -> Self {
        Self(Handle {
            disk,
            process,
            file,
        })
    }
}

impl DiskRead for SimulatedRead {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.alive()?.read(self.0.file, offset, buffer.len())?;
        buffer.copy_from_slice(&bytes);
        Ok(())
    }
}

pub(super) struct SimulatedFile(Handle);

impl SimulatedFile {
    pub(super) fn new(disk: SimulatedDisk, process: u64, file: usize) -> Self {
        Self(Handle {
            disk,
            process,
            file,
        })
    }
}

impl DiskFile for SimulatedFile {
    fn reserve(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.0.alive()?;
        state.faults.attempt(Operation::Reserve).result?;
        if length > state.room_for(self.0.file) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.files[self.0.file].reserve(length);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.alive()?;
        let Attempt { done, result } = state.faults.attempt(Operation::Append);
        let room = state.room_for(self.0.file);
        let file = &mut state.files[self.0.file];
        let done = bytes.len() * done as usize / Attempt::ALL as usize;
        let room = room.saturating_sub(file.content().len() as u64);
        if done as u64 > room {
            file.append(&bytes[..room as usize]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.append(&bytes[..done]);
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.alive()?;
        let Attempt { done, result } = state.faults.attempt(Operation::Sync);
        let state = &mut *state;
        let file = &mut state.files[self.0.file];
        if done == Attempt::ALL {
            file.sync();
        } else if state.faults.alive().is_ok() {
            file.fail_to_sync(&mut || state.faults.next());
        }
        result
    }

    fn try_clone(&self) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.alive()?;
        state.handle(self.0.file);
        let disk = self.0.disk.clone();
        Ok(Box::new(Self::new(disk, self.0.process, self.0.file)))
    }
}

pub(super) struct Lock {
    disk: SimulatedDisk,
    process: u64,
    path: PathBuf,
}

impl Lock {
    pub(super) fn new(disk: SimulatedDisk, process: u64, path: PathBuf) -> Self {
        Self {
            disk,
            process,
            path,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locks.get(&self.path) == Some(&self.process) {
            state.locks.remove(&self.path);
        }
    }
}
