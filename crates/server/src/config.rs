//! What bounds the server. Each number answers "how much may a stranger take from us".

use std::net::IpAddr;
use std::time::Duration;

use crate::{AccessSettings, FeedLimits};

/// Bounds that hold from start to end.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Connections that are open at once; for the next one those that lie idle are closed, or it waits.
    pub connections_max: usize,
    /// Connections that are open at once from one address, or from one /64 of IPv6; the next one is closed. Trusted proxies
    /// have no such limit.
    pub connections_per_address_max: usize,
    /// Requests that are answered at once; the next one gets 503.
    pub concurrent_requests: usize,
    /// Queries that are evaluated at once; further ones wait.
    pub concurrent_queries: usize,
    /// Queries that wait for their turn; the next one gets 503.
    pub queued_queries: usize,
    /// Write requests that are decoded and appended at once; further ones wait with their body in memory.
    pub concurrent_appends: usize,
    /// Bytes of one request's body, as sent.
    pub request_body_max: usize,
    /// Bytes of one request's body, decompressed.
    pub decompressed_max: usize,
    /// Bytes of all bodies that are in memory at once, as sent; what comes on top gets 503.
    pub request_bodies_total_max: usize,
    /// Time to send a request's head, and time that a connection may lie idle.
    pub header_timeout: Duration,
    /// Time to send a request's body.
    pub body_timeout: Duration,
    /// Time for which a client may read nothing of its answer.
    pub write_timeout: Duration,
    /// Time until the head of an answer, for what has no other limit; queries and writes have theirs in any case.
    pub request_timeout: Duration,
    /// Time for which requests are still taken after shutdown was asked for, while the server says that it is not ready: a
    /// load balancer needs some seconds to notice.
    pub shutdown_delay: Duration,
    /// Time for running requests to end after the listener was closed; then they are cut off.
    pub drain_timeout: Duration,
    /// For how long a browser that came by https is to come by https only; zero asks for nothing. It counts for the host
    /// with all its ports, so whatever else speaks plain HTTP under the same name cannot be reached by that browser.
    pub hsts_max_age: Duration,
    /// Names that the `Host` header may have, without port; empty takes any.
    ///
    /// A listener on loopback should name them (see [`Config::loopback_hosts`]): otherwise a web page can point a name
    /// of its own at 127.0.0.1 and read and write through the browser of whoever visits it.
    pub hosts: Vec<String>,
    /// Who may come in, at the start; [`crate::Server::set_access`] changes it.
    pub access: AccessSettings,
    /// Whether the routes that change the store answer at the start; [`crate::Server::set_admin_api`] changes it.
    pub admin_api: bool,
    /// Bounds of the live feed; a [`crate::Feed`] is made with them.
    pub feed: FeedLimits,
    /// What the limits of queries are at the start; [`crate::Server::set_limits`] changes them.
    pub limits: Limits,
}

/// Bounds of queries, which a reload may change.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Time that a query may take, waiting included; a request may ask for less.
    pub query_timeout: Duration,
    /// What one evaluation may use; a request may ask for another `lookback_delta`.
    pub evaluation: promql::Limits,
}

impl Config {
    /// The hosts under which a machine reaches itself, the address on which it listens among them.
    pub fn loopback_hosts(address: IpAddr) -> Vec<String> {
        let mut hosts = ["localhost", "127.0.0.1", "[::1]"]
            .map(str::to_owned)
            .to_vec();
        let own = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        if !hosts.contains(&own) {
            hosts.push(own);
        }
        hosts
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections_max: 2048,
            connections_per_address_max: 1024,
            concurrent_requests: 512,
            concurrent_queries: 20,
            queued_queries: 256,
            concurrent_appends: 4,
            request_body_max: 16 << 20,
            decompressed_max: 32 << 20,
            request_bodies_total_max: 256 << 20,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(300),
            shutdown_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
            hsts_max_age: Duration::from_secs(365 * 86_400),
            hosts: Vec::new(),
            access: AccessSettings::default(),
            admin_api: false,
            feed: FeedLimits::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_timeout: Duration::from_secs(120),
            evaluation: promql::Limits::default(),
        }
    }
}
