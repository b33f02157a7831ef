//! The port through which the store reaches files, so that a test can tear writes and lose unsynced data.

use std::io;
use std::path::Path;

/// A file system. The operating system's and testkit's simulated one implement it.
///
/// What was appended is visible to readers at once, survives the death of the process, and survives the loss
/// of power only after [`DiskFile::sync`] (and, for a new name, [`Disk::sync_directory`]).
pub trait Disk: Send + Sync {
    /// Creates a directory and its parents; one that exists is no error.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// The names of the entries of a directory, sorted.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Opens a file for appending; it is created if it does not exist.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Opens a file for reading at any place; it can be read even after its name is gone.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>>;

    /// Gives a file a second name, which must not exist yet.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// How large the file system is that holds a path, and how much of it is free to us.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;

    /// The length of a file in bytes.
    fn length(&self, path: &Path) -> io::Result<u64>;

    /// Cuts a file to `length` bytes.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Gives a file a new name in one step, replacing what had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock of a file, which is created if it does not exist; it is held until the answer is dropped
    /// or the process dies.
    ///
    /// Errors: [`io::ErrorKind::WouldBlock`] if someone else holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// The size of a file system in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// All of it.
    pub total: u64,
    /// What may still be written.
    pub free: u64,
}

/// A file open for reading.
pub trait DiskRead: Send + Sync {
    /// Fills the buffer with the bytes from `offset` on.
    ///
    /// Errors: [`io::ErrorKind::UnexpectedEof`] if the file ends before the buffer is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A file open for appending.
pub trait DiskFile: Send {
    /// Takes room for the file up to `length` bytes in all without changing its length, so that appends up to there do
    /// not run out of space. A file system that cannot do this is no error.
    fn reserve(&mut self, length: u64) -> io::Result<()>;

    /// Appends all of `bytes`; after an error an unknown part of them may stand in the file.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what was appended.
    fn sync(&mut self) -> io::Result<()>;

    /// A second handle on the same file, with which another thread can sync it.
    fn try_clone(&self) -> io::Result<Box<dyn DiskFile>>;
}
