//! All figures that the server keeps about itself.
//!
//! They are counted with the official client and shown through the same encoder as everything else, so that `/metrics`
//! is one text in one format; for that its registry is read back into families.

use std::time::Duration;

use model::{Clock, MetricFamily};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use wire::exposition::{self, Format};

/// Seconds; few, since each is a series for each route and status.
const REQUEST_BUCKETS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// Seconds from "was in memory" to "ran into the default timeout".
const QUERY_BUCKETS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0, 120.0];

/// The server's counters, and the registry in which they are shown.
pub(crate) struct Metrics {
    registry: Registry,
    /// `campanile_http_requests_total`
    requests: Family<RequestLabels, Counter>,
    /// `campanile_http_request_duration_seconds`
    request_duration: Family<RequestLabels, Histogram, fn() -> Histogram>,
    /// `campanile_http_requests_in_flight`
    pub(crate) requests_in_flight: Gauge,
    /// `campanile_metrics_ingested_total`
    ingested: Family<ProtocolLabels, Counter>,
    /// `campanile_metrics_rejected_total`
    rejected: Family<RejectionLabels, Counter>,
    /// `campanile_query_requests_total`
    queries: Family<QueryLabels, Counter>,
    /// `campanile_query_duration_seconds`
    query_duration: Family<QueryKindLabels, Histogram, fn() -> Histogram>,
    /// `campanile_query_samples_read_total`
    pub(crate) samples_read: Counter,
    /// `campanile_queries_in_flight`
    pub(crate) queries_in_flight: Gauge,
    /// `campanile_queries_waiting`
    pub(crate) queries_waiting: Gauge,
}

/// How samples came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    RemoteWrite,
    Json,
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
        let labels = RejectionLabels {
            protocol: protocol.as_str(),
            reason,
        };
        self.rejected.get_or_create(&labels).inc_by(samples as u64);
    }

    /// Begins to measure a query, which is counted however it ends.
    pub(crate) fn start_query<'a>(
        &'a self,
        clock: &'a dyn Clock,
        kind: &'static str,
    ) -> QueryObservation<'a> {
        QueryObservation {
            metrics: self,
            clock,
            kind,
            started: clock.monotonic(),
            result: "canceled",
        }
    }

    /// All of them now.
    pub(crate) fn families(&self) -> Vec<MetricFamily> {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: a string takes everything");
        let shown = exposition::parse(&text, Format::OpenMetrics);
        debug_assert_eq!(shown.problems, Vec::new());
        shown.families
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let request_duration =
            Family::new_with_constructor((|| Histogram::new(REQUEST_BUCKETS)) as fn() -> _);
        let requests_in_flight = Gauge::default();
        let ingested: Family<ProtocolLabels, Counter> = Family::default();
        // A counter that exists from the start shows its first increase too.
        for protocol in [Protocol::RemoteWrite, Protocol::Json] {
            let protocol = protocol.as_str();
            ingested
                .get_or_create(&ProtocolLabels { protocol })
                .inc_by(0);
        }
        let rejected = Family::default();
        let queries: Family<QueryLabels, Counter> = Family::default();
        for kind in ["instant", "range"] {
            let result = "success";
            queries
                .get_or_create(&QueryLabels { kind, result })
                .inc_by(0);
        }
        let query_duration =
            Family::new_with_constructor((|| Histogram::new(QUERY_BUCKETS)) as fn() -> _);
        let samples_read = Counter::default();
        let queries_in_flight = Gauge::default();
        let queries_waiting = Gauge::default();

        // The registry adds the full stop to each help, and `_total` to a counter's name.
        let mut registry = Registry::with_prefix("campanile");
        registry.register(
            "http_requests",
            "HTTP requests that were answered, by route template",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's head to the head of its answer",
            request_duration.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "HTTP requests that are being answered",
            requests_in_flight.clone(),
        );
        registry.register(
            "metrics_ingested",
            "Samples that were received and stored",
            ingested.clone(),
        );
        registry.register(
            "metrics_rejected",
            "Samples that were received and not stored",
            rejected.clone(),
        );
        registry.register(
            "query_requests",
            "Queries over HTTP, by how they ended",
            queries.clone(),
        );
        registry.register(
            "query_duration_seconds",
            "Time that queries took, waiting included",
            query_duration.clone(),
        );
        registry.register(
            "query_samples_read",
            "Samples that queries read from the store",
            samples_read.clone(),
        );
        registry.register(
            "queries_in_flight",
            "Queries that are being evaluated",
            queries_in_flight.clone(),
        );
        registry.register(
            "queries_waiting",
            "Queries that wait for their turn",
            queries_waiting.clone(),
        );
        Self {
            registry,
            requests,
            request_duration,
            requests_in_flight,
            ingested,
            rejected,
            queries,
            query_duration,
            samples_read,
            queries_in_flight,
            queries_waiting,
        }
    }
}

/// A query that is being measured; one that is dropped before its end was canceled by its client.
pub(crate) struct QueryObservation<'a> {
    metrics: &'a Metrics,
    clock: &'a dyn Clock,
    kind: &'static str,
    started: Duration,
    result: &'static str,
}

impl QueryObservation<'_> {
    /// Counts it as ended with `result`.
    pub(crate) fn end(mut self, result: &'static str) {
        self.result = result;
    }
}

impl Drop for QueryObservation<'_> {
    fn drop(&mut self) {
        let Self {
            metrics,
            kind,
            result,
            ..
        } = *self;
        metrics
            .queries
            .get_or_create(&QueryLabels { kind, result })
            .inc();
        let took = self.clock.monotonic().saturating_sub(self.started);
        let histogram = metrics
            .query_duration
            .get_or_create(&QueryKindLabels { kind });
        histogram.observe(took.as_secs_f64());
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
