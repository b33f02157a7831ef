//! The embedded time-series store: samples go into a write-ahead log and a head in memory, and come out by labels.
//!
//! It is no server and no query engine, knows no tokio, and reaches time and files only through ports.
//!
//! The way of a batch: [`Store`] (ports) → `append` (decide, log, show) → `wal` (records on disk) and `series`
//! (samples in memory, packed by `chunk`). The way of a question: `Store` → `index` (labels → series) → `series`.
//! On opening, `recovery` reads the log back; `retention` drops what is old or too much.

mod append;
mod background;
mod chunk;
mod coding;
mod config;
mod descriptions;
mod error;
mod index;
mod keys;
mod metrics;
mod os_disk;
mod recovery;
mod retention;
mod series;
mod shared;
mod store;
mod table;
mod wal;

pub use config::Config;
pub use error::Error;
pub use os_disk::OsDisk;
pub use recovery::{BrokenRecord, Recovery, inspect_segment};
pub use store::Store;

#[cfg(test)]
mod tests;
