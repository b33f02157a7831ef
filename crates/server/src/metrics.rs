//! All figures that the server keeps about itself.
//!
//! They are counted with the official client and shown through the same encoder as everything else, so that `/metrics`
//! is one text in one format; for that its registry is read back into families.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use model::MetricFamily;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use promql::Progress;
use wire::exposition;

use crate::rate::Class;
use crate::running::QueryKind;

/// Seconds; few, since each is a series for each route and status.
const REQUEST_BUCKETS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// Seconds from "was in memory" to "ran into the default timeout".
const QUERY_BUCKETS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0, 120.0];

/// Why a limit ends a query: its own samples, series and bytes, the memory for all, those that others take of it, the
/// queue of the gate, and the time.
const REFUSALS: [&str; 7] = [
    "max_samples",
    "max_series",
    "max_memory",
    "memory",
    "busy",
    "queue",
    "timeout",
];

/// One histogram for each set of labels.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The server's counters, and the registry in which they are shown.
pub(crate) struct Metrics {
    registry: Registry,
    /// `campanile_http_requests_total`
    requests: Family<RequestLabels, Counter>,
    /// `campanile_http_request_duration_seconds`
    request_duration: Histograms<RequestLabels>,
    /// `campanile_http_requests_in_flight`
    pub(crate) requests_in_flight: Gauge,
    /// `campanile_metrics_ingested_total`
    ingested: Family<ProtocolLabels, Counter>,
    /// `campanile_metrics_rejected_total`
    rejected: Family<RejectionLabels, Counter>,
    /// `campanile_queries_in_flight`
    pub(crate) queries_in_flight: Gauge,
    /// `campanile_queries_waiting`
    pub(crate) queries_waiting: Gauge,
    /// `campanile_http_rate_limited_total`
    rate_limited: Family<ClassLabels, Counter>,
    /// `campanile_http_connections_refused_total`
    pub(crate) connections_refused: Counter,
    /// `campanile_tls_handshake_failures_total`
    pub(crate) tls_failures: Counter,
    /// `campanile_websocket_…`
    pub(crate) feed: FeedMetrics,
}

/// The figures of queries, those of rules included.
pub(crate) struct QueryMetrics {
    /// `campanile_query_requests_total`
    queries: Family<QueryLabels, Counter>,
    /// `campanile_query_duration_seconds`
    duration: Histograms<QueryKindLabels>,
    /// `campanile_query_samples_read_total`
    samples_read: Counter,
    /// `campanile_query_refused_total`
    refused: Family<ReasonLabels, Counter>,
}

/// The figures of the live feed.
pub(crate) struct FeedMetrics {
    /// `campanile_websocket_connections`
    pub(crate) connections: Gauge,
    /// `campanile_websocket_messages_total`
    messages: Family<DirectionLabels, Counter>,
    /// `campanile_websocket_messages_dropped_total`
    pub(crate) dropped: Counter,
    /// `campanile_websocket_resynchronizations_total`
    pub(crate) resynchronizations: Counter,
    /// `campanile_websocket_clients_refused_total`
    pub(crate) refused: Counter,
    /// `campanile_websocket_published_lost_total`
    pub(crate) lost: Counter,
    /// `campanile_websocket_live_queries`
    pub(crate) live_queries: Gauge,
}

/// Which way a message of the live feed went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Received,
    Sent,
}

/// How samples came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    RemoteWrite,
    Json,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

/// A request's labels: each from a small fixed set, whatever a client sends.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProtocolLabels {
    protocol: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RejectionLabels {
    protocol: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct QueryLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct QueryKindLabels {
    kind: &'static str,
}

impl Metrics {
    /// Counts a finished request.
    pub(crate) fn observe_request(
        &self,
        method: &'static str,
        route: &str,
        status: u16,
        took: Duration,
    ) {
        let labels = RequestLabels {
            method,
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let histogram = self.request_duration.get_or_create(&labels);
        histogram.observe(took.as_secs_f64());
    }

    /// Counts samples that were stored.
    pub(crate) fn count_ingested(&self, protocol: Protocol, samples: usize) {
        let labels = ProtocolLabels {
            protocol: protocol.as_str(),
        };
        self.ingested.get_or_create(&labels).inc_by(samples as u64);
    }

    /// Counts samples that were not stored.
    pub(crate) fn count_rejected(&self, protocol: Protocol, reason: &'static str, samples: usize) {
        if samples == 0 {
            return;
        }
        let labels = RejectionLabels {
            protocol: protocol.as_str(),
            reason,
        };
        self.rejected.get_or_create(&labels).inc_by(samples as u64);
    }

    /// Counts a request that came too soon.
    pub(crate) fn count_rate_limited(&self, class: Class) {
        let class = class.as_str();
        self.rate_limited
            .get_or_create(&ClassLabels { class })
            .inc();
    }

    /// All of them now.
    pub(crate) fn families(&self) -> Vec<MetricFamily> {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: a string takes everything");
        exposition::families_of_client(&text)
    }
}

impl Metrics {
    /// All of them, those of queries as the list of running queries counts them.
    pub(crate) fn new(queries: &QueryMetrics) -> Self {
        // The registry adds the full stop to each help, and `_total` to a counter's name.
        let mut registry = Registry::with_prefix("campanile");
        queries.register(&mut registry);
        let mut add = Adding(&mut registry);
        let metrics = Self {
            requests: add.metric(
                "http_requests",
                "HTTP requests that were answered, by route template",
            ),
            request_duration: add.histograms(
                "http_request_duration_seconds",
                "Time from a request's head to the head of its answer",
                || Histogram::new(REQUEST_BUCKETS),
            ),
            requests_in_flight: add.metric(
                "http_requests_in_flight",
                "HTTP requests that are being answered",
            ),
            ingested: add.metric("metrics_ingested", "Samples that were received and stored"),
            rejected: add.metric(
                "metrics_rejected",
                "Samples that were received and not stored",
            ),
            queries_in_flight: add.metric("queries_in_flight", "Queries that are being evaluated"),
            queries_waiting: add.metric("queries_waiting", "Queries that wait for their turn"),
            rate_limited: add.metric(
                "http_rate_limited",
                "HTTP requests that came too soon after others, by class",
            ),
            connections_refused: add.metric(
                "http_connections_refused",
                "Connections that were closed since their address has too many",
            ),
            tls_failures: add.metric(
                "tls_handshake_failures",
                "Connections that came to no encryption, by the fault of the client or ours",
            ),
            feed: FeedMetrics::new(&mut add),
            registry,
        };
        // A counter that exists from the start shows its first increase too.
        for protocol in [Protocol::RemoteWrite, Protocol::Json] {
            metrics.count_ingested(protocol, 0);
        }
        for class in Class::ALL {
            let labels = ClassLabels {
                class: class.as_str(),
            };
            metrics.rate_limited.get_or_create(&labels).inc_by(0);
        }
        for direction in [Direction::Received, Direction::Sent] {
            let messages = &metrics.feed.messages;
            messages.get_or_create(&direction.labels()).inc_by(0);
        }
        metrics
    }
}

impl QueryMetrics {
    /// Counts a query that has ended.
    pub(crate) fn observe(
        &self,
        kind: QueryKind,
        result: &'static str,
        took: Duration,
        progress: Progress,
    ) {
        let kind = kind.as_str();
        let labels = QueryLabels { kind, result };
        self.queries.get_or_create(&labels).inc();
        let histogram = self.duration.get_or_create(&QueryKindLabels { kind });
        histogram.observe(took.as_secs_f64());
        self.samples_read.inc_by(progress.samples_read);
    }

    /// Counts a limit that ended a query.
    pub(crate) fn count_refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabels { reason }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        let queries = self.queries.clone();
        let help = "Queries over HTTP and of rules, by how they ended";
        registry.register("query_requests", help, queries);
        let help = "Time that queries took, waiting included";
        registry.register("query_duration_seconds", help, self.duration.clone());
        let help = "Samples that queries read from the store";
        registry.register("query_samples_read", help, self.samples_read.clone());
        let help = "Queries that a limit ended, by the limit";
        registry.register("query_refused", help, self.refused.clone());
    }
}

impl Default for QueryMetrics {
    fn default() -> Self {
        let metrics = Self {
            queries: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(QUERY_BUCKETS)),
            samples_read: Counter::default(),
            refused: Family::default(),
        };
        // A counter that exists from the start shows its first increase too.
        for kind in ["instant", "range", "live", "rule"] {
            let result = "success";
            let labels = QueryLabels { kind, result };
            metrics.queries.get_or_create(&labels).inc_by(0);
        }
        for reason in REFUSALS {
            metrics
                .refused
                .get_or_create(&ReasonLabels { reason })
                .inc_by(0);
        }
        metrics
    }
}

impl FeedMetrics {
    fn new(add: &mut Adding<'_>) -> Self {
        Self {
            connections: add.metric(
                "websocket_connections",
                "Clients that follow the live feed",
            ),
            messages: add.metric(
                "websocket_messages",
                "Messages of the live feed, by direction",
            ),
            dropped: add.metric(
                "websocket_messages_dropped",
                "Messages that were thrown away since their client was too slow, or the server for what was published",
            ),
            resynchronizations: add.metric(
                "websocket_resynchronizations",
                "How often a client was told to fetch anew since messages were thrown away",
            ),
            refused: add.metric(
                "websocket_clients_refused",
                "Clients that were refused since there were too many",
            ),
            lost: add.metric(
                "websocket_published_lost",
                "Samples, alerts and monitors that were published faster than they could be told",
            ),
            live_queries: add.metric(
                "websocket_live_queries",
                "Different queries that are kept evaluated for clients",
            ),
        }
    }

    /// Counts a message.
    pub(crate) fn count(&self, direction: Direction) {
        self.messages.get_or_create(&direction.labels()).inc();
    }
}

impl Direction {
    fn labels(self) -> DirectionLabels {
        DirectionLabels {
            direction: match self {
                Self::Received => "received",
                Self::Sent => "sent",
            },
        }
    }
}

/// Registers metrics and hands them back.
struct Adding<'a>(&'a mut Registry);

impl Adding<'_> {
    fn metric<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.0.register(name, help, metric.clone());
        metric
    }

    fn histograms<L>(&mut self, name: &str, help: &str, make: fn() -> Histogram) -> Histograms<L>
    where
        L: EncodeLabelSet + Clone + Debug + Eq + Hash + Send + Sync + 'static,
    {
        let family = Family::new_with_constructor(make);
        self.0.register(name, help, family.clone());
        family
    }
}

impl Protocol {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RemoteWrite => "remote_write",
            Self::Json => "json",
        }
    }
}

/// Counts up now and down when dropped.
pub(crate) struct InFlight(Gauge);

impl InFlight {
    /// One more.
    pub(crate) fn enter(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
