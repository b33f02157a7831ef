//! Rules: what is recorded and what is alarming, in Prometheus' format, and the state of each alert.
//!
//! [`parse`] reads a rule file into [`GroupDefinition`]s. A [`Group`] is such a definition and its state; the one
//! step is [`Group::evaluate`]: result of the query and time in, samples and alerts out. Pure: no clock, no I/O, no
//! async; the query and the place for samples are handed in.
//!
//! What it is not: it routes no alerts and keeps nothing on disk; [`Group::snapshot`] is what others keep.

mod active_alert;
mod definition;
mod environment;
mod file;
mod group;
mod host;
mod place;
mod rule;
mod snapshot;
mod template;
mod thresholds;

#[cfg(test)]
mod tests;

pub use self::template::Template;
pub use active_alert::{ActiveAlert, AlertState};
pub use definition::{GroupDefinition, RuleDefinition, RuleKind};
pub use environment::{Environment, Query};
pub use file::parse;
pub use group::{Append, Evaluation, Group, RuleError};
pub use host::host_rules;
pub use rule::{Rule, RuleHealth};
pub use snapshot::{AlertSnapshot, GroupSnapshot, RuleSnapshot};
pub use thresholds::Thresholds;
