//! The HTTP interface on the one listen address: the web pages, Prometheus' API, monitors, notifications, ingestion,
//! health, own metrics.
//!
//! It knows no store and no collector: it reaches them through the [`Ports`] that the program hands in. The way of a
//! request: [`Server::run`] accepts the connection, encrypts it and bounds its time and size (`connection`), `front` finds out
//! where it comes from, `observe` counts and logs it, `guard` refuses what is too much or comes from a foreign web page, and a handler reads its parameters,
//! lets blocking work run on a thread of its own and writes the answer.
//!
//! What it is not: it holds no state but counters and limits, opens no file and knows no configuration file.

mod accounts;
mod active_queries;
mod answer;
mod auth;
mod body;
mod bounds;
mod compression;
mod config;
mod connection;
mod cors;
mod descriptions;
mod docs;
mod error;
mod exposition;
mod feed;
mod front;
mod guard;
mod health;
mod ingest;
mod json;
mod json_body;
mod metrics;
mod monitors;
mod notifications;
mod observe;
mod openapi;
mod origin;
mod pages;
mod parameters;
mod ports;
mod prometheus;
mod query_gate;
mod rate;
mod router;
mod running;
mod security_headers;
mod server;
mod stream;
mod tls;

pub use auth::settings::{AccessMode, AccessSettings, Hidden, OidcSettings};
pub use config::{Config, Limits};
pub use cors::{InvalidOrigin, WebOrigin};
pub use feed::{AlertChange, AlertPhase, Feed, FeedLimits};
pub use origin::TrustedProxies;
pub use ports::{
    Build, LastCheck, MonitorStatus, Notifications, Ports, Provider, ProviderAnswer,
    ProviderRequest, RuleGroup, Status, Transitions, WatchedMonitor,
};
pub use rate::{InvalidRate, Rate, RateLimits};
pub use running::{Asker, QueryKind, RunningQueries, RunningQuery};
pub use server::Server;
pub use tls::{TlsIdentity, TlsProblem, TlsSettings};

#[cfg(test)]
mod tests;
