//! The names of files: as processes see them, and as they are on the disk.
//!
//! Each change of a name waits until its directory is synced. When power fails, any of those that wait have happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// All names of a disk.
#[derive(Default)]
pub(super) struct Names {
    now: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    waiting: Vec<Change>,
    directories: BTreeSet<PathBuf>,
    /// Those whose parent was not synced since they were created.
    new_directories: BTreeSet<PathBuf>,
}

/// A change in one or two directories.
#[derive(Clone)]
pub(super) enum Change {
    Add {
        to: PathBuf,
        file: usize,
    },
    Remove {
        from: PathBuf,
        file: usize,
    },
    /// As one step, in which what was named `to` loses that name.
    Move {
        from: PathBuf,
        to: PathBuf,
        file: usize,
    },
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<usize> {
        self.now.get(path).copied()
    }

    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        if !self.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let paths = self.now.keys().chain(&self.directories);
        let inside = paths.filter(|path| path.parent() == Some(directory));
        let names = inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let names: BTreeSet<_> = names.collect();
        Ok(names.into_iter().collect())
    }

    pub(super) fn create_directory(&mut self, path: &Path) {
        for directory in path.ancestors() {
            if self.directories.insert(directory.to_owned())
                && directory
                    .parent()
                    .is_some_and(|parent| parent.parent().is_some())
            {
                self.new_directories.insert(directory.to_owned());
            }
        }
    }

    /// Whether the directory of a file exists; the root always does.
    pub(super) fn check_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if parent.parent().is_some() && !self.directories.contains(parent) => {
                Err(io::ErrorKind::NotFound.into())
            }
            _ => Ok(()),
        }
    }

    /// Makes a change; the file that has lost a name by it.
    pub(super) fn change(&mut self, change: Change) -> Option<usize> {
        let gone = match &change {
            Change::Add { .. } => None,
            Change::Remove { file, .. } => Some(*file),
            Change::Move { to, .. } => self.get(to),
        };
        change.apply(&mut self.now);
        self.waiting.push(change);
        gone
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync(&mut self, directory: &Path) -> io::Result<()> {
        if directory.parent().is_some() && !self.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        for change in self
            .waiting
            .extract_if(.., |change| change.is_in(directory))
        {
            change.apply(&mut self.durable);
        }
        self.new_directories
            .retain(|new| new.parent() != Some(directory));
        Ok(())
    }

    pub(super) fn lose_power(&mut self, random: &mut dyn FnMut() -> u64) {
        // Mostly some of the first ones, as journals do; but none promises it.
        let in_order = !random().is_multiple_of(3);
        let mut is_written = true;
        for change in self.waiting.drain(..) {
            let is_lucky = random().is_multiple_of(2);
            is_written = if in_order {
                is_written && (is_lucky || random().is_multiple_of(2))
            } else {
                is_lucky
            };
            if is_written {
                change.apply(&mut self.durable);
            }
        }
        for directory in std::mem::take(&mut self.new_directories) {
            if random().is_multiple_of(2) {
                self.durable.retain(|path, _| !path.starts_with(&directory));
                self.directories
                    .retain(|path| !path.starts_with(&directory));
            }
        }
        self.now.clone_from(&self.durable);
    }

    /// The files that have a name.
    pub(super) fn files(&self) -> BTreeSet<usize> {
        self.now.values().copied().collect()
    }

    /// Whether a file has a name, or may have one after a loss of power.
    pub(super) fn leads_to(&self, file: usize) -> bool {
        let mut named = self.now.values().chain(self.durable.values());
        named.any(|named| *named == file) || self.waiting.iter().any(|change| change.file() == file)
    }

    /// The files for which [`Names::leads_to`] is true.
    pub(super) fn reachable(&self) -> BTreeSet<usize> {
        let named = self.now.values().chain(self.durable.values()).copied();
        let waiting = self.waiting.iter().map(Change::file);
        named.chain(waiting).collect()
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Add { to, file } => _ = names.insert(to.clone(), *file),
            Self::Remove { from, file } => remove(names, from, *file),
            Self::Move { from, to, file } => {
                remove(names, from, *file);
                names.insert(to.clone(), *file);
            }
        }
    }

    fn file(&self) -> usize {
        match self {
            Self::Add { file, .. } | Self::Remove { file, .. } | Self::Move { file, .. } => *file,
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        let is_in = |path: &PathBuf| path.parent() == Some(directory);
        match self {
            Self::Add { to, .. } => is_in(to),
            Self::Remove { from, .. } => is_in(from),
            Self::Move { from, to, .. } => is_in(from) || is_in(to),
        }
    }
}

/// Takes a name away if it still is that file's.
fn remove(names: &mut BTreeMap<PathBuf, usize>, from: &Path, file: usize) {
    if names.get(from) == Some(&file) {
        names.remove(from);
    }
}
