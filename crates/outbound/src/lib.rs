//! Requests that leave the house: the one place that makes HTTP clients and resolves names for them.
//!
//! A request goes where somebody said, and that somebody may mean ill: a webhook to 127.0.0.1, a monitor of the cloud's
//! metadata service, a name whose address is another one at the second look. Each client therefore has a [`Trust`], and
//! what it may reach is decided on the very address to which it connects: after the name was resolved, for each redirect
//! anew, and for addresses that stand in the URL in whatever spelling. So a changed answer of a name server changes nothing.
//!
//! What it is not: it knows neither receivers nor monitors. Checks of web sites connect by themselves, since they measure
//! each phase (`crates/collect/src/probe/connect.rs`), and ask [`Trust`] as well.

mod client;
mod error;
mod names;
mod trust;

pub use client::{Answer, Client, Limits, default_tls};
pub use error::Error;
pub use names::{Lookup, Names, SystemNames};
pub use trust::{Allowed, Refused, Trust, is_public};

#[cfg(test)]
mod tests;
