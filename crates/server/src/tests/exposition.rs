//! `/metrics`, `/metrics/live` and the server's own figures.

use axum::body::Body;
use axum::http::Request;
use expect_test::expect;
use model::{DiskUse, HostSummary, NetworkRate, Timestamp};
use wire::exposition::{Format, parse};

use super::{Bench, NOW};

#[tokio::test]
async fn metrics_are_shown_in_the_format_that_the_client_prefers() {
    let bench = Bench::new();
    let answer = bench.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Format::Text.content_type());
    assert!(
        answer.text().contains("\nnode_load1 0.25\n"),
        "{}",
        answer.text()
    );
    assert_eq!(parse(answer.text(), Format::Text).problems, Vec::new());

    let request = Request::get("/metrics").header("accept", "application/openmetrics-text");
    let answer = bench.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(
        answer.header("content-type"),
        Format::OpenMetrics.content_type()
    );
    assert!(answer.text().ends_with("# EOF\n"));
    assert_eq!(
        parse(answer.text(), Format::OpenMetrics).problems,
        Vec::new()
    );
}

#[tokio::test]
async fn requests_are_counted_by_method_route_and_status() {
    let bench = Bench::new();
    bench.get("/api/v1/label/job/values").await;
    bench.get("/api/v1/label/instance/values").await;
    bench.get("/api/v1/series").await;
    bench.get("/secret/path").await;
    let invented = Request::builder().method("INVENTED").uri("/health");
    bench.send(invented.body(Body::empty()).unwrap()).await;
    let text = bench.get("/metrics").await.text().to_owned();
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("campanile_http_requests_total"))
        .collect();
    expect![[r#"
        campanile_http_requests_total{method="GET",route="/api/v1/label/{name}/values",status="200"} 2
        campanile_http_requests_total{method="GET",route="/api/v1/series",status="400"} 1
        campanile_http_requests_total{method="GET",route="unmatched",status="404"} 1
        campanile_http_requests_total{method="other",route="/health",status="405"} 1"#]].assert_eq(&shown.join("\n"));
    assert!(!text.contains("secret"));
    assert!(
        text.contains("campanile_http_requests_in_flight 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn every_own_metric_has_help_and_type() {
    let bench = Bench::new();
    bench.get("/health").await;
    let names: Vec<String> = bench
        .server
        .metrics()
        .into_iter()
        .map(|family| {
            assert!(!family.metadata.help.is_empty(), "{}", family.name);
            format!("{} {}", family.metadata.kind.as_str(), family.name)
        })
        .collect();
    expect![[r#"
        counter campanile_query_requests_total
        counter campanile_query_samples_read_total
        counter campanile_query_refused_total
        counter campanile_http_requests_total
        histogram campanile_http_request_duration_seconds
        gauge campanile_http_requests_in_flight
        counter campanile_metrics_ingested_total
        gauge campanile_queries_in_flight
        gauge campanile_queries_waiting
        counter campanile_http_rate_limited_total
        counter campanile_http_connections_refused_total
        counter campanile_tls_handshake_failures_total
        gauge campanile_websocket_connections
        counter campanile_websocket_messages_total
        counter campanile_websocket_messages_dropped_total
        counter campanile_websocket_resynchronizations_total
        counter campanile_websocket_clients_refused_total
        counter campanile_websocket_published_lost_total
        gauge campanile_websocket_live_queries"#]]
    .assert_eq(&names.join("\n"));
}

#[tokio::test]
async fn live_figures_are_shown_once_they_are_there() {
    let bench = Bench::new();
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"this machine's metrics are not collected, or not collected yet"}"#]]
        .assert_eq(&bench.get("/metrics/live").await.shown());
    bench.behind.lock().unwrap().host = Some(HostSummary {
        timestamp: Timestamp::from_millis(NOW),
        host: "tower".to_owned(),
        cpu_percent: Some(12.5),
        memory_percent: None,
        memory_used_bytes: Some(8_360_022_016),
        load: Some([0.5, 0.25, 0.0]),
        disks: vec![DiskUse {
            mountpoint: "/a \"b\"".to_owned(),
            used_percent: 41.0,
            free_bytes: 1 << 50,
        }],
        network: vec![NetworkRate {
            device: "eth0".to_owned(),
            receive_bytes_per_second: 1000.5,
            transmit_bytes_per_second: 0.0,
        }],
    });
    expect![[r#"200 {"timestamp":1760000000.123,"host":"tower","cpu_percent":12.5,"memory_percent":null,"memory_used_bytes":8360022016,"load":[0.5,0.25,0],"disks":[{"mountpoint":"/a \"b\"","used_percent":41,"free_bytes":1125899906842624}],"network":[{"device":"eth0","receive_bytes_per_second":1000.5,"transmit_bytes_per_second":0}]}"#]].assert_eq(&bench.get("/metrics/live").await.shown());
}
