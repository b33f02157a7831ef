//! The server behind its router, without sockets: a request goes in, status, headers and body come out.

mod active_queries;
mod admin;
mod exposition;
mod federate;
mod feed;
mod front;
mod guard;
mod health;
mod ingest;
mod labels;
mod limits;
mod login;
mod monitors;
mod notifications;
mod openapi;
mod pages;
mod query;
mod read;
mod routes;
mod rules;
mod socket;
mod store;
mod syntax;
mod table;
mod tls;
mod write;

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use model::{
    Alert, ComponentHealth, HealthState, HostSummary, Labels, MetricFamily, MetricKind,
    NotificationRecord, SampleBatch, SampleSink as _, Timestamp,
};
use testkit::{MemoryAccess, SimulatedClock};
use tower::ServiceExt as _;
use uptime::Transition;

use crate::{
    AccessSettings, Build, Config, Feed, Ports, Provider, RateLimits, RuleGroup, RunningQueries,
    Server, Status, WatchedMonitor,
};
use store::Store;

/// The moment at which the simulated clock stands.
const NOW: i64 = 1_760_000_000_123;

/// A server over a store in memory, and handles on what stands behind it.
struct Bench {
    server: Server,
    store: Arc<Store>,
    clock: Arc<SimulatedClock>,
    accounts: MemoryAccess,
    behind: Arc<Mutex<Behind>>,
}

/// What the ports answer; a test changes it.
struct Behind {
    host: Option<HostSummary>,
    health: Vec<ComponentHealth>,
    ready: Result<(), String>,
    reload: Result<(), String>,
    rules: Vec<Arc<RuleGroup>>,
    outages: Vec<Alert>,
    monitors: Vec<WatchedMonitor>,
    transitions: Result<Vec<Transition>, String>,
    /// The newest first; none if the journal never answers.
    journal: Option<Result<Vec<NotificationRecord>, String>>,
}

/// Names and values of labels.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A finished answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    /// One whose access control is off.
    fn with(config: Config) -> Self {
        Self::asking(Config {
            access: AccessSettings::off(),
            ..config
        })
    }

    /// One that asks who it is, if the configuration says so.
    fn asking(config: Config) -> Self {
        Self::by_provider(config, None)
    }

    /// The audit log, the oldest first, as `who action object`.
    fn audited(&self) -> Vec<String> {
        let entries = self.accounts.audit_log().into_iter();
        entries
            .map(|entry| format!("{} {} {}", entry.who, entry.action, entry.object))
            .collect()
    }

    /// One that asks who it is, and can ask an OpenID provider.
    fn by_provider(config: Config, provider: Option<Provider>) -> Self {
        let accounts = MemoryAccess::new();
        let store = Arc::new(Store::new());
        let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(NOW)));
        let behind = Arc::new(Mutex::new(Behind {
            host: None,
            health: vec![part("store", HealthState::Healthy, "")],
            ready: Ok(()),
            reload: Ok(()),
            rules: Vec::new(),
            outages: Vec::new(),
            monitors: Vec::new(),
            transitions: Ok(Vec::new()),
            journal: Some(Ok(Vec::new())),
        }));
        let ask = |behind: &Arc<Mutex<Behind>>| Arc::clone(behind);
        let (host, health, ready, reload) =
            (ask(&behind), ask(&behind), ask(&behind), ask(&behind));
        let (rules, outages, journal) = (ask(&behind), ask(&behind), ask(&behind));
        let (monitors, transitions) = (ask(&behind), ask(&behind));
        let ports = Ports {
            sink: store.clone(),
            source: store.clone(),
            storage: store.clone(),
            feed: Feed::new(config.feed.clone()),
            queries: RunningQueries::new(clock.clone()),
            access: Arc::new(accounts.clone()),
            provider,
            clock: clock.clone(),
            families: Arc::new(|| {
                let mut load =
                    MetricFamily::new("node_load1", MetricKind::Gauge, "1m load average.");
                load.push(&[], 0.25).unwrap();
                vec![load]
            }),
            host: Arc::new(move || host.lock().unwrap().host.clone()),
            status: Arc::new(|| Status {
                started: Timestamp::from_millis(NOW - 60_000),
                configured: Timestamp::from_millis(NOW - 30_000),
                is_last_configuration: true,
                settings: [("listen".to_owned(), "127.0.0.1:9595".to_owned())].into(),
                configuration: "listen: \"127.0.0.1:9595\"\n".to_owned(),
                directory: "/srv".to_owned(),
                host: "vm".to_owned(),
                retention: "30d".to_owned(),
            }),
            health: Arc::new(move || health.lock().unwrap().health.clone()),
            ready: Arc::new(move || ready.lock().unwrap().ready.clone()),
            reload: Arc::new(move || reload.lock().unwrap().reload.clone()),
            rules: Arc::new(move || rules.lock().unwrap().rules.clone()),
            outages: Arc::new(move || outages.lock().unwrap().outages.clone()),
            monitors: Arc::new(move || monitors.lock().unwrap().monitors.clone()),
            transitions: Arc::new(move |monitor, limit| {
                let transitions = transitions.lock().unwrap().transitions.clone();
                Box::pin(async move { Ok(monitors::select(transitions?, &monitor, limit)) })
            }),
            notifications: Arc::new(move |query| {
                let entries = journal.lock().unwrap().journal.clone();
                Box::pin(async move {
                    match entries {
                        Some(entries) => Ok(notifications::select(entries?, &query)),
                        None => std::future::pending().await,
                    }
                })
            }),
        };
        let build = Build {
            version: "0.1.0".to_owned(),
            revision: "abc".to_owned(),
            ..Build::default()
        };
        let server = Server::new(ports, build, config);
        // All of a test comes from one address, or from none.
        server.set_rate_limits(RateLimits {
            login: None,
            ..RateLimits::default()
        });
        Self {
            server,
            store,
            clock,
            accounts,
            behind,
        }
    }

    /// Stores samples of series, each at so many seconds before now.
    fn fill(&self, series: &[(Pairs<'_>, &[(i64, f64)])]) {
        for (labels, samples) in series {
            let labels = Labels::from_pairs(labels.iter().copied()).unwrap();
            let rows = samples
                .iter()
                .map(|(age, value)| (&labels, Timestamp::from_millis(NOW - age * 1000), *value));
            let appended = self.store.append(&SampleBatch::packed(rows)).unwrap();
            assert_eq!(appended.rejected, Vec::new());
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.server.router().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_vec(),
        }
    }

    async fn get(&self, uri: &str) -> Answer {
        self.send(Request::get(uri).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, uri: &str, kind: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(uri).header("content-type", kind);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn form(&self, uri: &str, body: &str) -> Answer {
        let kind = "application/x-www-form-urlencoded";
        self.post(uri, kind, body.to_owned()).await
    }
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Status and body, for snapshots; a JSON body must be one.
    fn shown(&self) -> String {
        let text = self.text();
        if self.header("content-type") == "application/json" {
            serde_json::from_str::<serde_json::Value>(text).expect(text);
        }
        format!("{} {text}", self.status.as_u16())
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

fn part(component: &'static str, state: HealthState, reason: &str) -> ComponentHealth {
    ComponentHealth {
        component,
        state,
        since: Timestamp::from_millis(NOW - 90_500),
        reason: reason.to_owned(),
    }
}
