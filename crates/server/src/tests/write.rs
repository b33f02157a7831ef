//! Remote write.

use axum::body::Body;
use axum::http::Request;
use expect_test::expect;
use model::{
    BucketCounts, BucketSpan, Counts, Exemplar, Histogram, Labels, Metadata, MetricKind, Sample,
    Selection, SeriesSource as _, Timestamp,
};
use wire::remote_write::{compress, encode, encode_exemplars, encode_histograms, encode_metadata};

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

/// A histogram with so many observations, which it may claim to be more.
fn histogram(age: i64, observations: u64, claimed: u64) -> (Timestamp, Histogram) {
    let histogram = Histogram {
        schema: 0,
        sum: 1.5,
        positive_spans: vec![BucketSpan {
            offset: 1,
            length: 1,
        }],
        counts: BucketCounts::Integer(Counts {
            total: claimed,
            positive: vec![observations],
            ..Counts::default()
        }),
        ..Histogram::stale()
    };
    (Timestamp::from_millis(NOW - age * 1000), histogram)
}

fn exemplar(age: i64, trace: &str) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", trace)]).unwrap(),
        value: 0.25,
        timestamp: Timestamp::from_millis(NOW - age * 1000),
    }
}

fn written(answer: &Answer) -> [&str; 3] {
    ["samples", "histograms", "exemplars"]
        .map(|kind| answer.header(&format!("x-prometheus-remote-write-{kind}-written")))
}

#[tokio::test]
async fn histograms_and_exemplars_are_stored() {
    let bench = Bench::new();
    let series = Labels::from_pairs([("__name__", "up"), ("job", "j")]).unwrap();
    let histograms = [histogram(60, 2, 2), histogram(30, 5, 5)];
    let mut body = message("up", &[(60, 1.0)]);
    body.extend(encode_histograms(&series, &histograms));
    body.extend(encode_exemplars(&series, &[exemplar(60, "abc")]));
    let answer = write(&bench, &body).await;
    assert_eq!(answer.shown(), "204 ");
    assert_eq!(written(&answer), ["1", "2", "1"]);
    let selection = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = bench.store.select(&selection).unwrap();
    let mut stored = Vec::new();
    selected.read_histograms(0, &mut stored).unwrap();
    let expected = histograms.map(|(at, histogram)| (at.as_millis(), histogram));
    assert_eq!(stored, expected);
    let metrics = bench.get("/metrics").await.text().to_owned();
    let line = "campanile_metrics_ingested_total{protocol=\"remote_write\"} 3\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn good_histograms_are_kept_when_others_are_refused() {
    let bench = Bench::new();
    let series = Labels::from_pairs([("__name__", "up")]).unwrap();
    write(&bench, &encode_histograms(&series, &[histogram(60, 1, 1)])).await;
    let histograms = [
        histogram(90, 1, 1),
        histogram(60, 1, 1),
        histogram(60, 2, 2),
    ];
    let answer = write(&bench, &encode_histograms(&series, &histograms)).await;
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"2 of 3 native histograms were refused, the first of them of series up: sample at 1759999910.123 is older than the newest of its series (1759999940.123) by more than out_of_order_window"}"#]].assert_eq(&answer.shown());
    assert_eq!(written(&answer), ["0", "1", "0"]);
    let mut body = message("down", &[(60, 1.0), (60, 2.0)]);
    let histograms = [histogram(50, 3, 4), histogram(40, 4, 4)];
    body.extend(encode_histograms(&series, &histograms));
    let answer = write(&bench, &body).await;
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"1 of 2 samples were refused, the first of them of series down{job=\"j\"}: another value is already stored at 1759999940.123; 1 of 2 native histograms were refused, the first of them of series up: 4 observations, but the buckets hold 3: both must be equal unless the sum is NaN"}"#]].assert_eq(&answer.shown());
    assert_eq!(written(&answer), ["1", "1", "0"]);
    let metrics = bench.get("/metrics").await.text().to_owned();
    for (reason, count) in [
        ("invalid_histogram", 1),
        ("out_of_order", 1),
        ("duplicate", 2),
    ] {
        let line = format!("{{protocol=\"remote_write\",reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[tokio::test]
async fn refused_exemplars_are_counted_and_hold_up_nothing() {
    let bench = Bench::new();
    let series = Labels::from_pairs([("__name__", "up")]).unwrap();
    let long = exemplar(60, &"x".repeat(121));
    let mut body = message("up", &[(60, 1.0)]);
    body.extend(encode_exemplars(&series, &[exemplar(60, "abc"), long]));
    let answer = write(&bench, &body).await;
    assert_eq!(answer.shown(), "204 ");
    assert_eq!(written(&answer), ["1", "0", "1"]);
    let metrics = bench.get("/metrics").await.text().to_owned();
    let line = "{protocol=\"remote_write\",reason=\"invalid_exemplar\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn exemplars_are_found_by_the_selectors_of_an_expression() {
    let bench = Bench::new();
    for job in ["b", "a"] {
        let series = Labels::from_pairs([("__name__", "up_bucket"), ("job", job)]).unwrap();
        let exemplars = [exemplar(60, "late"), exemplar(120, "early")];
        let answer = write(&bench, &encode_exemplars(&series, &exemplars)).await;
        assert_eq!(written(&answer), ["0", "0", "2"]);
    }
    let ask = async |parameters: &str| {
        let uri = format!("/api/v1/query_exemplars?{parameters}");
        let by_form = bench.form("/api/v1/query_exemplars", parameters).await;
        let answer = bench.get(&uri).await.shown();
        assert_eq!(by_form.shown(), answer);
        answer
    };
    expect![[r#"200 {"status":"success","data":[{"seriesLabels":{"__name__":"up_bucket","job":"a"},"exemplars":[{"labels":{"trace_id":"late"},"value":"0.25","timestamp":1759999940.123}]},{"seriesLabels":{"__name__":"up_bucket","job":"b"},"exemplars":[{"labels":{"trace_id":"late"},"value":"0.25","timestamp":1759999940.123}]}]}"#]].assert_eq(&ask("query=rate(up_bucket%5B5m%5D)&start=1759999900").await);
    expect![[r#"200 {"status":"success","data":[{"seriesLabels":{"__name__":"up_bucket","job":"a"},"exemplars":[{"labels":{"trace_id":"early"},"value":"0.25","timestamp":1759999880.123},{"labels":{"trace_id":"late"},"value":"0.25","timestamp":1759999940.123}]}]}"#]].assert_eq(&ask("query=up_bucket%7Bjob=%22a%22%7D%2Bup_bucket%7Bjob=%22c%22%7D").await);
    expect![[r#"200 {"status":"success","data":[]}"#]]
        .assert_eq(&ask("query=up_bucket&end=1759999800").await);
    expect![[r#"200 {"status":"success","data":[]}"#]].assert_eq(&ask("query=1%2B1").await);
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": it is before start"}"#]].assert_eq(&ask("query=up_bucket&start=2&end=1").await);
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:11: parse error: unexpected end of input inside braces"}"#]].assert_eq(&ask("query=up_bucket%7B").await);
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": it is missing"}"#]].assert_eq(&ask("start=1").await);
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

#[tokio::test]
async fn native_histograms_that_were_written_are_found_by_queries() {
    let bench = Bench::new();
    let at = |age: i64| Timestamp::from_millis(NOW - age * 1000);
    let exponential = |total: u64| Histogram {
        schema: 0,
        zero_threshold: 0.001,
        sum: 7.5,
        positive_spans: vec![BucketSpan {
            offset: 1,
            length: 2,
        }],
        negative_spans: vec![BucketSpan {
            offset: 0,
            length: 1,
        }],
        counts: BucketCounts::Integer(Counts {
            total: total + 3,
            zero: 1,
            positive: vec![0, total],
            negative: vec![2],
        }),
        ..Histogram::stale()
    };
    let custom = Histogram {
        schema: model::CUSTOM_BUCKETS,
        sum: 1.25,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: 3,
        }],
        custom_bounds: vec![0.5, 1.0],
        counts: BucketCounts::Float(Counts {
            total: 3.5,
            zero: 0.0,
            positive: vec![1.5, 0.0, 2.0],
            negative: vec![],
        }),
        ..Histogram::stale()
    };
    let series = |name: &str| Labels::from_pairs([("__name__", name)]).unwrap();
    let histograms = [
        (at(120), exponential(4)),
        (at(60), exponential(5)),
        (at(0), Histogram::stale()),
    ];
    let message = [
        encode_histograms(&series("sizes"), &histograms),
        encode_histograms(&series("times"), &[(at(0), custom)]),
    ];
    let answer = write(&bench, &message.concat()).await;
    assert_eq!(answer.shown(), "204 ");
    assert_eq!(
        answer.header("x-prometheus-remote-write-histograms-written"),
        "4"
    );
    expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"times"},"histogram":[1760000000.123,{"count":"3.5","sum":"1.25","buckets":[[3,"-Inf","0.5","1.5"],[0,"1","+Inf","2"]]}]}]}}"#]]
        .assert_eq(&bench.get("/api/v1/query?query=%7B__name__=~%22sizes%7Ctimes%22%7D").await.shown());
    let uri = "/api/v1/query_range?query=sizes&start=1759999880.123&end=1760000000.123&step=60";
    expect![[r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"sizes"},"histograms":[[1759999880.123,{"count":"7","sum":"7.5","buckets":[[1,"-1","-0.5","2"],[3,"-0.001","0.001","1"],[0,"2","4","4"]]}],[1759999940.123,{"count":"8","sum":"7.5","buckets":[[1,"-1","-0.5","2"],[3,"-0.001","0.001","1"],[0,"2","4","5"]]}]]}]}}"#]]
        .assert_eq(&bench.get(uri).await.shown());
    let count = bench
        .get("/api/v1/query?query=histogram_count(sizes)&time=1759999940.123")
        .await;
    assert!(
        count.text().contains(r#""value":[1759999940.123,"8"]"#),
        "{}",
        count.text()
    );
}
