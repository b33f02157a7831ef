//! Through what the server reaches the rest of the house.

use std::sync::Arc;

use model::{Clock, ComponentHealth, HostSummary, MetricFamily, SampleSink, SeriesSource};

/// The rooms behind the server. Each function must answer at once, from memory.
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
