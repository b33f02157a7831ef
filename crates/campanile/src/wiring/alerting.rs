//! Starts the loops of alerting and holds what the rest of the house needs of them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use catalog::Catalog;
use collect::probe::Prober;
use model::{Alert, Clock, ComponentHealth, HealthState, MetricFamily, SampleSink, Timestamp};
use server::{Feed, RuleGroup, RunningQueries, WatchedMonitor};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use tsdb::Store;

use super::{Part, options};
use crate::alerting::evaluation::{self, Evaluator};
use crate::alerting::metrics::AlertingMetrics;
use crate::alerting::monitoring::{self, Monitoring};
use crate::alerting::routing::{self, Inbox, Router, Whom};
use crate::alerting::turns;
use crate::config::Config;

/// A change of the configuration that waits for a loop; a second one waits outside.
const CHANGES: usize = 1;

/// The handles of the loops.
pub(super) struct Alerting {
    catalog: Catalog,
    started: Timestamp,
    address: SocketAddr,
    prober: Arc<Prober>,
    metrics: Arc<AlertingMetrics>,
    groups: Arc<evaluation::View>,
    monitors: Arc<monitoring::View>,
    routing: Arc<routing::View>,
    inbox: Inbox,
    settings: mpsc::Sender<evaluation::Settings>,
    watched: mpsc::Sender<Vec<uptime::Monitor>>,
}

/// The loops, in the order in which they end: first those that raise alerts.
pub(super) struct Loops {
    pub(super) watching: Part,
    pub(super) routing: Part,
}

/// What the loops reach besides the catalog.
#[derive(Clone, Copy)]
pub(super) struct Reached<'r> {
    pub(super) store: &'r Arc<Store>,
    pub(super) sink: &'r Arc<dyn SampleSink>,
    pub(super) feed: &'r Feed,
    pub(super) queries: &'r RunningQueries,
}

impl Alerting {
    /// Goes on where the program left off.
    ///
    /// Errors: the catalog cannot be read, or the prober not be made.
    pub(super) async fn start(
        config: &Config,
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        reached: Reached<'_>,
        catalog: Catalog,
    ) -> anyhow::Result<(Self, Loops)> {
        let Reached {
            store,
            sink,
            feed,
            queries,
        } = reached;
        let metrics = Arc::new(AlertingMetrics::default());
        metrics.turns.begin(clock.monotonic());
        let prober = Prober::new(options::checks(config), clock.clone())
            .context("checks of sites cannot be prepared")?;
        let (router, inbox) = Router::load(
            catalog.clone(),
            clock.clone(),
            metrics.clone(),
            whom(config, address),
        )
        .await?;
        let around = evaluation::Surroundings {
            source: store.for_rules(),
            queries: queries.clone(),
            sink: sink.clone(),
            clock: clock.clone(),
            catalog: catalog.clone(),
            feed: feed.clone(),
            metrics: metrics.clone(),
        };
        let (evaluator, firing) = Evaluator::load(around, settings(config, address)).await?;
        let around = monitoring::Surroundings {
            prober: prober.clone(),
            sink: sink.clone(),
            clock: clock.clone(),
            catalog: catalog.clone(),
            feed: feed.clone(),
            metrics: metrics.clone(),
        };
        let monitors = config.alerting.monitors.clone();
        let (monitoring, outages) = Monitoring::load(around, monitors).await?;
        let (settings, settings_changes) = mpsc::channel(CHANGES);
        let (watched, watched_changes) = mpsc::channel(CHANGES);
        let alerting = Self {
            groups: evaluator.view(),
            monitors: monitoring.view(),
            routing: router.view(),
            inbox: inbox.clone(),
            started: clock.now(),
            settings,
            watched,
            catalog,

            address,
            prober,
            metrics,
        };

        let mut routing = Part::new();
        let standing: Vec<Alert> = firing.into_iter().chain(outages).collect();
        let stop = routing.stop.clone();
        routing.tasks.spawn(router.run(standing, stop));
        let mut watching = Part::new();
        let stop = watching.stop.clone();
        let evaluating = evaluator.run(inbox.clone(), settings_changes, stop.clone());
        watching.tasks.spawn(evaluating);
        let checking = monitoring.run(inbox, watched_changes, stop);
        watching.tasks.spawn(on_own_thread("checks", checking));
        Ok((alerting, Loops { watching, routing }))
    }

    /// Lets what differs between two configurations hold. Blocks while the loops are busy.
    pub(super) fn apply(&self, old: &Config, new: &Config) {
        let url_differs = old.place(self.address) != new.place(self.address);
        let (before, after) = (&old.alerting, &new.alerting);
        if url_differs || before.routing != after.routing || before.receivers != after.receivers {
            self.metrics.retain(&integrations(new));
            self.inbox.change(whom(new, self.address));
        }
        if url_differs || before.groups != after.groups || old.query != new.query {
            let _ = self.settings.blocking_send(settings(new, self.address));
        }
        if before.monitors != after.monitors {
            let _ = self.watched.blocking_send(after.monitors.clone());
        }
    }

    /// The groups of rules after their last evaluation.
    pub(super) fn groups(&self) -> Vec<Arc<RuleGroup>> {
        self.groups.groups()
    }

    /// All monitors as they are now.
    pub(super) fn monitors(&self) -> Vec<WatchedMonitor> {
        self.monitors.monitors()
    }

    /// The alerts of outages that last.
    pub(super) fn outages(&self) -> Vec<Alert> {
        self.monitors.outages()
    }

    /// The condition of what has to do with alerts.
    pub(super) fn health(&self, clock: &dyn Clock) -> Vec<ComponentHealth> {
        vec![
            self.catalog.health(),
            self.routing.health(self.started),
            self.metrics.health(self.started),
            self.loops(clock),
        ]
    }

    fn loops(&self, clock: &dyn Clock) -> ComponentHealth {
        let (state, since, reason) = match self.check_turns(clock.monotonic()) {
            Ok(()) => (HealthState::Healthy, self.started, String::new()),
            Err(reason) => (HealthState::Unhealthy, clock.now() - turns::STUCK, reason),
        };
        ComponentHealth {
            component: "loops",
            state,
            since,
            reason,
        }
    }

    /// Whether all loops turn.
    ///
    /// Errors: which one does not.
    pub(super) fn check_turns(&self, now: Duration) -> Result<(), String> {
        self.metrics.turns.check(now)
    }

    /// The figures of all loops.
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let mut families = self.metrics.families();
        families.extend(self.prober.metrics());
        families.extend(self.catalog.metrics());
        families
    }

    /// The journal and the states.
    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}

/// Runs a loop on a thread of its own, so that nothing else that the program does makes it late, and so that what it
/// starts wakes no other thread.
async fn on_own_thread(
    name: &str,
    work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let result = runtime.block_on(work);
            // Nobody waits any more only if the program is at its end.
            let _ = done.send(result);
            runtime.shutdown_background();
        })?;
    ended.await.context("the thread ended in a panic")?
}

fn whom(config: &Config, address: SocketAddr) -> Whom {
    Whom {
        routing: config.alerting.routing.clone(),
        receivers: config.alerting.receivers.clone(),
        external_url: config.place(address),
    }
}

fn settings(config: &Config, address: SocketAddr) -> evaluation::Settings {
    let limits = options::limits(config);
    evaluation::Settings {
        groups: config.alerting.groups.clone(),
        external_url: config.place(address),
        limits: limits.evaluation,
        query_timeout: limits.query_timeout,
    }
}

fn integrations(config: &Config) -> BTreeSet<(String, String)> {
    let receivers = config.alerting.routing.receivers.iter();
    receivers
        .flat_map(|(name, receiver)| {
            let integrations = receiver.integrations.keys();
            integrations.map(move |integration| (name.clone(), integration.clone()))
        })
        .collect()
}

/// How long the catalog may take to write out what it holds at the end.
const CLOSING: Duration = Duration::from_secs(10);

/// Closes the catalog after all loops have ended.
pub(super) async fn close(catalog: Catalog) {
    match tokio::time::timeout(CLOSING, catalog.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the catalog cannot be closed"),
        Err(_) => warn!("the catalog took too long to close"),
    }
}
