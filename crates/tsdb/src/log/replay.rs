//! Reads a log's file from its beginning to its end, with a few MiB of it in memory.

use std::io;
use std::path::{Path, PathBuf};

use model::{Disk, DiskRead, Metadata};
use thiserror::Error;

use super::file::file_name;
use super::reader::{LogContents, Pairs, Reader, Run};
use super::record::{FILE_HEADER, FileHeader, RECORD_HEADER, VERSION, parse_file_header};
use super::report::{BrokenStretch, BrokenStretches, ReplayReport};
use super::window::{Stretch, Stretches, Window};

/// Why a log's file was not read to its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It was written by a version that this one does not know; nothing was read.
    #[error(
        "{path} has format version {version}, this program reads version {VERSION}: use the program that wrote it, or move the file away"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The disk refused; some of it may have been read.
    #[error("cannot read {path}: {source}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the file `number` at `path` and hands over what is in it. Whatever is broken is skipped and reported.
///
/// Errors: another version, or the disk refused.
pub(crate) fn replay(
    disk: &dyn Disk,
    path: &Path,
    number: u64,
    contents: &mut impl LogContents,
) -> Result<ReplayReport, ReplayError> {
    let refused = |source| ReplayError::Disk {
        path: path.to_owned(),
        source,
    };
    let length = disk.length(path).map_err(refused)?;
    let file = disk.open_read(path).map_err(refused)?;
    read(&*file, length, path, number, contents)
}

/// Reads `file`, the content of the file `number`, as opening a store does, and says what is in it. Any bytes may be
/// given.
///
/// Errors: another version.
pub fn inspect_log(number: u64, file: &[u8]) -> Result<ReplayReport, ReplayError> {
    struct Nothing;
    impl LogContents for Nothing {
        fn define(&mut self, _: u32, _: Pairs<'_>) {}
        fn samples(&mut self, _: Run<'_>) {}
        fn attachment(&mut self, _: u32, _: u8, _: i64, _: &[u8]) {}
        fn describe(&mut self, _: &str, _: Metadata) {}
    }
    let path = PathBuf::from(file_name(number));
    read(&Bytes(file), file.len() as u64, &path, number, &mut Nothing)
}

struct Bytes<'a>(&'a [u8]);

impl DiskRead for Bytes<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let rest = start.and_then(|start| self.0.get(start..));
        let bytes = rest.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn read(
    file: &dyn DiskRead,
    length: u64,
    path: &Path,
    number: u64,
    contents: &mut impl LogContents,
) -> Result<ReplayReport, ReplayError> {
    let mut report = ReplayReport {
        number,
        bytes: length,
        ..ReplayReport::default()
    };
    // What is broken and may still turn out to be the end.
    let mut trailing = BrokenStretches::default();
    let refused = |source| ReplayError::Disk {
        path: path.to_owned(),
        source,
    };
    let mut window = Window::new(file, length);
    let header = window.at(0, FILE_HEADER).map_err(refused)?;
    match parse_file_header(number, header) {
        FileHeader::Current => report.end = FILE_HEADER as u64,
        FileHeader::OtherVersion(version) => {
            let path = path.to_owned();
            return Err(ReplayError::Version { path, version });
        }
        FileHeader::Broken if length > 0 => trailing.push(BrokenStretch {
            offset: 0,
            length: length.min(FILE_HEADER as u64),
            reason: "no whole file header of this number",
        }),
        FileHeader::Broken => {}
    }
    let mut stretches = Stretches::new(number, window);
    let mut reader = Reader::default();
    while let Some(stretch) = stretches.next().map_err(refused)? {
        let (offset, kind, length) = match stretch {
            Stretch::Record {
                offset,
                kind,
                length,
            } => (offset, kind, length),
            Stretch::Broken {
                offset,
                length,
                reason,
            } => {
                trailing.push(BrokenStretch {
                    offset,
                    length,
                    reason,
                });
                continue;
            }
        };
        report.broken.append(std::mem::take(&mut trailing));
        report.records += 1;
        report.end = offset + (RECORD_HEADER + length) as u64;
        let payload = stretches.payload(offset, length).map_err(refused)?;
        let applied = reader.apply(kind, payload, offset, contents, &mut report);
        if applied.is_none() {
            report.broken.push(BrokenStretch {
                offset,
                length: (RECORD_HEADER + length) as u64,
                reason: "payload is malformed",
            });
        }
    }
    report.torn_bytes = length - report.end;
    Ok(report)
}
