//! What must be kept besides samples: the journal of notifications, the states of state machines, and what monitors went
//! through. It lies in one SQLite file, `catalog.sqlite` in the data directory; `docs/formats/catalog.md` describes it.
//!
//! What belongs together is collected in [`Changes`] and written by [`Catalog::commit`] in one transaction: afterwards
//! all of it is on disk, or nothing. Reading goes by other connections and never holds up a writer.
//!
//! It does not know what a state's bytes mean, nor who sends, checks or shows.

mod catalog;
mod changes;
mod error;
mod file;
mod journal;
mod metrics;
mod prune;
mod saved;
mod schema;
mod states;
mod text;
mod transitions;
mod writer;

pub use catalog::Catalog;
pub use changes::Changes;
pub use error::Error;
pub use transitions::MonitorTransition;

#[cfg(test)]
mod tests;
