//! Through what the server reaches the rest of the house.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use access::AccessStore;
use model::{
    Alert, Clock, ComponentHealth, HostSummary, MetricFamily, NotificationQuery,
    NotificationRecord, SampleSink, SeriesSource, StorageAdmin, Timestamp,
};
use rules::Group;
use uptime::{History, Monitor, Outcome, State, Transition};

use crate::{Feed, RunningQueries};

/// Asks the journal of notifications for the newest entries that fit.
///
/// Errors: why it cannot be read.
pub type Notifications = Arc<
    dyn Fn(
            NotificationQuery,
        ) -> Pin<Box<dyn Future<Output = Result<Vec<NotificationRecord>, String>> + Send>>
        + Send
        + Sync,
>;

/// Asks what a monitor went through: its name, and how many of its newest transitions at most.
///
/// Errors: why it cannot be read.
pub type Transitions = Arc<
    dyn Fn(Arc<str>, u32) -> Pin<Box<dyn Future<Output = Result<Vec<Transition>, String>> + Send>>
        + Send
        + Sync,
>;

/// Sends one request to the OpenID provider, over TLS that is verified and within bounds of time and size.
///
/// Errors: why there is no answer; what the answer says is no error.
pub type Provider = Arc<
    dyn Fn(ProviderRequest) -> Pin<Box<dyn Future<Output = Result<ProviderAnswer, String>> + Send>>
        + Send
        + Sync,
>;

/// A request to the OpenID provider: a GET, or a POST of a form if there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderRequest {
    /// Where to; its scheme, host and port are the issuer's or what the issuer's description names.
    pub url: String,
    /// The form's body, as `application/x-www-form-urlencoded`; it holds secrets.
    pub form: Option<String>,
    /// The value of the header `Authorization`; it is a secret.
    pub authorization: Option<String>,
}

/// What the OpenID provider has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAnswer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The rooms behind the server. Each function must answer at once, from memory; only `reload`, `notifications`,
/// `transitions`, `access` and `provider` may take their time.
#[derive(Clone)]
pub struct Ports {
    /// Where samples go.
    pub sink: Arc<dyn SampleSink>,
    /// Where samples come from.
    pub source: Arc<dyn SeriesSource>,
    /// What the store does for whoever runs it, on a thread that may block.
    pub storage: Arc<dyn StorageAdmin>,
    /// What has just happened, for whoever follows it; what it is given belongs to the program.
    pub feed: Feed,
    /// The queries that run, those of rules among them.
    pub queries: RunningQueries,
    /// Who may come in.
    pub access: Arc<dyn AccessStore>,
    /// The way to the OpenID provider; none if there is none.
    pub provider: Option<Provider>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What `/metrics` shows besides the server's own figures: host, store, collectors.
    pub families: Arc<dyn Fn() -> Vec<MetricFamily> + Send + Sync>,
    /// The latest figures of this machine; none when they are not collected or not yet.
    pub host: Arc<dyn Fn() -> Option<HostSummary> + Send + Sync>,
    /// The groups of rules as of their last evaluation, in any order.
    pub rules: Arc<dyn Fn() -> Vec<Arc<RuleGroup>> + Send + Sync>,
    /// Alerts that fire and that no rule has raised: those of monitors.
    pub outages: Arc<dyn Fn() -> Vec<Alert> + Send + Sync>,
    /// All monitors, in any order.
    pub monitors: Arc<dyn Fn() -> Vec<WatchedMonitor> + Send + Sync>,
    /// What monitors went through, the newest first.
    pub transitions: Transitions,
    /// The journal of notifications.
    pub notifications: Notifications,
    /// How the program was started and configured.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
    /// The condition of each part of the program.
    pub health: Arc<dyn Fn() -> Vec<ComponentHealth> + Send + Sync>,
    /// Reads the configuration anew, on a thread that may block.
    ///
    /// Errors: what is wrong with it, for people; nothing was changed then.
    pub reload: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Whether the store is replayed and the host was read once.
    ///
    /// Errors: what is still missing.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// How the program was started and configured, for people; no secret is in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// When the program started.
    pub started: Timestamp,
    /// When its configuration was read the last time with success …
    pub configured: Timestamp,
    /// … and whether that was the last time at all.
    pub is_last_configuration: bool,
    /// Each setting and its value, by its place in the configuration.
    pub settings: BTreeMap<String, String>,
    /// The configuration as it is written; empty if there is none.
    pub configuration: String,
    /// The directory from which relative paths on the command line are taken.
    pub directory: String,
    /// The name of this machine.
    pub host: String,
    /// For how long samples are kept, or how many bytes of them.
    pub retention: String,
}

/// A group of rules, and how long its last evaluation took.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    /// The group with its state.
    pub group: Group,
    /// How often it is evaluated.
    pub interval: Duration,
    /// How long all its rules took.
    pub evaluation_time: Duration,
    /// How long each rule took, by its index; what is missing counts as zero.
    pub rule_times: Vec<Duration>,
}

/// A monitor and what it went through.
#[derive(Clone, Debug)]
pub struct WatchedMonitor {
    /// How it is now.
    pub status: Arc<MonitorStatus>,
    /// How it was, for at least [`WatchedMonitor::WINDOWS`] unless it changed all the time.
    pub history: Arc<History>,
    /// Its last change, which the journal may not have yet; none before the first.
    pub last_transition: Option<Arc<Transition>>,
}

/// How it stands with a monitor.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitorStatus {
    /// What is checked.
    pub monitor: Arc<Monitor>,
    /// Its state.
    pub state: State,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Why it came into this state; empty before the first check.
    pub cause: Arc<str>,
    /// The last check that ended; none since the program started.
    pub last_check: Option<LastCheck>,
}

/// A check that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LastCheck {
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

impl WatchedMonitor {
    /// The windows whose uptime is shown, by name.
    pub const WINDOWS: [(&'static str, Duration); 3] = [
        ("24h", Duration::from_hours(24)),
        ("7d", Duration::from_hours(7 * 24)),
        ("30d", Duration::from_hours(30 * 24)),
    ];
}

/// What was built, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// The program's version, such as `0.1.0`.
    pub version: String,
    /// The commit; may be empty.
    pub revision: String,
    /// The branch; may be empty.
    pub branch: String,
    /// When, such as `20261121-07:30:00`; may be empty.
    pub date: String,
}
