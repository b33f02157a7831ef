//! What the official client writes is read without loss: this program's own metrics take this way.

use expect_test::expect;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::exposition::{Format, encode, parse};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[test]
fn the_registry_is_read_back_and_shown() {
    let mut registry = Registry::with_prefix("campanile");
    let requests = Family::<Request, Counter>::default();
    registry.register("http_requests", "Requests answered", requests.clone());
    let request = Request {
        method: "GET",
        route: "/api/\"v1\"\\query\n".to_owned(),
        status: 200,
    };
    requests.get_or_create(&request).inc_by(7);
    let durations = Histogram::new([0.01, 1.0]);
    registry.register_with_unit(
        "http_request_duration",
        "Time to answer",
        Unit::Seconds,
        durations.clone(),
    );
    durations.observe(0.5);
    durations.observe(5.0);
    let alerts = Gauge::<i64>::default();
    registry.register("active_alerts", "Alerts that fire", alerts.clone());
    alerts.set(-3);
    registry.register(
        "build",
        "The program",
        Info::new(vec![("version", "0.1.0")]),
    );
    registry.register(
        "unused",
        "Never counted",
        Family::<Request, Counter>::default(),
    );

    let mut written = String::new();
    prometheus_client::encoding::text::encode(&mut written, &registry).unwrap();
    let exposition = parse(&written, Format::OpenMetrics);
    assert_eq!(exposition.problems, []);
    expect![[r##"
        # HELP campanile_http_requests_total Requests answered.
        # TYPE campanile_http_requests_total counter
        campanile_http_requests_total{method="GET",route="/api/\"v1\"\\query\n",status="200"} 7
        # HELP campanile_http_request_duration_seconds Time to answer.
        # TYPE campanile_http_request_duration_seconds histogram
        campanile_http_request_duration_seconds_sum 5.5
        campanile_http_request_duration_seconds_count 2
        campanile_http_request_duration_seconds_bucket{le="0.01"} 0
        campanile_http_request_duration_seconds_bucket{le="1.0"} 1
        campanile_http_request_duration_seconds_bucket{le="+Inf"} 2
        # HELP campanile_active_alerts Alerts that fire.
        # TYPE campanile_active_alerts gauge
        campanile_active_alerts -3
        # HELP campanile_build_info The program.
        # TYPE campanile_build_info gauge
        campanile_build_info{version="0.1.0"} 1
    "##]]
    .assert_eq(&encode(&exposition.families, Format::Text));
    let again = encode(&exposition.families, Format::OpenMetrics);
    assert_eq!(
        parse(&again, Format::OpenMetrics).families,
        exposition.families[..4]
    );
}
