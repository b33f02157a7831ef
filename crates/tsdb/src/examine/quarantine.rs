//! The directory for what a repair takes out of the store; nothing in it is ever read or removed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Disk;

use crate::error::Error;
use crate::files::disk_error;

/// The directory below the store's.
const DIRECTORY: &str = "quarantine";

/// So many files of one name are kept.
const NAMESAKES_MAX: usize = 1000;

/// The directory, which is created when something goes there.
pub(super) struct Quarantine {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

impl Quarantine {
    pub(super) fn new(disk: &Arc<dyn Disk>, store: &Path) -> Self {
        Self {
            disk: Arc::clone(disk),
            directory: store.join(DIRECTORY),
        }
    }

    /// Moves a file there; where it is now.
    pub(super) fn take(&self, path: &Path) -> Result<PathBuf, Error> {
        let aside = self.place(name(path))?;
        self.disk
            .rename(path, &aside)
            .map_err(disk_error("move", path))?;
        sync_parent(&*self.disk, &aside)?;
        sync_parent(&*self.disk, path)?;
        Ok(aside)
    }

    /// Gives a file a second name there, so that it is kept when something else takes its place.
    pub(super) fn keep(&self, path: &Path) -> Result<PathBuf, Error> {
        let aside = self.place(name(path))?;
        match self.disk.link(path, &aside) {
            // Some file systems have one name for each file.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let bytes = self.disk.read(path).map_err(disk_error("read", path))?;
                self.write(&aside, &bytes)?;
            }
            linked => linked.map_err(disk_error("link", path))?,
        }
        sync_parent(&*self.disk, &aside)?;
        Ok(aside)
    }

    /// Writes what stands in a file from a byte on; where it is now.
    pub(super) fn keep_tail(&self, path: &Path, from: u64) -> Result<PathBuf, Error> {
        let bytes = self.disk.read(path).map_err(disk_error("read", path))?;
        let from = usize::try_from(from).map_or(bytes.len(), |from| from.min(bytes.len()));
        let aside = self.place(&format!("{}.tail", name(path)))?;
        self.write(&aside, &bytes[from..])?;
        sync_parent(&*self.disk, &aside)?;
        Ok(aside)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let write = || {
            let mut file = self.disk.open_append(path)?;
            file.append(bytes)?;
            file.sync()
        };
        write().map_err(disk_error("write", path))
    }

    /// A name that is not taken.
    fn place(&self, name: &str) -> Result<PathBuf, Error> {
        let directory = &self.directory;
        self.disk
            .create_directory(directory)
            .map_err(disk_error("create", directory))?;
        sync_parent(&*self.disk, directory)?;
        let taken = self
            .disk
            .list(directory)
            .map_err(disk_error("list", directory))?;
        let names = (1..=NAMESAKES_MAX).map(|count| match count {
            1 => name.to_owned(),
            _ => format!("{name}.{count}"),
        });
        let mut free = names.filter(|name| !taken.contains(name));
        match free.next() {
            Some(free) => Ok(directory.join(free)),
            None => {
                let full = io::Error::other("it holds too many files of this name: empty it");
                Err(disk_error("move into", directory)(full))
            }
        }
    }
}

/// Makes durable which names the directory of a file has.
pub(super) fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    disk.sync_directory(parent)
        .map_err(disk_error("sync", parent))
}

fn name(path: &Path) -> &str {
    super::name(path)
}
