//! The embedded time-series store: samples go into a log and into memory, from there into blocks, and come out by labels.
//!
//! It is no server and no query engine, knows no tokio, and reaches time and files only through ports.
//!
//! The way of a batch: [`Store`] (ports) → `append` (decide) → `registry` (bytes → series), `memtable` (samples in
//! memory) and `log` (records on disk, synced for all who wait). The way onto disk: `flush` (memtable → `block`, whose
//! columns `codec` packs) → `compaction` (blocks → fewer blocks) → `retention`. The way of a question: `Store` →
//! `selected` (what a `view` of memtables and blocks holds, merged). On opening, `recovery` reads the log back. `examine`
//! looks at the files, and mends them, without a store.

mod admin;
mod append;
mod attachment;
mod background;
mod block;
mod codec;
mod coding;
mod compaction;
mod condition;
mod config;
mod descriptions;
mod error;
mod examine;
mod files;
mod flush;
mod for_rules;
mod log;
mod memtable;
mod metrics;
mod os_disk;
mod recovery;
mod registry;
mod retention;
mod room;
mod selected;
mod shared;
mod snapshot;
mod store;
mod tombstones;
mod view;
mod words;

pub use attachment::count_attachment;
pub use block::inspect_block;
pub use codec::inspect_columns;
pub use config::{Acknowledge, Config};
pub use error::Error;
pub use examine::{
    Depth, FileKind, FileReport, Progress, RepairStep, examine, examine_file, repair,
};
pub use log::{BrokenStretch, ReplayError, ReplayReport, inspect_log};
pub use os_disk::OsDisk;
pub use recovery::Recovery;
pub use store::Store;
pub use tombstones::inspect_tombstones;

#[cfg(test)]
mod tests;
