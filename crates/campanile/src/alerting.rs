//! The loops around the state machines of alerting: they wait, apply and carry out, and decide nothing themselves.
//!
//!     evaluation (rules) ─┐
//!                         ├─ alerts ─► routing ─ notifications ─► delivery ─► receivers
//!     monitoring (checks) ┘               ▲                          │
//!                                         └───────── outcomes ───────┘
//!
//! What must survive a restart is in the catalog before anyone is told of it: a monitor's change of state before its
//! alert, a notification's intent before it is sent, its outcome together with the state that follows from it.

pub(crate) mod delivery;
pub(crate) mod evaluation;
pub(crate) mod journal;
mod measurements;
pub(crate) mod metrics;
pub(crate) mod monitoring;
mod pruning;
pub(crate) mod routing;
pub(crate) mod turns;
