//! The write-ahead log: numbered segments of checksummed records.
//!
//! Each segment can be read on its own: it defines the series that it has samples of, and repeats the metadata.
//! So an old segment is simply removed. `docs/formats/wal.md` describes the bytes. [`record`] frames and finds
//! records, [`payload`] is what is in them, [`writer`] appends, [`sync`] makes durable.

pub(crate) mod payload;
pub(crate) mod record;
pub(crate) mod sync;
pub(crate) mod writer;

/// What the name of a segment's file ends with.
const EXTENSION: &str = ".wal";

/// The name of a segment's file: `00000001.wal`.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:08}{EXTENSION}")
}

/// The number of a segment by the name of its file; none if the file is no segment.
pub(crate) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    let number = digits.parse().ok()?;
    (file_name(number) == name).then_some(number)
}
