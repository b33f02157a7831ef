//! What must be kept besides samples: the journal of notifications, the states of state machines, and what monitors went
//! through, and who may come in. It lies in one SQLite file, `catalog.sqlite` in the data directory, or in a database of a PostgreSQL
//! server; `docs/formats/catalog.md` describes it. Both are asked the same questions.
//!
//! What belongs together is collected in [`Changes`] and written by [`Catalog::commit`] in one transaction: afterwards
//! all of it is on disk, or nothing. Reading goes by other connections and never holds up a writer. Users, teams, tokens and
//! sessions are changed one at a time, through the port that [`Catalog`] implements, `access::AccessStore`.
//!
//! It does not know what a state's bytes mean, nor who sends, checks or shows.

mod access;
mod catalog;
mod changes;
mod error;
mod file;
mod journal;
mod metrics;
mod place;
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
