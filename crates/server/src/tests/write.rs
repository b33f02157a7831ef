//! Remote write.

use axum::body::Body;
use axum::http::Request;
use expect_test::expect;
use model::{Labels, Metadata, MetricKind, Sample, Timestamp};
use wire::remote_write::{compress, encode, encode_metadata};

use super::{Answer, Bench, NOW};
use crate::Config;

const WRITE: &str = "/api/v1/write";

/// One series `name` with samples at seconds before now.
fn message(name: &str, samples: &[(i64, f64)]) -> Vec<u8> {
    let labels = Labels::from_pairs([("__name__", name), ("job", "j")]).unwrap();
    let samples: Vec<Sample> = samples
        .iter()
        .map(|(age, value)| Sample {
            timestamp: Timestamp::from_millis(NOW - age * 1000),
            value: *value,
        })
        .collect();
    encode([(&labels, samples.as_slice())])
}

async fn write(bench: &Bench, message: &[u8]) -> Answer {
    let request = Request::post(WRITE)
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0");
    let body = Body::from(compress(message));
    bench.send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn samples_and_metadata_are_stored() {
    let bench = Bench::new();
    let mut body = message("up", &[(60, 1.0), (30, 2.0)]);
    let metadata = Metadata {
        kind: MetricKind::Gauge,
        help: "Up.".to_owned(),
        unit: String::new(),
    };
    body.extend(encode_metadata(&[("up".to_owned(), metadata)]));
    let answer = write(&bench, &body).await;
    assert_eq!(answer.shown(), "204 ");
    assert_eq!(
        answer.header("x-prometheus-remote-write-samples-written"),
        "2"
    );
    expect![[r#"200 {"name":"up","series":[{"labels":{"job":"j"},"value":2,"timestamp":1759999970.123}]}"#]].assert_eq(&bench.get("/api/v1/metrics/latest/up").await.shown());
    assert!(bench.get("/api/v1/metadata").await.text().contains("Up."));
    let metrics = bench.get("/metrics").await.text().to_owned();
    assert!(
        metrics.contains("campanile_metrics_ingested_total{protocol=\"remote_write\"} 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn good_samples_are_kept_when_others_are_refused() {
    let bench = Bench::new();
    write(&bench, &message("up", &[(60, 1.0)])).await;
    let answer = write(
        &bench,
        &message("up", &[(90, 1.0), (60, 2.0), (60, 1.0), (30, 2.0)]),
    )
    .await;
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"2 of 4 samples were refused, the first of them of series up{job=\"j\"}: sample at 1759999910.123 is older than the newest of its series (1759999940.123) by more than out_of_order_window"}"#]].assert_eq(&answer.shown());
    assert_eq!(
        answer.header("x-prometheus-remote-write-samples-written"),
        "2"
    );
    let latest = bench.get("/api/v1/metrics/latest/up").await;
    assert!(latest.text().contains(r#""value":2,"#), "{}", latest.text());
}

#[tokio::test]
async fn histograms_are_refused_and_exemplars_are_counted() {
    let bench = Bench::new();
    // An empty exemplar (field 3) and an empty histogram (field 4) inside the series, whose length grows by 2 each.
    let with_field = |tag: u8| {
        let mut body = message("up", &[(60, 1.0)]);
        body.extend([tag, 0]);
        body[1] += 2;
        body
    };
    let answer = write(&bench, &with_field(0x1a)).await;
    assert_eq!(answer.shown(), "204 ");
    assert_eq!(
        answer.header("x-prometheus-remote-write-exemplars-written"),
        "0"
    );
    let answer = write(&bench, &with_field(0x22)).await;
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"1 native histograms were not stored, this version stores float samples: send classic histograms"}"#]].assert_eq(&answer.shown());
    assert_eq!(
        answer.header("x-prometheus-remote-write-samples-written"),
        "1"
    );
    let metrics = bench.get("/metrics").await.text().to_owned();
    for reason in ["exemplar_unsupported", "histogram_unsupported"] {
        let line = format!("{{protocol=\"remote_write\",reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_refused() {
    let bench = Bench::new();
    let send = async |body: Vec<u8>| {
        let request = Request::post(WRITE).body(Body::from(body)).unwrap();
        bench.send(request).await.shown()
    };
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"the body is no snappy block: snappy: corrupt input (expected copy read of length 4; remaining src: 0)"}"#]].assert_eq(&send(b"\x05\xff".to_vec()).await);
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"the message is no remote write 1.0 request: byte 1: a length reaches beyond the end"}"#]].assert_eq(&send(compress(b"\x0a\x05abc")).await);
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_before_it_is_unpacked() {
    let bench = Bench::with(Config {
        decompressed_max: 1000,
        ..Config::default()
    });
    let answer = write(&bench, &[0; 1001]).await;
    expect![[r#"413 {"status":"error","errorType":"bad_data","error":"decompressed bytes: 1001, at most 1000 are allowed: send smaller requests"}"#]].assert_eq(&answer.shown());
}

#[tokio::test]
async fn another_version_or_encoding_is_refused() {
    let bench = Bench::new();
    let send = async |kind: &str, encoding: &str| {
        let request = Request::post(WRITE)
            .header("content-type", kind)
            .header("content-encoding", encoding);
        let body = Body::from(compress(&message("up", &[(0, 1.0)])));
        bench.send(request.body(body).unwrap()).await.shown()
    };
    let version_1 = "application/x-protobuf;proto=prometheus.WriteRequest";
    let version_2 = "application/x-protobuf; proto=io.prometheus.write.v2.Request";
    assert_eq!(send(version_1, "snappy").await, "204 ");
    expect![[r#"415 {"status":"error","errorType":"bad_data","error":"content type \"application/x-protobuf; proto=io.prometheus.write.v2.Request\" is not supported here: send remote write 1.0, that is Content-Type application/x-protobuf;proto=prometheus.WriteRequest and Content-Encoding snappy"}"#]].assert_eq(&send(version_2, "snappy").await);
    expect![[r#"415 {"status":"error","errorType":"bad_data","error":"content encoding \"zstd\" is not supported here: send remote write 1.0, that is Content-Type application/x-protobuf;proto=prometheus.WriteRequest and Content-Encoding snappy"}"#]].assert_eq(&send(version_1, "zstd").await);
    expect![[r#"415 {"status":"error","errorType":"bad_data","error":"content type \"application/json\" is not supported here: send remote write 1.0, that is Content-Type application/x-protobuf;proto=prometheus.WriteRequest and Content-Encoding snappy"}"#]].assert_eq(&send("application/json", "snappy").await);
}

#[tokio::test]
async fn a_broken_log_asks_the_sender_to_repeat() {
    let bench = Bench::new();
    *bench.store.broken.lock().unwrap() = Some("no space left".to_owned());
    let answer = write(&bench, &message("up", &[(0, 1.0)])).await;
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"cannot write to the log: no space left"}"#]].assert_eq(&answer.shown());
    assert_eq!(answer.header("retry-after"), "5");
}
