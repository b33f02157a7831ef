//! Monitors: what is to be checked, when, and what the results mean.
//!
//! [`read_monitors`] makes [`Monitor`]s of the configuration. A [`Watch`] holds them all: it says which checks are to
//! be run now, is told how they ended, and answers with numbered [`Transition`]s and with alerts. [`Schedule`] is the
//! part of it that knows the time, [`availability()`] what of a window a monitor was up, [`History`] the same from memory.
//!
//! What it is not: it checks nothing itself, stores nothing, and asks nobody for the time.

mod alert;
mod availability;
mod history;
mod millis;
mod monitor;
mod schedule;
mod state;
mod watch;

pub use alert::{ALERT_NAME, Outage};
pub use availability::{Availability, availability};
pub use history::History;
pub use monitor::{HttpCheck, Monitor, MonitorList, StatusRange, read_monitors};
pub use schedule::{Run, Schedule};
pub use state::{Memory, Outcome, State, Transition};
pub use watch::{Action, Event, Watch};
