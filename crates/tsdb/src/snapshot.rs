//! A copy of the store that costs no room: its blocks under second names.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::files::disk_error;
use crate::log::{self, Commits, LogEncoder};
use crate::shared::{BLOCK_DIRECTORY, LOG_DIRECTORY, Shared};
use crate::tombstones;
use crate::view::View;

/// The directory of the snapshots.
const SNAPSHOT_DIRECTORY: &str = "snapshots";

/// The file that a snapshot has until it is whole.
const INCOMPLETE: &str = "incomplete";

impl Shared {
    /// Makes a store of its own in a new directory below `snapshots/`; the answer is the directory's name. With `skip_head`
    /// what only the log holds is left out.
    ///
    /// Errors: the disk refused; nothing but empty directories is left behind.
    pub(crate) fn snapshot(&self, skip_head: bool) -> Result<String, Error> {
        self.require_open()?;
        if !skip_head {
            self.flush_all()?;
        }
        // Neither blocks nor tombstones change meanwhile: a merge that is under way comes later.
        let _changing = self.changing();
        self.require_open()?;
        let view = self.view();
        let name = self.free_name()?;
        let directory = self.directory().join(SNAPSHOT_DIRECTORY).join(&name);
        match self.fill_snapshot(&view, &directory) {
            Ok(()) => {
                tracing::info!(path = %directory.display(), blocks = view.blocks.len(), "snapshot made");
                Ok(name)
            }
            Err(error) => {
                self.remove_snapshot(&directory);
                Err(error)
            }
        }
    }

    /// The moment as a name that is not taken.
    fn free_name(&self) -> Result<String, Error> {
        let snapshots = self.directory().join(SNAPSHOT_DIRECTORY);
        self.disk
            .create_directory(&snapshots)
            .map_err(disk_error("create", &snapshots))?;
        let now = self.clock.now().as_millis();
        let is_free = |name: &String| match self.disk.list(&snapshots.join(name)) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(source) => Err(disk_error("list", &snapshots)(source)),
        };
        for number in 0.. {
            let name = match number {
                0 => now.to_string(),
                number => format!("{now}-{number}"),
            };
            if is_free(&name)? {
                return Ok(name);
            }
        }
        unreachable!("there are more numbers than snapshots")
    }

    fn fill_snapshot(&self, view: &View, directory: &Path) -> Result<(), Error> {
        let (blocks, logs) = (
            directory.join(BLOCK_DIRECTORY),
            directory.join(LOG_DIRECTORY),
        );
        for path in [&blocks, &logs] {
            self.disk
                .create_directory(path)
                .map_err(disk_error("create", path))?;
        }
        let mark = directory.join(INCOMPLETE);
        // Its links hold room on the disk: if the process ends now, the next start removes them.
        self.disk
            .open_append(&mark)
            .and_then(|mut mark| mark.sync())
            .map_err(disk_error("create", &mark))?;
        self.sync_all([directory])?;
        for block in &view.blocks {
            let from = self.block_path(block.meta().header.number);
            let to = blocks.join(from.file_name().unwrap_or_default());
            self.disk
                .link(&from, &to)
                .map_err(disk_error("link", &from))?;
        }
        tombstones::store(&*self.disk, &blocks, &view.tombstones)
            .map_err(disk_error("write tombstones to", &blocks))?;
        self.write_descriptions(&logs, view.active().generation)?;
        let parent = directory.parent().unwrap_or(directory);
        self.sync_all([&blocks, &logs, parent, self.directory()])?;
        self.disk
            .remove(&mark)
            .map_err(disk_error("remove", &mark))?;
        self.sync_all([directory])
    }

    fn sync_all<'a>(&self, directories: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
        for path in directories {
            self.disk
                .sync_directory(path)
                .map_err(disk_error("sync", path))?;
        }
        Ok(())
    }

    /// Removes what is left of snapshots during which the process ended.
    pub(crate) fn remove_incomplete_snapshots(&self) {
        let snapshots = self.directory().join(SNAPSHOT_DIRECTORY);
        for name in self.disk.list(&snapshots).unwrap_or_default() {
            let directory = snapshots.join(name);
            let names = self.disk.list(&directory).unwrap_or_default();
            if names.iter().any(|name| name == INCOMPLETE) {
                self.remove_snapshot(&directory);
                tracing::info!(path = %directory.display(), "a snapshot that was not finished was removed");
            }
        }
    }

    /// The descriptions of metrics stand in no block: a log of their own takes them along.
    fn write_descriptions(&self, directory: &Path, number: u64) -> Result<(), Error> {
        let commits = Commits::new(
            Arc::clone(&self.disk),
            directory.to_owned(),
            Arc::clone(&self.clock),
            log::Acknowledge::Synced,
        );
        let mut encoder = LogEncoder::new(number);
        for (name, metadata) in self.descriptions().by_name() {
            encoder
                .describe(name, metadata)
                .expect("invariant: descriptions are shorter than records");
        }
        commits
            .prepare(number)
            .and_then(|()| {
                commits.publish(number, encoder.finish());
                commits.close()
            })
            .map_err(Error::from)
    }

    fn remove_snapshot(&self, directory: &Path) {
        let mut is_empty = true;
        for inner in [BLOCK_DIRECTORY, LOG_DIRECTORY] {
            let inner: PathBuf = directory.join(inner);
            for name in self.disk.list(&inner).unwrap_or_default() {
                is_empty &= self.disk.remove(&inner.join(name)).is_ok();
            }
            // The mark goes last, also if power fails.
            is_empty &= match self.disk.sync_directory(&inner) {
                Err(error) => error.kind() == io::ErrorKind::NotFound,
                Ok(()) => true,
            };
        }
        // What cannot be removed now is tried again at the next start.
        if is_empty {
            let _ = self.disk.remove(&directory.join(INCOMPLETE));
        }
    }
}
