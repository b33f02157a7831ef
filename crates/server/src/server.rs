//! The server as the program holds it: made once from ports, build and configuration, then run until shutdown.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use axum::Router;
use model::{Clock, ComponentHealth, MetricFamily};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::Access;
use crate::auth::settings::AccessSettings;
use crate::descriptions::Descriptions;
use crate::error::ApiError;
use crate::guard::ExternalUrl;
use crate::metrics::Metrics;
use crate::query_gate::QueryGate;
use crate::rate::Rates;
use crate::tls::Tls;
use crate::{
    Build, Config, Feed, Limits, Ports, RateLimits, RunningQueries, TlsProblem, TlsSettings,
    TrustedProxies, WebOrigin, body, connection, front, router,
};

/// The HTTP server; a clone is another handle on the same one.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    ports: Ports,
    build: Build,
    config: Config,
    limits: ArcSwap<Limits>,
    external_url: ArcSwap<ExternalUrl>,
    trusted_proxies: ArcSwap<TrustedProxies>,
    cors_origins: ArcSwap<Vec<WebOrigin>>,
    metrics: Metrics,
    tls: Tls,
    rates: Rates,
    descriptions: Descriptions,
    queries: QueryGate,
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    appends: Arc<Semaphore>,
    /// Work on the store itself, one at a time.
    admin: Arc<Semaphore>,
    admin_api: AtomicBool,
    access: Access,
    draining: AtomicBool,
}

impl Server {
    /// A server that does not listen yet.
    pub fn new(ports: Ports, build: Build, config: Config) -> Self {
        let metrics = Metrics::new(ports.queries.metrics());
        Self {
            shared: Arc::new(Shared {
                limits: ArcSwap::from_pointee(config.limits.clone()),
                external_url: ArcSwap::default(),
                trusted_proxies: ArcSwap::default(),
                cors_origins: ArcSwap::default(),
                queries: QueryGate::new(config.concurrent_queries, config.queued_queries, &metrics),
                requests: Arc::new(Semaphore::new(config.concurrent_requests)),
                bodies: Arc::new(Semaphore::new(body::budget_pieces(
                    config.request_bodies_total_max,
                ))),
                appends: Arc::new(Semaphore::new(config.concurrent_appends)),
                descriptions: Descriptions::default(),
                admin: Arc::new(Semaphore::new(1)),
                admin_api: AtomicBool::new(config.admin_api),
                access: Access::new(config.access.clone(), ports.clock.monotonic()),
                draining: AtomicBool::new(false),
                ports,
                build,
                config,
                metrics,
                tls: Tls::new(),
                rates: Rates::default(),
            }),
        }
    }

    /// All routes as a service, for tests and for a listener of another kind.
    pub fn router(&self) -> Router {
        front::wrap(self.clone(), router::router(self.clone()))
    }

    /// Answers on `listener` until `shutdown` is cancelled. Then it is no longer ready, but answers on for
    /// `shutdown_delay`, while those that send requests here learn of it; after that it takes no new connection and lets
    /// what runs come to its end, for at most `drain_timeout`.
    ///
    /// When it returns, no append is under way any more. Errors: the listener's address cannot be read;
    /// the live feed ended, and with it the server, although nobody asked it to.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        connection::run(self, listener, shutdown).await
    }

    /// Gives queries other limits, from the next one on.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.limits.store(Arc::new(limits));
    }

    /// Opens or closes the routes that change the store, from the next request on.
    pub fn set_admin_api(&self, enabled: bool) {
        self.shared.admin_api.store(enabled, Ordering::Relaxed);
    }

    /// Says who may come in, from the next request on.
    pub fn set_access(&self, settings: AccessSettings) {
        self.shared.access.set(settings);
    }

    /// Says where people reach the server, such as `https://watch.example.org/`; empty if that is its own address. Pages from
    /// there may follow the live feed, and requests to there are taken. If it has a path, all routes answer below that, and
    /// without it too.
    pub fn set_external_url(&self, url: &str) {
        let external_url = Arc::new(ExternalUrl::new(url));
        self.shared.external_url.store(external_url);
    }

    /// Says how often somebody may ask, from the next request on.
    pub fn set_rate_limits(&self, limits: RateLimits) {
        self.shared.rates.set(limits);
    }

    /// Says which peers are proxies of ours, from the next request on.
    pub fn set_trusted_proxies(&self, proxies: TrustedProxies) {
        self.shared.trusted_proxies.store(Arc::new(proxies));
    }

    /// Says pages of which other sites may read our answers, with the credentials of who visits them, from the next request
    /// on.
    pub fn set_cors_origins(&self, origins: Vec<WebOrigin>) {
        self.shared.cors_origins.store(Arc::new(origins));
    }

    /// Encrypts connections from the next one on with the certificate of these files, or with none. It blocks. From then
    /// on the server itself looks every 10 s whether the files have changed.
    ///
    /// Yields what is suspicious. Errors: everything that is wrong with the files; then nothing has changed.
    pub fn set_tls(
        &self,
        settings: Option<TlsSettings>,
    ) -> Result<Vec<TlsProblem>, Vec<TlsProblem>> {
        self.shared.tls.set(settings, self.clock().now())
    }

    /// The server's own figures, as `/metrics` shows them.
    pub fn metrics(&self) -> Vec<MetricFamily> {
        let mut families = self.shared.metrics.families();
        families.extend(self.shared.tls.family());
        families
    }

    /// How well the server's own parts are: `tls`, if connections are encrypted.
    pub fn health(&self) -> Vec<ComponentHealth> {
        let tls = self.shared.tls.health(self.clock().now());
        tls.into_iter().collect()
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.shared.tls
    }

    pub(crate) fn access(&self) -> &Access {
        &self.shared.access
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.shared.ports
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.shared.ports.feed
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.ports.clock
    }

    pub(crate) fn build(&self) -> &Build {
        &self.shared.build
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn limits(&self) -> Arc<Limits> {
        self.shared.limits.load_full()
    }

    pub(crate) fn external_url(&self) -> Arc<ExternalUrl> {
        self.shared.external_url.load_full()
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.shared.rates
    }

    pub(crate) fn trusted_proxies(&self) -> arc_swap::Guard<Arc<TrustedProxies>> {
        self.shared.trusted_proxies.load()
    }

    pub(crate) fn cors_origins(&self) -> arc_swap::Guard<Arc<Vec<WebOrigin>>> {
        self.shared.cors_origins.load()
    }

    pub(crate) fn own(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn descriptions(&self) -> &Descriptions {
        &self.shared.descriptions
    }

    /// The queries that run.
    pub(crate) fn running(&self) -> &RunningQueries {
        &self.shared.ports.queries
    }

    pub(crate) fn queries(&self) -> &QueryGate {
        &self.shared.queries
    }

    pub(crate) fn request_slots(&self) -> Arc<Semaphore> {
        Arc::clone(&self.shared.requests)
    }

    pub(crate) fn body_budget(&self) -> Arc<Semaphore> {
        Arc::clone(&self.shared.bodies)
    }

    pub(crate) fn append_slots(&self) -> Arc<Semaphore> {
        Arc::clone(&self.shared.appends)
    }

    pub(crate) fn has_admin_api(&self) -> bool {
        self.shared.admin_api.load(Ordering::Relaxed)
    }

    pub(crate) fn admin_slot(&self) -> Arc<Semaphore> {
        Arc::clone(&self.shared.admin)
    }

    pub(crate) fn start_draining(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Relaxed)
    }

    /// Lets work that may block run on a thread of its own. Dropping the future does not stop the work.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        tokio::task::spawn_blocking(work).await.map_err(|error| {
            tracing::error!(%error, "a request's work ended in a panic");
            ApiError::internal("the server made a mistake, see its log")
        })
    }
}
