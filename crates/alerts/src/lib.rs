//! Which alerts are told to whom, when, and together with which others: routes, groups, deduplication, cooldown.
//!
//! One synchronous state machine, [`State`]: an [`Event`] and the time go in, [`Action`]s come out. The loop around it
//! waits until [`State::next_wake`], keeps [`State::snapshot`] on disk *before* it carries out what came out, and says
//! with [`Event::Sent`] what became of each [`Notification`]. Then a restart repeats nothing and forgets nothing.
//! [`Routing`] is Alertmanager's tree; [`config`] reads it from Alertmanager's own format.
//!
//! What it is not: it neither raises alerts nor sends messages, has no clock, does no I/O and knows no channel.

pub mod config;
mod event;
mod group;
mod matchers;
mod routing;
mod snapshot;
mod state;

pub use event::{Action, Event, Notification, NotifiedAlert, Outcome, Reason, Status};
pub use matchers::{InvalidMatchers, parse_matchers};
pub use routing::{
    Cooldown, Destination, GroupBy, GroupId, Integration, Receiver, Route, Routing, Timing,
};
pub use snapshot::InvalidSnapshot;
pub use state::State;
