//! Looks at the files of a store without opening it: what each is, what is in it, whether it is sound.
//!
//! It works beside a running server and takes no lock: files may grow or vanish meanwhile, which is no fault of theirs.
//! [`FORMATS`] lists which files there are and who reads them. A reader fills the report and says what would help, if
//! anything is wrong; [`repair`] does that, under the store's lock.

mod blocks;
mod deletions;
mod logs;
mod quarantine;
mod repair;
mod salvage;

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::date::format_rfc3339;
use model::{Disk, Timestamp};

pub use repair::{RepairStep, repair};

use crate::files::BROKEN_SUFFIX;
use crate::log::parse_file_name;
use crate::shared::{BLOCK_DIRECTORY, LOG_DIRECTORY, block_number};
use crate::store::LOCK_FILE;
use crate::tombstones;

/// How much of a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What the file says of itself: of a block the footer, of everything else all.
    Overview,
    /// Every byte.
    Full,
}

/// What is known of a file after it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
    /// The version of its format, as far as it has one that can be read.
    pub version: Option<u32>,
    /// Its length.
    pub bytes: u64,
    /// What is in it: a name and a value for people, in a fixed order.
    pub details: Vec<(String, String)>,
    /// What is wrong with it; empty if it is sound.
    pub problems: Vec<String>,
    cure: Option<Cure>,
}

/// What a file of a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file of the write-ahead log.
    Log,
    /// A block of samples that does not change any more.
    Block,
    /// The list of what was deleted.
    Tombstones,
    /// The file that the server which runs holds.
    Lock,
    /// A file that was not yet, or never, written to its end.
    Unfinished,
    /// A file that the store could not read and renamed.
    SetAside,
    /// A file that is none of ours.
    Unknown,
}

/// How far an examination is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file that is read now.
    pub path: &'a Path,
    /// Files that were read before it.
    pub done: usize,
    /// Files in all.
    pub files: usize,
}

/// What would help a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cure {
    /// Nothing of it can be read, or it is of no use here: it goes to where it harms nobody.
    SetAside,
    /// What can be read of it is written anew in its place.
    Salvage,
    /// What stands from here on is no record.
    Cut(u64),
    /// It is of no use to anyone.
    Remove,
}

/// One kind of file.
struct Format {
    kind: FileKind,
    /// Where it lies below the store's directory.
    directory: &'static str,
    is_named: fn(&str) -> bool,
    /// Reads a file. Errors: the disk refuses.
    read: fn(&Arc<dyn Disk>, Depth, &mut FileReport) -> io::Result<()>,
}

/// What a file's name ends with while it is written.
const UNFINISHED: &str = ".tmp";

/// How many problems of a file are told one by one.
const PROBLEMS_MAX: usize = 10;

const FORMATS: &[Format] = &[
    Format {
        kind: FileKind::Lock,
        directory: "",
        is_named: |name| name == LOCK_FILE,
        // Whoever would lock it to look could keep a server from starting.
        read: |_, _, _| Ok(()),
    },
    Format {
        kind: FileKind::Log,
        directory: LOG_DIRECTORY,
        is_named: |name| parse_file_name(name).is_some(),
        read: |disk, _, report| logs::read(disk, report),
    },
    Format {
        kind: FileKind::Block,
        directory: BLOCK_DIRECTORY,
        is_named: |name| block_number(name).is_some(),
        read: blocks::read,
    },
    Format {
        kind: FileKind::Tombstones,
        directory: BLOCK_DIRECTORY,
        is_named: |name| name == tombstones::FILE,
        read: deletions::read,
    },
];

impl FileKind {
    /// The kind in a word or two.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Block => "block",
            Self::Tombstones => "tombstones",
            Self::Lock => "lock",
            Self::Unfinished => "unfinished file",
            Self::SetAside => "set aside",
            Self::Unknown => "not of the store",
        }
    }
}

impl FileReport {
    /// Whether nothing is wrong with it.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn new(path: &Path, kind: FileKind, bytes: u64) -> Self {
        let cure = match kind {
            FileKind::SetAside => match formerly(path) {
                Some(FileKind::Log | FileKind::Block) => Some(Cure::Salvage),
                _ => Some(Cure::SetAside),
            },
            FileKind::Unfinished => Some(Cure::Remove),
            _ => None,
        };
        Self {
            path: path.to_owned(),
            kind,
            version: None,
            bytes,
            details: Vec::new(),
            problems: Vec::new(),
            cure,
        }
    }

    fn detail(&mut self, name: &str, value: impl Display) {
        self.details.push((name.to_owned(), value.to_string()));
    }

    /// Tells the oldest and the newest timestamp, in milliseconds, if there are samples.
    fn range(&mut self, range: Option<(i64, i64)>) {
        if let Some((first, last)) = range {
            let [first, last] = [first, last].map(Timestamp::from_millis);
            self.detail("first sample", format_rfc3339(first));
            self.detail("last sample", format_rfc3339(last));
        }
    }

    fn name(&self) -> &str {
        name(&self.path)
    }
}

/// Reads every file of the store in `directory`, in order of their names, as far as `depth` says.
///
/// Errors: there is no store, or the disk refuses to list it. A file that the disk refuses is a problem of that file.
pub fn examine(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    depth: Depth,
    progress: &mut dyn FnMut(Progress<'_>),
) -> io::Result<Vec<FileReport>> {
    let paths = files(disk, directory)?;
    let mut reports = Vec::with_capacity(paths.len());
    for (done, path) in paths.iter().enumerate() {
        progress(Progress {
            path,
            done,
            files: paths.len(),
        });
        match examine_file(disk, path, depth) {
            // The server that runs needs it no more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let mut report = FileReport::new(path, kind(path), 0);
                report.problems.push(format!("cannot be read: {error}"));
                reports.push(report);
            }
            Ok(report) => reports.push(report),
        }
    }
    Ok(reports)
}

/// Reads one file, wherever it lies; its name tells what it is.
///
/// Errors: the disk refuses.
pub fn examine_file(disk: &Arc<dyn Disk>, path: &Path, depth: Depth) -> io::Result<FileReport> {
    let kind = kind(path);
    let mut report = FileReport::new(path, kind, disk.length(path)?);
    if let Some(format) = format(path) {
        (format.read)(disk, depth, &mut report)?;
    }
    Ok(report)
}

/// The files of the store's directories. Errors: it has none of them, or the disk refuses.
fn files(disk: &Arc<dyn Disk>, directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut is_store = false;
    let mut last = "";
    let lock = directory.join(LOCK_FILE);
    match disk.length(&lock) {
        // Beside it lies what is none of the store's.
        Ok(_) => paths.push(lock),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for format in FORMATS {
        if format.directory == last {
            continue;
        }
        last = format.directory;
        let below = directory.join(last);
        match disk.list(&below) {
            Ok(names) => {
                is_store = true;
                paths.extend(names.iter().map(|name| below.join(name)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    if is_store {
        return Ok(paths);
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        "no store is there: name its directory with --data-dir",
    ))
}

fn kind(path: &Path) -> FileKind {
    let name = name(path);
    match format(path) {
        Some(format) => format.kind,
        None if name.ends_with(UNFINISHED) => FileKind::Unfinished,
        None if name.ends_with(BROKEN_SUFFIX) => FileKind::SetAside,
        None => FileKind::Unknown,
    }
}

fn format(path: &Path) -> Option<&'static Format> {
    let name = name(path);
    FORMATS.iter().find(|format| (format.is_named)(name))
}

/// What a file was before it was set aside.
fn formerly(path: &Path) -> Option<FileKind> {
    let name = name(path).strip_suffix(BROKEN_SUFFIX)?;
    Some(format(Path::new(name))?.kind)
}

/// Lines about a file, of which there may be very many.
#[derive(Default)]
struct Problems {
    lines: Vec<String>,
    others: u64,
}

impl Problems {
    fn add(&mut self, problem: String) {
        match self.lines.len() < PROBLEMS_MAX {
            true => self.lines.push(problem),
            false => self.others += 1,
        }
    }

    fn into_lines(mut self) -> Vec<String> {
        if self.others > 0 {
            self.lines
                .push(format!("and {} more of this kind", self.others));
        }
        self.lines
    }
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

#[cfg(test)]
mod tests;
