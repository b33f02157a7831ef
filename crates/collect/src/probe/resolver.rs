//! Names to addresses: /etc/hosts, then the DNS servers of /etc/resolv.conf; both are read anew when they change.
//!
//! It is our own stub, since a check must know who is to blame: the name ("does not exist", "its servers fail") or us (no
//! server answers). The way of a lookup:
//! 1. Addresses, `localhost` and names of /etc/hosts need no server; a good answer is kept for its time to live.
//! 2. The name is asked for as it is, or below the search domains first, as `ndots` says.
//! 3. Both families are asked for at once. A server that is silent or fails is passed over for the next, twice around; the
//!    next lookup begins with the server that answered last.
//!
//! There is no DNSSEC, no mDNS, and no other source of names.

mod exchange;
mod files;
mod message;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use foldhash::fast::RandomState;
use model::Clock;

use super::fault::Fault;
use super::network::leads_out;
use exchange::{Reply, Silence, ask};
use files::Files;
use message::{Code, is_host_name};

/// The longest wait for one server, as long as others take for two.
const TRY_MAX: Duration = Duration::from_secs(2);
/// The shortest, within which any server nearby answers.
const TRY_MIN: Duration = Duration::from_millis(50);
/// How often each server is asked: a datagram may be lost.
const ROUNDS: usize = 2;

/// An address that moves is seen within a minute, whatever its time to live.
const KEPT_MAX: Duration = Duration::from_secs(60);
/// One for each monitor; when there are more, all are forgotten, which costs one lookup each.
const NAMES_KEPT_MAX: usize = 10_000;

/// Addresses of one host, never none.
pub(crate) type Addresses = Arc<[IpAddr]>;

/// Looks names up.
pub(crate) struct Resolver {
    clock: Arc<dyn Clock>,
    /// If given, these instead of those of /etc/resolv.conf.
    servers: Option<Vec<SocketAddr>>,
    files: Mutex<Files>,
    kept: Mutex<HashMap<String, Kept, RandomState>>,
    /// Which server answered last.
    answering: AtomicUsize,
    /// Whether this machine has a network; tests have their own.
    leads_out: fn() -> bool,
}

struct Kept {
    addresses: Addresses,
    /// On the monotonic clock.
    until: Duration,
}

/// How far a lookup has come, for when its time is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The servers that were asked and kept silent, each once.
    silent: Vec<SocketAddr>,
    /// The last server that answered, though not with an address.
    answered: Option<(SocketAddr, Code)>,
}

impl Resolver {
    /// A resolver with the files below `etc`, and with the given servers if there are any.
    pub(crate) fn new(
        etc: PathBuf,
        servers: Option<Vec<SocketAddr>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            clock,
            servers,
            files: Mutex::new(Files::new(etc)),
            kept: Mutex::default(),
            answering: AtomicUsize::new(0),
            leads_out,
        }
    }

    /// The addresses of a host, of IPv6 and IPv4 in turn. `budget` is the time that the caller will wait.
    ///
    /// Errors: the target's fault if a server has answered that the name has no address or that it cannot find out, our own
    /// if none has answered.
    pub(crate) async fn resolve(
        &self,
        host: &str,
        budget: Duration,
        progress: &mut Progress,
    ) -> Result<Addresses, Fault> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Arc::new([address]));
        }
        if host == "localhost" || host.ends_with(".localhost") {
            return Ok(Arc::new([
                IpAddr::V6(Ipv6Addr::LOCALHOST),
                IpAddr::V4(Ipv4Addr::LOCALHOST),
            ]));
        }
        if !is_host_name(host) {
            return Err(Fault::target(format!("{host} is no name of a host")));
        }
        let now = self.clock.monotonic();
        let (known, names, servers) = {
            let mut files = lock(&self.files);
            files.refresh(now);
            let servers = match &self.servers {
                Some(servers) => servers.clone(),
                None => files.servers().to_vec(),
            };
            (files.hosts(host), files.names(host), servers)
        };
        if let Some(addresses) = known {
            return Ok(addresses);
        }
        if let Some(kept) = lock(&self.kept).get(host).filter(|kept| now < kept.until) {
            return Ok(Arc::clone(&kept.addresses));
        }
        if servers.is_empty() {
            return Err(Fault::own(format!(
                "cannot look up {host}: no DNS server is configured in /etc/resolv.conf"
            )));
        }
        let found = self
            .search(host, &names, &servers, budget, progress)
            .await?;
        let kept_for = found.time_to_live.min(KEPT_MAX);
        let addresses: Addresses = found.addresses.into();
        if !kept_for.is_zero() {
            let mut kept = lock(&self.kept);
            if kept.len() >= NAMES_KEPT_MAX {
                kept.clear();
            }
            let until = self.clock.monotonic() + kept_for;
            let addresses = Arc::clone(&addresses);
            kept.insert(host.to_owned(), Kept { addresses, until });
        }
        Ok(addresses)
    }

    /// What was kept of a host led nowhere; it is asked for anew the next time.
    pub(crate) fn forget(&self, host: &str) {
        lock(&self.kept).remove(host);
    }

    /// Asks for each name until one has an address.
    async fn search(
        &self,
        host: &str,
        names: &[String],
        servers: &[SocketAddr],
        budget: Duration,
        progress: &mut Progress,
    ) -> Result<Reply, Fault> {
        let shares = u32::try_from(servers.len() + 1).unwrap_or(u32::MAX);
        let patience = (budget / shares).clamp(TRY_MIN, TRY_MAX);
        let mut worst = Code::NoError;
        for name in names {
            let reply = self
                .ask_any(host, name, servers, patience, progress)
                .await?;
            if !reply.addresses.is_empty() {
                return Ok(reply);
            }
            // A failure says more than "not there", and that more than "there, without an address".
            worst = worst.max(reply.code);
        }
        Err(match worst {
            Code::NoError => Fault::target(format!("the name {host} has no address")),
            Code::NoName => Fault::target(format!("the name {host} does not exist")),
            Code::Refused => Fault::own(format!(
                "cannot look up {host}: the DNS server refuses to answer this machine"
            )),
            Code::Failed if self.is_cut_off(progress) => Fault::own(format!(
                "cannot look up {host}: the DNS server of this machine fails (SERVFAIL), and no network leads out of it"
            )),
            Code::Failed => Fault::target(format!(
                "cannot look up {host}: the DNS servers of its domain fail (SERVFAIL)"
            )),
        })
    }

    /// A server on this machine answers even when it can ask nobody, and then says that it fails.
    fn is_cut_off(&self, progress: &Progress) -> bool {
        let answered = progress.answered;
        answered.is_some_and(|(server, _)| server.ip().is_loopback()) && !(self.leads_out)()
    }

    /// The first reply of any server that knows; else the last that has failed.
    async fn ask_any(
        &self,
        host: &str,
        name: &str,
        servers: &[SocketAddr],
        patience: Duration,
        progress: &mut Progress,
    ) -> Result<Reply, Fault> {
        let first = self.answering.load(Relaxed);
        let mut failed = None;
        let mut silence = None;
        for turn in 0..servers.len() * ROUNDS {
            let index = (first + turn) % servers.len();
            let server = servers[index];
            match ask(server, name, patience).await {
                Ok(reply) => {
                    self.answering.store(index, Relaxed);
                    progress.answered = Some((server, reply.code));
                    if matches!(reply.code, Code::NoError | Code::NoName) {
                        return Ok(reply);
                    }
                    failed = Some(reply);
                }
                Err(Silence::Ours(fault)) => return Err(fault),
                Err(Silence::Theirs(why)) => {
                    if !progress.silent.contains(&server) {
                        progress.silent.push(server);
                    }
                    silence = Some((server, why));
                }
            }
            // Those that fail are not asked twice: they have answered.
            if turn + 1 == servers.len() && failed.is_some() {
                break;
            }
        }
        match (failed, silence) {
            (Some(reply), _) => Ok(reply),
            (None, Some((server, why))) => Err(Fault::own(format!(
                "cannot look up {host}: no DNS server answers (last {server}: {why})"
            ))),
            (None, None) => Err(Fault::own(format!("cannot look up {host}: no DNS server"))),
        }
    }
}

impl Progress {
    /// Whose fault it is that the time was over before there was an address.
    pub(crate) fn timed_out(&self, host: &str, after: &str) -> Fault {
        match self.answered {
            Some((server, Code::Refused)) => Fault::own(format!(
                "cannot look up {host} within {after}: the DNS server {server} refuses to answer this machine"
            )),
            Some((server, code)) => Fault::target(format!(
                "no address of {host} within {after}: the last answer was {code}, by {server}"
            )),
            None => {
                let silent = self.silent.iter().map(SocketAddr::to_string);
                let silent: Vec<String> = silent.collect();
                let who = match silent.as_slice() {
                    [] => String::new(),
                    silent => format!(" (asked {})", silent.join(", ")),
                };
                Fault::own(format!(
                    "cannot look up {host}: no DNS server has answered within {after}{who}"
                ))
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("invariant: no one panics while holding names")
}

#[cfg(test)]
mod tests;
