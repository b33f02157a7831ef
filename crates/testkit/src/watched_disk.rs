//! A simulated disk on which a test is asked before each moment that matters, so that it can wait there or do something
//! else in between.

use std::io;
use std::path::Path;
use std::sync::Arc;

use model::{Disk, DiskFile, DiskRead, DiskSpace};

use crate::SimulatedDisk;

/// What is about to happen on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment<'a> {
    /// The file at this path is opened for appending.
    Open(&'a Path),
    /// A file is synced.
    Sync,
}

/// Who is asked; the operation waits until it returns.
type Watch = Arc<dyn Fn(Moment<'_>) + Send + Sync>;

/// A simulated disk on which somebody is asked before each [`Moment`].
pub struct WatchedDisk {
    disk: SimulatedDisk,
    watch: Watch,
}

impl WatchedDisk {
    /// The same disk, watched.
    pub fn new(disk: SimulatedDisk, watch: impl Fn(Moment<'_>) + Send + Sync + 'static) -> Self {
        let watch = Arc::new(watch);
        Self { disk, watch }
    }
}

impl Disk for WatchedDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.create_directory(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        (self.watch)(Moment::Open(path));
        Ok(Box::new(WatchedFile {
            file: self.disk.open_append(path)?,
            watch: Arc::clone(&self.watch),
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>> {
        self.disk.open_read(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.link(from, to)
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.disk.space(path)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        self.disk.length(path)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.disk.truncate(path, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_directory(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock(path)
    }
}

struct WatchedFile {
    file: Box<dyn DiskFile>,
    watch: Watch,
}

impl DiskFile for WatchedFile {
    fn reserve(&mut self, length: u64) -> io::Result<()> {
        self.file.reserve(length)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        (self.watch)(Moment::Sync);
        self.file.sync()
    }

    fn try_clone(&self) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self {
            file: self.file.try_clone()?,
            watch: Arc::clone(&self.watch),
        }))
    }
}
