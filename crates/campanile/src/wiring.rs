//! Joins the rooms of the house: only this file knows which implementation stands behind a port.

mod alerting;
pub(crate) mod options;
mod provider;
mod publishing_sink;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use access::AccessStore;
use alerting::{Alerting, Loops, Reached};
use anyhow::Context as _;
use catalog::Catalog;
use collect::host::{self, Host};
use model::{Clock, ComponentHealth, HealthState, MetricFamily, SampleSink, Timestamp};
use publishing_sink::PublishingSink;
use server::{Build, Feed, Ports, RunningQueries, Server, Status, TlsProblem, TrustedProxies};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tsdb::{OsDisk, Store};

use crate::alerting::monitoring;
use crate::config::{Config, Secret};
use crate::own_metrics::OwnMetrics;
use crate::systemd::{Signs, Systemd};
use crate::{log, process};

/// Reads the configuration anew. Errors: all problems, ready to be shown.
pub(crate) type Load = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// The running program.
pub(crate) struct House {
    rooms: Arc<Rooms>,
    /// The HTTP server, which ends before what it reaches.
    requests: Part,
    /// Collection of this machine's figures and of our own.
    collection: Part,
    /// Checks, rules, and who is told.
    alerting: Loops,
    /// Reloads that a signal asked for; they may wait for a file as long as the file system likes.
    reloads: JoinSet<()>,
}

/// Tasks that end together.
struct Part {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

/// What the tasks and the server's routes share.
struct Rooms {
    clock: Arc<dyn Clock>,
    started: Timestamp,
    level: log::LevelHandle,
    load: Load,
    systemd: Arc<Systemd>,
    store: Arc<Store>,
    /// Where samples go: into the store, and to whoever follows them.
    sink: Arc<dyn SampleSink>,
    queries: RunningQueries,
    server: Server,
    alerting: Alerting,
    /// The collector of this machine's figures as configured; none when it is off.
    host: watch::Sender<Option<Arc<Host>>>,
    /// Whether our own figures are stored.
    own_metrics: AtomicBool,
    /// The secret of the link of the first start; none if nobody needs one.
    first_link: Option<Secret>,
    /// The configuration in force; the lock is held during a whole reload, so that two cannot mix.
    config: Mutex<Config>,
    /// What is told of it.
    status: Mutex<Status>,
}

/// What is kept, open.
pub(crate) struct Kept {
    pub(crate) store: Arc<Store>,
    pub(crate) catalog: Catalog,
    /// The secret of the link by which the first admin comes in.
    pub(crate) first_link: Option<Secret>,
}

/// Opens the store, which reads its log and so may take a while.
///
/// Errors: the data directory cannot be used. What was recovered, and what was broken, the store logs itself.
pub(crate) fn open_store(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Store>, tsdb::Error> {
    let options = options::store(config);
    let (store, _recovery) = Store::open(Arc::new(OsDisk), &config.data_dir, clock, options)?;
    Ok(Arc::new(store))
}

impl House {
    /// Starts all parts around an open store and an open catalog.
    ///
    /// Errors: what was left behind cannot be read, or something that is needed is not there.
    pub(crate) async fn build(
        config: Config,
        clock: Arc<dyn Clock>,
        level: log::LevelHandle,
        load: Load,
        systemd: Arc<Systemd>,
        listener: TcpListener,
        Kept {
            store,
            catalog,
            first_link,
        }: Kept,
    ) -> anyhow::Result<Self> {
        let address = listener
            .local_addr()
            .context("the listen address is gone")?;
        let link = first_link.as_ref().map(Secret::reveal);
        let settings = options::server(&config, address, link);
        let feed = Feed::new(settings.feed.clone());
        let queries = RunningQueries::open(clock.clone(), &config.data_dir);
        queries.set_log_slower_than(config.query.log_slower_than);
        let sink: Arc<dyn SampleSink> = Arc::new(PublishingSink::new(store.clone(), feed.clone()));
        let reached = Reached {
            store: &store,
            sink: &sink,
            feed: &feed,
            queries: &queries,
        };
        let access: Arc<dyn AccessStore> = Arc::new(catalog.clone());
        let started = Alerting::start(&config, address, clock.clone(), reached, catalog);
        let (alerting, loops) = started.await?;
        let host = options::host(&config).map(|host| Arc::new(Host::new(host, clock.clone())));
        let rooms = Arc::new_cyclic(|rooms| Rooms {
            started: clock.now(),
            level,
            load,
            systemd,
            server: Server::new(
                ports(rooms, &store, &sink, feed, queries.clone(), access, &clock),
                build(),
                settings,
            ),
            queries,
            store,
            sink,
            alerting,
            host: watch::Sender::new(host),
            own_metrics: AtomicBool::new(config.store_own_metrics),
            first_link,
            status: Mutex::new(status(&config, clock.now())),
            config: Mutex::new(config),
            clock,
        });

        let first = rooms.config().clone();
        rooms.set_tls(&first).map_err(anyhow::Error::msg)?;
        rooms.apply_to_the_door(&first);

        let mut requests = Part::new();
        let server = rooms.server.clone().run(listener, requests.stop.clone());
        requests
            .tasks
            .spawn(async { server.await.context("the HTTP server ended") });
        let mut collection = Part::new();
        let stop = &collection.stop;
        collection
            .tasks
            .spawn(collect_host(rooms.clone(), stop.clone()));
        let own = rooms.clone();
        let recorder = OwnMetrics::new(
            rooms.sink.clone(),
            rooms.clock.clone(),
            &address.to_string(),
        );
        let families = move || {
            own.own_metrics
                .load(Ordering::Relaxed)
                .then(|| own.own_families())
        };
        collection.tasks.spawn(recorder.run(families, stop.clone()));
        Ok(Self {
            rooms,
            requests,
            collection,
            alerting: loops,
            reloads: JoinSet::new(),
        })
    }

    /// By what it is known that the program is ready and alive.
    pub(crate) fn signs(&self) -> Signs {
        let (ready, alive) = (self.rooms.clone(), self.rooms.clone());
        Signs {
            ready: Arc::new(move || ready.ready()),
            alive: Arc::new(move || alive.alive()),
        }
    }

    /// Begins to read the configuration anew; a bad one changes nothing. The outcome is logged, since whoever sent
    /// the signal has no other way to learn it.
    pub(crate) fn reload(&mut self) {
        while self.reloads.try_join_next().is_some() {}
        let rooms = self.rooms.clone();
        self.reloads.spawn_blocking(move || _ = rooms.reload());
    }

    /// Waits until a part ends although nobody asked it to, and says why.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        let ended = tokio::select! {
            ended = self.requests.tasks.join_next() => ended,
            ended = self.collection.tasks.join_next() => ended,
            ended = self.alerting.watching.tasks.join_next() => ended,
            ended = self.alerting.routing.tasks.join_next() => ended,
        };
        match ended {
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("it returned"),
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => error.into(),
        }
    }

    /// Ends all parts in order: requests first, then collection and whatever raises alerts, then routing, then what
    /// keeps things.
    pub(crate) async fn close(self) {
        self.requests.end().await;
        self.collection.end().await;
        self.alerting.watching.end().await;
        self.alerting.routing.end().await;
        alerting::close(self.rooms.alerting.catalog().clone()).await;
        let store = self.rooms.store.clone();
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        if let Ok(Err(error)) = closed {
            warn!(%error, "cannot write out the store");
        }
    }
}

impl Part {
    fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(error)) = ended {
                warn!(error = %format!("{error:#}"), "a part ended with an error");
            }
        }
    }
}

impl Rooms {
    fn config(&self) -> MutexGuard<'_, Config> {
        // A panic during a reload left either the old or the new configuration, and both are whole.
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self) -> Option<Arc<Host>> {
        self.host.borrow().clone()
    }

    /// Reads the configuration anew and applies what differs.
    ///
    /// Errors: what is wrong with it; nothing was changed then.
    fn reload(&self) -> Result<(), String> {
        let mut config = self.config();
        self.systemd.reloading(|| self.reload_into(&mut config))
    }

    fn reload_into(&self, config: &mut Config) -> Result<(), String> {
        let applied = (self.load)().and_then(|new| {
            let fixed = options::restart_needed(config, &new);
            if !fixed.is_empty() {
                let keys = fixed.join(", ");
                return Err(format!(
                    "{keys} cannot change while the program runs: restart it"
                ));
            }
            self.apply(config, &new)?;
            *config = new;
            Ok(())
        });
        let mut told = self.status();
        match &applied {
            Ok(()) => {
                *told = Status {
                    started: told.started,
                    ..status(config, self.clock.now())
                };
            }
            Err(_) => told.is_last_configuration = false,
        }
        drop(told);
        match &applied {
            Ok(()) => info!("configuration reloaded"),
            Err(error) => warn!(error, "reload failed"),
        }
        applied
    }

    fn apply(&self, old: &Config, new: &Config) -> Result<(), String> {
        // First, since it is what may fail; also where the files are the same, for what is in them may not be.
        self.set_tls(new)?;
        let level = options::level(new);
        self.level
            .modify(|current| *current = level)
            .map_err(|error| error.to_string())?;
        self.server.set_limits(options::limits(new));
        self.queries.set_log_slower_than(new.query.log_slower_than);
        self.server.set_admin_api(new.storage.admin_api);
        self.apply_to_the_door(new);
        self.store.reconfigure(options::store(new));
        self.own_metrics
            .store(new.store_own_metrics, Ordering::Relaxed);
        if old.host != new.host {
            let host = options::host(new);
            let host = host.map(|host| Arc::new(Host::new(host, self.clock.clone())));
            self.host.send_replace(host);
        }
        self.alerting.apply(old, new);
        warn_of(new);
        Ok(())
    }

    /// Who may come in, from where, and how often.
    fn apply_to_the_door(&self, config: &Config) {
        let link = self.first_link.as_ref().map(Secret::reveal);
        self.server.set_access(options::access(config, link));
        self.server.set_external_url(&config.external_url);
        self.server.set_trusted_proxies(TrustedProxies {
            networks: config.trusted_proxies.clone(),
            forwarded: config.is_forwarded_standard,
        });
        let origins = config.access.cors_origins.clone();
        self.server.set_cors_origins(origins);
        self.server.set_rate_limits(config.limits.rates.clone());
    }

    /// Errors: what is wrong with the files of the certificate; the one in use stays.
    fn set_tls(&self, config: &Config) -> Result<(), String> {
        let told = |problems: Vec<TlsProblem>| {
            let texts = problems.iter().map(|problem| {
                let file = problem.file.display();
                format!("tls.{}: {file}: {}", problem.setting, problem.reason)
            });
            texts.collect::<Vec<_>>().join("\n")
        };
        let suspicious = self.server.set_tls(options::tls(config)).map_err(told)?;
        if !suspicious.is_empty() {
            warn!("{}", told(suspicious));
        }
        Ok(())
    }

    /// Whether the store takes samples and the host was read once.
    fn ready(&self) -> Result<(), String> {
        let store = self.store.health();
        if store.state == HealthState::Unhealthy {
            return Err(store.reason);
        }
        match self.host() {
            Some(host) if host.summary().is_none() => {
                Err("the first collection of host metrics is not done yet".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether the store answers and the loops turn; what else must turn, `systemd/life.rs` says.
    fn alive(&self) -> Result<(), String> {
        let _answers = self.store.health();
        self.alerting.check_turns(self.clock.monotonic())
    }

    fn health(&self) -> Vec<ComponentHealth> {
        let mut components = vec![self.store.health()];
        components.extend(self.host().map(|host| host.health()));
        components.extend(self.alerting.health(&*self.clock));
        components.extend(self.server.health());
        components
    }

    /// What `/metrics` shows besides the server's own figures.
    fn families(&self) -> Vec<MetricFamily> {
        let mut families = self.host().map(|host| host.latest()).unwrap_or_default();
        families.extend(self.program_families());
        families
    }

    /// The program's figures without the server's and without this machine's.
    fn program_families(&self) -> Vec<MetricFamily> {
        let mut families = process::metrics(self.started);
        families.push(process::build_info());
        families.extend(self.store.metrics());
        families.extend(self.host().map(|host| host.metrics()).unwrap_or_default());
        families.extend(self.alerting.families());
        families
    }

    /// What is stored as `job="campanile"`.
    fn own_families(&self) -> Vec<MetricFamily> {
        let mut families = self.server.metrics();
        families.extend(self.program_families());
        families
    }
}

/// What the server reaches; the rooms hold the server, so it holds them weakly.
fn ports(
    rooms: &Weak<Rooms>,
    store: &Arc<Store>,
    sink: &Arc<dyn SampleSink>,
    feed: Feed,
    queries: RunningQueries,
    access: Arc<dyn AccessStore>,
    clock: &Arc<dyn Clock>,
) -> Ports {
    /// A function of the rooms, with an answer for the short time before they stand and after they fall.
    fn from_rooms<T: 'static>(
        rooms: &Weak<Rooms>,
        otherwise: fn() -> T,
        answer: fn(&Rooms) -> T,
    ) -> Arc<dyn Fn() -> T + Send + Sync> {
        let rooms = rooms.clone();
        Arc::new(move || {
            rooms
                .upgrade()
                .map_or_else(otherwise, |rooms| answer(&rooms))
        })
    }
    Ports {
        sink: sink.clone(),
        source: store.clone(),
        storage: store.clone(),
        feed,
        queries,
        access,
        provider: Some(provider::provider()),
        clock: clock.clone(),
        families: from_rooms(rooms, Vec::new, Rooms::families),
        host: from_rooms(
            rooms,
            || None,
            |rooms| rooms.host().and_then(|host| host.summary()),
        ),
        rules: from_rooms(rooms, Vec::new, |rooms| rooms.alerting.groups()),
        outages: from_rooms(rooms, Vec::new, |rooms| rooms.alerting.outages()),
        monitors: from_rooms(rooms, Vec::new, |rooms| rooms.alerting.monitors()),
        transitions: transitions(rooms),
        notifications: notifications(rooms),
        status: from_rooms(rooms, Status::default, |rooms| rooms.status().clone()),
        health: from_rooms(rooms, Vec::new, Rooms::health),
        reload: from_rooms(
            rooms,
            || Err("the program is starting".to_owned()),
            Rooms::reload,
        ),
        ready: from_rooms(
            rooms,
            || Err("the program is starting".to_owned()),
            Rooms::ready,
        ),
    }
}

/// What is told of a configuration that was read at a moment.
fn status(config: &Config, now: Timestamp) -> Status {
    let directory = std::env::current_dir().unwrap_or_default();
    let storage = &config.storage;
    let mut retention = model::duration::format(storage.retention).to_string();
    if storage.retention_size > 0 {
        let size = document::show_size(storage.retention_size);
        retention.push_str(&format!(" or {size}"));
    }
    Status {
        started: now,
        configured: now,
        is_last_configuration: true,
        settings: config.shown.settings.clone(),
        configuration: config.shown.file.clone(),
        directory: directory.display().to_string(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        retention,
    }
}

/// The catalog, as long as the rooms stand.
fn catalog(rooms: &Weak<Rooms>) -> Result<Catalog, String> {
    let rooms = rooms.upgrade().ok_or("the program is starting")?;
    Ok(rooms.alerting.catalog().clone())
}

/// Asks the journal for entries, as long as the rooms stand.
fn notifications(rooms: &Weak<Rooms>) -> server::Notifications {
    let rooms = rooms.clone();
    Arc::new(move |query| {
        let catalog = catalog(&rooms);
        Box::pin(async move {
            let catalog = catalog?;
            let found = catalog.notifications(&query).await;
            found.map_err(|error| error.to_string())
        })
    })
}

/// Asks what a monitor went through, as long as the rooms stand.
fn transitions(rooms: &Weak<Rooms>) -> server::Transitions {
    let rooms = rooms.clone();
    Arc::new(move |monitor, limit| {
        let catalog = catalog(&rooms);
        Box::pin(async move {
            let catalog = catalog?;
            let rows = catalog.transitions(&monitor, Timestamp::MIN, Timestamp::MAX, limit);
            let rows = rows.await.map_err(|error| error.to_string())?;
            Ok(rows.iter().filter_map(monitoring::transition).collect())
        })
    })
}

/// Says what of a configuration should be thought over.
pub(crate) fn warn_of(config: &Config) {
    for warning in &config.warnings {
        warn!("{warning}");
    }
}

fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Build::default()
    }
}

/// Collects this machine's figures as configured, until the program stops; a reload may change how.
async fn collect_host(rooms: Arc<Rooms>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut changes = rooms.host.subscribe();
    loop {
        let host = changes.borrow_and_update().clone();
        let sink = rooms.sink.clone();
        let ended = stop.child_token();
        let collecting = async {
            match host {
                Some(host) => host::run(host, sink, ended.clone()).await,
                None => ended.cancelled().await,
            }
        };
        tokio::pin!(collecting);
        tokio::select! {
            () = &mut collecting => return Ok(()),
            changed = changes.changed() => {
                ended.cancel();
                collecting.await;
                changed.context("the collector's configuration is gone")?;
            }
        }
    }
}
