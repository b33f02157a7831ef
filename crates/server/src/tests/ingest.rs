//! The JSON routes.

use expect_test::expect;
use model::{Metadata, MetricKind, SampleSink as _, SeriesSource as _};

use super::Bench;

const INGEST: &str = "/api/v1/metrics/ingest";
const BATCH: &str = "/api/v1/metrics/batch";

impl Bench {
    async fn json(&self, uri: &str, body: &str) -> String {
        self.post(uri, "application/json", body.to_owned())
            .await
            .shown()
    }
}

#[tokio::test]
async fn a_metric_is_stored_and_shown_as_the_latest() {
    let bench = Bench::new();
    let gauge = r#"{"name":"temperature","type":"gauge","value":21.5,"labels":{"room":"attic"},"help_text":"Degrees."}"#;
    expect![[r#"201 {"accepted":1}"#]].assert_eq(&bench.json(INGEST, gauge).await);
    expect![[r#"200 {"name":"temperature","series":[{"labels":{"room":"attic"},"value":21.5,"timestamp":1760000000.123}]}"#]].assert_eq(&bench.get("/api/v1/metrics/latest/temperature").await.shown());
    expect![[r#"200 {"status":"success","data":{"temperature":[{"type":"gauge","help":"Degrees.","unit":""}]}}"#]].assert_eq(&bench.get("/api/v1/metadata").await.shown());
}

#[tokio::test]
async fn a_batch_takes_what_is_right_and_tells_what_is_not() {
    let bench = Bench::new();
    expect![[r#"201 {"accepted":2}"#]].assert_eq(
        &bench.json(BATCH, r#"{"metrics":[{"name":"a","type":"gauge","value":1},{"name":"h","type":"histogram","buckets":{"1":2,"+Inf":3},"sum":4,"count":3}]}"#).await,
    );
    expect![[r#"207 {"accepted":1,"rejected":[{"index":0,"error":"name is missing or empty: write the metric's name"},{"index":2,"error":"another value is already stored at 1760000000.123"},{"index":3,"error":"another value is already stored at 1760000000.123"}]}"#]].assert_eq(
        &bench.json(BATCH, r#"{"metrics":[{"name":"","type":"gauge","value":1},{"name":"b","type":"gauge","value":1},{"name":"a","type":"gauge","value":2},{"name":"h","type":"histogram","buckets":{"1":1,"+Inf":3},"sum":5,"count":3}]}"#).await,
    );
    assert_eq!(bench.get("/api/v1/metrics/latest/b").await.status, 200);
}

#[tokio::test]
async fn the_latest_value_is_recent_and_not_stale() {
    let bench = Bench::new();
    bench.fill(&[
        (&[("__name__", "x"), ("a", "old")], &[(301, 1.0)]),
        (
            &[("__name__", "x"), ("a", "stale")],
            &[(60, 1.0), (30, model::stale_marker())],
        ),
        (&[("__name__", "x"), ("a", "two")], &[(60, 1.0), (30, 2.0)]),
        (&[("__name__", "x"), ("a", "nan")], &[(30, f64::NAN)]),
        (&[("__name__", "y")], &[(301, 1.0)]),
    ]);
    expect![[r#"200 {"name":"x","series":[{"labels":{"a":"nan"},"value":null,"timestamp":1759999970.123},{"labels":{"a":"two"},"value":2,"timestamp":1759999970.123}]}"#]].assert_eq(&bench.get("/api/v1/metrics/latest/x").await.shown());
    expect![[r#"200 {"name":"x","series":[{"labels":{"a":"nan"},"value":null,"timestamp":1759999970.123}],"warnings":["results truncated due to limit"]}"#]].assert_eq(&bench.get("/api/v1/metrics/latest/x?limit=1").await.shown());
    expect![[r#"404 {"status":"error","errorType":"not_found","error":"no series named \"y\" has a recent sample"}"#]].assert_eq(&bench.get("/api/v1/metrics/latest/y").await.shown());
}

#[tokio::test]
async fn a_wrong_body_is_refused_with_its_place() {
    let bench = Bench::new();
    for (uri, body, expected) in [
        (
            INGEST,
            "{",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"the body is no JSON: EOF while parsing an object at line 1 column 1"}"#
            ]],
        ),
        (
            INGEST,
            r#"{"name":"a","typ":"gauge"}"#,
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"unknown field \"typ\": did you mean \"type\"?; type is missing, it must be gauge, counter, histogram or summary"}"#
            ]],
        ),
        (
            BATCH,
            "[]",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"a list stands where an object must stand"}"#
            ]],
        ),
    ] {
        expected.assert_eq(&bench.json(uri, body).await);
    }
}

#[tokio::test]
async fn a_refused_sample_refuses_the_metric() {
    let bench = Bench::new();
    bench
        .json(
            INGEST,
            r#"{"name":"a","type":"gauge","value":1,"timestamp":1760000000}"#,
        )
        .await;
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"sample at 1750000000 is older than the newest of its series (1760000000) by more than out_of_order_window"}"#]].assert_eq(
        &bench.json(INGEST, r#"{"name":"a","type":"gauge","value":2,"timestamp":1750000000}"#).await,
    );
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"another value is already stored at 1760000000"}"#]].assert_eq(
        &bench.json(INGEST, r#"{"name":"a","type":"gauge","value":2,"timestamp":1760000000}"#).await,
    );
}

#[tokio::test]
async fn a_push_without_help_keeps_the_help() {
    let bench = Bench::new();
    let known = Metadata {
        kind: MetricKind::Gauge,
        help: "Degrees.".to_owned(),
        unit: "celsius".to_owned(),
    };
    bench.store.describe(&[("a".to_owned(), known)]).unwrap();
    for (place, (fields, expected)) in [
        ("", ("gauge", "Degrees.", "celsius")),
        (r#","help_text":"Warmth.""#, ("gauge", "Warmth.", "celsius")),
        ("", ("gauge", "Warmth.", "celsius")),
        (r#","unit":"kelvin""#, ("gauge", "Warmth.", "kelvin")),
    ]
    .into_iter()
    .enumerate()
    {
        let time = 1_760_000_000 + place;
        let body = format!(r#"{{"name":"a","type":"gauge","value":1,"timestamp":{time}{fields}}}"#);
        expect![[r#"201 {"accepted":1}"#]].assert_eq(&bench.json(INGEST, &body).await);
        let described = bench.store.metadata().unwrap()["a"].clone();
        let described = (described.kind.as_str(), &*described.help, &*described.unit);
        assert_eq!(described, expected, "{fields}");
    }
    // The type is always said, so it is always taken.
    let counter = r#"{"name":"a","type":"counter","value":1,"timestamp":1760000009}"#;
    bench.json(INGEST, counter).await;
    let described = bench.store.metadata().unwrap()["a"].clone();
    assert_eq!(described.kind, MetricKind::Counter);
    assert_eq!(described.help, "Warmth.");
}

#[tokio::test]
async fn a_metric_that_is_refused_is_not_described() {
    let bench = Bench::new();
    bench.fill(&[(&[("__name__", "a")], &[(0, 1.0)])]);
    let metric =
        |name: &str| format!(r#"{{"name":"{name}","type":"gauge","value":2,"help_text":"Help."}}"#);
    let body = format!(r#"{{"metrics":[{},{}]}}"#, metric("a"), metric("b"));
    bench.json(BATCH, &body).await;
    let described = bench.store.metadata().unwrap();
    assert_eq!(described.keys().collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn only_plain_json_is_read() {
    let bench = Bench::new();
    expect![[r#"415 {"status":"error","errorType":"bad_data","error":"content type \"text/plain\" is not supported here: send application/json"}"#]].assert_eq(&bench.post(INGEST, "text/plain", "{}").await.shown());
    let request = axum::http::Request::post(INGEST)
        .header("content-type", "application/json; charset=utf-8")
        .header("content-encoding", "gzip");
    let answer = bench.send(request.body("{}".into()).unwrap()).await;
    expect![[r#"415 {"status":"error","errorType":"bad_data","error":"content encoding \"gzip\" is not supported here: send the body uncompressed"}"#]].assert_eq(&answer.shown());
}

#[tokio::test]
async fn a_broken_log_asks_the_sender_to_repeat() {
    let bench = Bench::new();
    *bench.store.broken.lock().unwrap() = Some("no space left".to_owned());
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"cannot write to the log: no space left"}"#]].assert_eq(&bench.json(INGEST, r#"{"name":"a","type":"gauge","value":1}"#).await);
}

#[tokio::test]
async fn what_was_taken_and_refused_is_counted() {
    let bench = Bench::new();
    bench.json(BATCH, r#"{"metrics":[{"name":"a","type":"gauge","value":1},{"name":"a","type":"gauge","value":2},{}]}"#).await;
    let metrics = bench.get("/metrics").await.text().to_owned();
    for line in [
        "campanile_metrics_ingested_total{protocol=\"json\"} 1\n",
        "campanile_metrics_rejected_total{protocol=\"json\",reason=\"duplicate\"} 1\n",
        "campanile_metrics_rejected_total{protocol=\"json\",reason=\"invalid\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}
