//! The HTTP interface on the one listen address: the web pages, Prometheus' API, monitors, notifications, ingestion,
//! health, own metrics.
//!
//! It knows no store and no collector: it reaches them through the [`Ports`] that the program hands in. The way of a
//! request: [`Server::run`] accepts the connection and bounds its time and size (`connection`), `observe` counts and
//! logs it, `guard` refuses what is too much or comes from a foreign web page, and a handler reads its parameters,
//! lets blocking work run on a thread of its own and writes the answer.
//!
//! What it is not: it holds no state but counters and limits, opens no file and knows no configuration file.

mod active_queries;
mod answer;
mod body;
mod compression;
mod config;
mod connection;
mod descriptions;
mod docs;
mod error;
mod exposition;
mod feed;
mod guard;
mod health;
mod ingest;
mod json;
mod metrics;
mod monitors;
mod notifications;
mod observe;
mod pages;
mod parameters;
mod ports;
mod prometheus;
mod query_gate;
mod router;
mod running;
mod server;
mod stream;

pub use config::{Config, Limits};
pub use feed::{AlertChange, AlertPhase, Feed, FeedLimits};
pub use ports::{
    Build, LastCheck, MonitorStatus, Notifications, Ports, RuleGroup, Status, Transitions,
    WatchedMonitor,
};
pub use running::{Asker, QueryKind, RunningQueries, RunningQuery};
pub use server::Server;

#[cfg(test)]
mod tests;
