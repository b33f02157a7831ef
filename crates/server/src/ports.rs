//! Through what the server reaches the rest of the house.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Alert, Clock, ComponentHealth, HostSummary, MetricFamily, NotificationQuery,
    NotificationRecord, SampleSink, SeriesSource,
};
use rules::Group;

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

/// The rooms behind the server. Each function must answer at once, from memory; only `reload` and `notifications` may
/// take their time.
#[derive(Clone)]
pub struct Ports {
    /// Where samples go.
    pub sink: Arc<dyn SampleSink>,
    /// Where samples come from.
    pub source: Arc<dyn SeriesSource>,
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
    /// The journal of notifications.
    pub notifications: Notifications,
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
