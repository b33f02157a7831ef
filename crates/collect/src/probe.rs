//! The prober: carries out the HTTP(S) checks of crate `uptime`, and makes the samples that blackbox_exporter would.
//!
//! A check is one future on one fresh connection: resolve, connect, TLS, request, body, each measured for itself, and
//! again for each redirect. What goes wrong is either the target's fault or our own, and that is decided where it
//! happens; see `fault.rs` for errors, `pulse.rs` for time that we were not given, `network.rs` for cables.

mod certificate;
mod check;
mod connect;
mod fault;
mod hop;
mod metrics;
mod network;
mod pulse;
mod reference;
mod resolver;
mod series;
mod target;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Metadata, MetricFamily, Timestamp};
use outbound::{Allowed, Trust};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use uptime::{Monitor, Outcome};

use check::Check;
use fault::{Blame, Fault};
use metrics::Metrics;
use network::{CutOff, leads_to};
use pulse::{BEAT, Lateness, Pulse};
use resolver::Resolver;
use series::Facts;
use tls::Tls;

pub use series::Series;
pub use tls::Roots;

#[cfg(test)]
mod tests;

/// An answer that came while we slept has this long to be read after the deadline. It must be more than one round of the
/// runtime, and so little that nobody notices.
const GRACE: Duration = Duration::from_millis(20);

/// Less lateness than this, or than a quarter of a short timeout, is a busy machine's everyday life.
const HELD_UP_FROM: Duration = Duration::from_millis(500);

/// How the prober works; the defaults are for a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Checks that run at once; more wait for a while, and then say so.
    pub checks_max: usize,
    /// Bytes of a body that are read; keywords are looked for in these.
    pub body_bytes_max: usize,
    /// Redirects that are followed.
    pub redirects_max: u32,
    /// DNS servers to ask instead of those of /etc/resolv.conf.
    pub dns_servers: Option<Vec<SocketAddr>>,
    /// Where `hosts` and `resolv.conf` are.
    pub etc: PathBuf,
    /// Whom to trust.
    pub roots: Roots,
    /// Addresses that are not public, and may be checked on behalf of a person all the same.
    pub allowed: Allowed,
}

/// Why there is no prober.
#[derive(Debug, Error)]
pub enum Error {
    /// TLS cannot be set up.
    #[error("cannot set up TLS for checks: {0}")]
    Tls(String),
}

/// Carries out checks.
pub struct Prober {
    options: Options,
    clock: Arc<dyn Clock>,
    resolver: Resolver,
    tls: Tls,
    permits: Semaphore,
    pulse: Pulse,
    cut_off: CutOff,
    metrics: Metrics,
}

/// A check that was carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// How it ended; [`Outcome::OwnTrouble`] if this machine is to blame.
    pub outcome: Outcome,
    /// When it began, by the wall clock.
    pub started: Timestamp,
    /// How long it took.
    pub duration: Duration,
    facts: Facts,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checks_max: 1_000,
            body_bytes_max: 1 << 20,
            redirects_max: 10,
            dns_servers: None,
            etc: PathBuf::from("/etc"),
            roots: Roots::System,
            allowed: Allowed::default(),
        }
    }
}

impl Prober {
    /// A prober; root certificates are read now, names and addresses when they are needed.
    ///
    /// Errors: TLS cannot be set up. That there are no roots is none; checks of https say so.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Error> {
        let tls = Tls::new(&options.roots, Arc::clone(&clock));
        let tls = tls.map_err(|error| Error::Tls(error.to_string()))?;
        let (etc, servers) = (options.etc.clone(), options.dns_servers.clone());
        Ok(Arc::new(Self {
            resolver: Resolver::new(etc, servers, Arc::clone(&clock)),
            tls,
            permits: Semaphore::new(options.checks_max.min(Semaphore::MAX_PERMITS)),
            pulse: Pulse::default(),
            cut_off: CutOff::default(),
            metrics: Metrics::default(),
            options,
            clock,
        }))
    }

    /// Carries out one check of a monitor that stands in the configuration; it takes the monitor's timeout and a tenth at
    /// most. It may be dropped at any time.
    ///
    /// Such a monitor may lead anywhere. A redirect of a public host to another one may not lead to what is not public:
    /// whoever runs that host would else see through our eyes what is inside.
    pub async fn check(&self, monitor: &Monitor) -> Probe {
        self.check_for(monitor, Trust::Configuration).await
    }

    /// The same for a monitor that somebody else has caused.
    pub async fn check_for(&self, monitor: &Monitor, trust: Trust) -> Probe {
        let running = self.metrics.start();
        let started = self.clock.now();
        let begin = self.clock.monotonic();
        let (outcome, facts) = self.outcome(monitor, trust).await;
        let duration = self.clock.monotonic().saturating_sub(begin);
        running.end(&outcome, duration);
        Probe {
            outcome,
            started,
            duration,
            facts,
        }
    }

    /// Lets the pulse beat until `stop`. While nobody runs this, every timeout is the target's fault.
    pub async fn pulse(&self, stop: CancellationToken) {
        let _end = EndOfPulse(&self.pulse);
        loop {
            self.pulse.beat(&*self.clock);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(BEAT) => {}
            }
        }
    }

    /// The prober's own metrics.
    pub fn metrics(&self) -> Vec<MetricFamily> {
        self.metrics.families(&self.pulse)
    }

    /// Type and help of every metric that [`Probe::samples`] writes.
    pub fn descriptions() -> Vec<(String, Metadata)> {
        series::descriptions()
    }

    async fn outcome(&self, monitor: &Monitor, trust: Trust) -> (Outcome, Facts) {
        let Ok(Ok(_permit)) = timeout(monitor.timeout / 10, self.permits.acquire()).await else {
            let most = self.options.checks_max;
            let trouble = format!("{most} checks are running already, which is the most at once");
            return (Outcome::OwnTrouble(trouble), Facts::default());
        };
        let mut check = Check::new(self, monitor, trust);
        let ended = until(Instant::now() + monitor.timeout, check.run()).await;
        let fault = match ended {
            Some(Ok(())) => return (Outcome::Success, check.facts),
            Some(Err(fault)) => fault,
            None => check.timed_out(),
        };
        let fault = self.unless_ours(fault, &check);
        (fault.into(), check.facts)
    }

    /// Silence and broken connections are not the target's fault if this process was held up meanwhile, or if no way led
    /// from this machine to the target.
    fn unless_ours(&self, fault: Fault, check: &Check<'_>) -> Fault {
        let address = check.facts.address;
        let note = || {
            if let Some(address) = address {
                self.cut_off.note(address, self.clock.monotonic());
            }
        };
        match fault.blame {
            Blame::Target => return fault,
            Blame::Own => {
                note();
                return fault;
            }
            Blame::TargetUnlessOurs => {}
        }
        let lateness = self.pulse.lateness_since(check.begin, &*self.clock);
        let why = if is_held_up(lateness, check.monitor.timeout) {
            let seconds = lateness.total.as_secs_f64();
            format!("this machine was too busy or asleep for {seconds:.1} s during the check")
        } else if !address.is_none_or(leads_to) {
            note();
            "this machine has no network".to_owned()
        } else if address.is_some_and(|address| self.cut_off.explains(address, check.begin)) {
            "this machine had trouble of its own a moment ago".to_owned()
        } else {
            return fault;
        };
        let text = &fault.text;
        Fault::own(format!("{why}, so this says nothing of the target: {text}"))
    }
}

/// Whether lateness of the pulse explains that a check took longer than its timeout: that of one beat, or, as with a
/// processor that is given in slices, that of many, which have left the target less than half of its time.
fn is_held_up(lateness: Lateness, timeout: Duration) -> bool {
    let worst = HELD_UP_FROM.min(timeout / 4).max(timeout / 10);
    lateness.worst > worst || lateness.total > timeout / 2
}

impl fmt::Debug for Prober {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Prober").finish_non_exhaustive()
    }
}

/// A pulse that nobody lets beat is not late.
struct EndOfPulse<'a>(&'a Pulse);

impl Drop for EndOfPulse<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What a future yields until the deadline, or shortly after it if it needed only to be asked once more.
async fn until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match timeout_at(deadline, future.as_mut()).await {
        Ok(output) => Some(output),
        Err(_) => timeout(GRACE, future).await.ok(),
    }
}
