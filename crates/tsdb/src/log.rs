//! The write-ahead log: one file of checksummed records for each memtable.
//!
//! [`LogEncoder`] turns series, samples and attachments into records, in memory. [`Commits`] writes and syncs what was
//! encoded, once for all who wait. [`replay`] reads a file back, and leaves out whatever is broken or cannot be trusted.
//! `docs/formats/wal.md` describes the bytes; [`record`] frames them, [`run`] packs samples that share a timestamp.

mod commit;
mod dictionary;
mod encoder;
mod failure;
mod file;
mod reader;
mod record;
mod replay;
mod report;
mod run;
mod window;

pub(crate) use commit::{Acknowledge, Commits, Ticket};
pub(crate) use encoder::LogEncoder;
pub(crate) use failure::LogFailure;
pub(crate) use file::{file_name, parse_file_name};
pub(crate) use reader::{LogContents, Pairs, Run};
pub(crate) use record::{FILE_HEADER, VERSION, file_header};
pub(crate) use replay::replay;
pub use replay::{ReplayError, inspect_log};
pub use report::{BrokenStretch, ReplayReport};

#[cfg(test)]
mod tests;
