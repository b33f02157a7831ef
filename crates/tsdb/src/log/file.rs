//! A log's file: its name, and how it is written.

use std::io;
use std::path::{Path, PathBuf};

use model::{Disk, DiskFile};

use super::failure::LogFailure;
use super::record::file_header;

/// Room is taken ahead, as much again as there is, from the first of these sizes to the second: an append into it finds
/// its blocks there, which makes the sync cheaper, and an idle store holds none that it does not need.
const RESERVE_MIN: u64 = 64 << 10;
const RESERVE_MAX: u64 = 4 << 20;

/// A file that is appended to.
pub(crate) struct LogFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    length: u64,
    reserved: u64,
}

impl LogFile {
    /// Creates the file `number`: its header is written and its name is durable.
    ///
    /// Errors: the disk refused, or the file exists. A log is never gone on with.
    pub(crate) fn create(
        disk: &dyn Disk,
        directory: &Path,
        number: u64,
    ) -> Result<Self, LogFailure> {
        let path = directory.join(file_name(number));
        match disk.length(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => {
                let exists = io::ErrorKind::AlreadyExists.into();
                return Err(LogFailure::new("create", &path, &exists));
            }
            Err(error) => return Err(LogFailure::new("create", &path, &error)),
        }
        Self::begin(disk, directory, &path, number).map_err(|error| {
            // What is left of it must not be in the way of another try.
            let _ = disk.remove(&path);
            LogFailure::new("create", &path, &error)
        })
    }

    fn begin(disk: &dyn Disk, directory: &Path, path: &Path, number: u64) -> io::Result<Self> {
        let header = file_header(number);
        let mut file = disk.open_append(path)?;
        // Without room ahead appends still work, or say what is wrong.
        let _ = file.reserve(RESERVE_MIN);
        file.append(&header)?;
        file.sync()?;
        disk.sync_directory(directory)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length: header.len() as u64,
            reserved: RESERVE_MIN,
        })
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), LogFailure> {
        let length = self.length + bytes.len() as u64;
        if length > self.reserved {
            self.reserved = length + length.clamp(RESERVE_MIN, RESERVE_MAX);
            // As above.
            let _ = self.file.reserve(self.reserved);
        }
        let appended = self.file.append(bytes);
        appended.map_err(|error| LogFailure::new("write to", &self.path, &error))?;
        self.length = length;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> Result<(), LogFailure> {
        let synced = self.file.sync();
        synced.map_err(|error| LogFailure::new("sync", &self.path, &error))
    }

    /// Gives back the room that was taken ahead.
    pub(crate) fn trim(&mut self, disk: &dyn Disk) -> Result<(), LogFailure> {
        self.reserved = self.length;
        let trimmed = disk.truncate(&self.path, self.length);
        trimmed.map_err(|error| LogFailure::new("trim", &self.path, &error))
    }
}

/// What the name of a log's file ends with.
const EXTENSION: &str = ".wal";

/// The name of a log's file: `00000001.wal`.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:08}{EXTENSION}")
}

/// The number of a log by the name of its file; none if the file is no log.
pub(crate) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    let number = digits.parse().ok()?;
    (file_name(number) == name).then_some(number)
}
