//! /etc/hosts and /etc/resolv.conf, read anew when they change.
//!
//! A lookup looks at their times at most every two seconds: two calls to the kernel, and a change is seen before anybody
//! asks why it is not.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use super::Addresses;

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Lists that block advertisements have a few megabytes; more than this is a mistake and is not read.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// As many as the C library asks.
const SERVERS_MAX: usize = 3;
const SEARCH_MAX: usize = 32;
const NDOTS_MAX: usize = 15;
const DNS_PORT: u16 = 53;

/// What the files say.
pub(super) struct Files {
    hosts_path: PathBuf,
    settings_path: PathBuf,
    /// When they were looked at last, on the monotonic clock.
    looked: Option<Duration>,
    hosts_changed: Option<SystemTime>,
    settings_changed: Option<SystemTime>,
    hosts: HashMap<String, Addresses, RandomState>,
    settings: Settings,
}

/// What /etc/resolv.conf says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    /// A name with fewer dots is sought below the search domains first.
    ndots: usize,
}

impl Files {
    pub(super) fn new(etc: PathBuf) -> Self {
        Self {
            hosts_path: etc.join("hosts"),
            settings_path: etc.join("resolv.conf"),
            looked: None,
            hosts_changed: None,
            settings_changed: None,
            hosts: HashMap::default(),
            settings: parse_settings(""),
        }
    }

    /// Reads what has changed. A file that is gone says nothing.
    pub(super) fn refresh(&mut self, now: Duration) {
        let is_fresh = |looked: Duration| now.saturating_sub(looked) < LOOK_EVERY;
        if self.looked.is_some_and(is_fresh) {
            return;
        }
        self.looked = Some(now);
        if let Some(text) = changed(&self.hosts_path, &mut self.hosts_changed) {
            self.hosts = parse_hosts(&text);
        }
        if let Some(text) = changed(&self.settings_path, &mut self.settings_changed) {
            self.settings = parse_settings(&text);
        }
    }

    /// The addresses that /etc/hosts gives a name in lower case.
    pub(super) fn hosts(&self, name: &str) -> Option<Addresses> {
        self.hosts.get(name).cloned()
    }

    pub(super) fn servers(&self) -> &[SocketAddr] {
        &self.settings.servers
    }

    /// The names to ask for, in order.
    pub(super) fn names(&self, host: &str) -> Vec<String> {
        let below = self.settings.search.iter();
        let mut names: Vec<String> = below.map(|domain| format!("{host}.{domain}")).collect();
        let is_whole = host.matches('.').count() >= self.settings.ndots;
        let at = if is_whole { 0 } else { names.len() };
        names.insert(at, host.to_owned());
        names.retain(|name| super::is_host_name(name));
        names
    }
}

/// The text of a file whose time is another than `seen`; "" once it is gone. What cannot be read now, for want of
/// descriptors, is read when it can be; until then what was known holds.
fn changed(path: &Path, seen: &mut Option<SystemTime>) -> Option<String> {
    let metadata = std::fs::metadata(path).ok();
    let time = metadata.as_ref().and_then(|file| file.modified().ok());
    if time == *seen {
        return None;
    }
    let is_small = metadata.is_some_and(|file| file.len() <= FILE_BYTES_MAX);
    let bytes = if is_small {
        match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(_) => return None,
        }
    } else {
        Vec::new()
    };
    *seen = time;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse_hosts(text: &str) -> HashMap<String, Addresses, RandomState> {
    let mut hosts: HashMap<String, Vec<IpAddr>, RandomState> = HashMap::default();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut fields = line.split_whitespace();
        let Some(Ok(address)) = fields.next().map(str::parse::<IpAddr>) else {
            continue;
        };
        for name in fields {
            let addresses = hosts.entry(name.to_ascii_lowercase()).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    hosts
        .into_iter()
        .map(|(name, addresses)| (name, Arc::from(addresses)))
        .collect()
}

/// Without any server it is that of this machine, as for the C library.
fn parse_settings(text: &str) -> Settings {
    let mut settings = Settings {
        servers: Vec::new(),
        search: Vec::new(),
        ndots: 1,
    };
    for line in text.lines() {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let mut fields = line.split_whitespace();
        match fields.next() {
            Some("nameserver") => {
                let server = fields.next().and_then(parse_server);
                settings.servers.extend(server);
            }
            Some("search" | "domain") => {
                let domains =
                    fields.map(|domain| domain.trim_end_matches('.').to_ascii_lowercase());
                settings.search = domains
                    .filter(|domain| !domain.is_empty())
                    .take(SEARCH_MAX)
                    .collect();
            }
            Some("options") => {
                let mut ndots =
                    fields.filter_map(|option| option.strip_prefix("ndots:")?.parse().ok());
                settings.ndots = ndots.next_back().unwrap_or(settings.ndots).min(NDOTS_MAX);
            }
            _ => {}
        }
    }
    settings.servers.truncate(SERVERS_MAX);
    if settings.servers.is_empty() {
        settings
            .servers
            .push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
    }
    settings
}

/// An address; the interface behind a `%` of a link-local one is given by its number only.
fn parse_server(text: &str) -> Option<SocketAddr> {
    if let Some((address, scope)) = text.split_once('%') {
        let scope = scope.parse().ok()?;
        let address = address.parse().ok()?;
        return Some(std::net::SocketAddrV6::new(address, DNS_PORT, 0, scope).into());
    }
    let address: IpAddr = text.parse().ok()?;
    Some(SocketAddr::new(address, DNS_PORT))
}

#[cfg(test)]
mod tests;
