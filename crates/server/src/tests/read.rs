//! Remote read.

use axum::body::Body;
use axum::http::Request;
use model::{Histogram, Labels, SampleColumns, Timestamp};
use wire::chunk::{CHUNK_SAMPLES_MAX, float_chunk, histogram_chunk};
use wire::remote_read::{Frame, finish_result, push_series};
use wire::remote_write::{compress, decompress, encode_histograms};

use super::{Answer, Bench, NOW};
use crate::Config;

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128);
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn varint(field: u8, mut number: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// Asks for the series of a name from so many seconds before now until now.
fn query(name: &str, age: i64) -> Vec<u8> {
    let matcher = field(
        3,
        &[field(2, b"__name__"), field(3, name.as_bytes())].concat(),
    );
    let times = [varint(1, (NOW - age * 1000) as u64), varint(2, NOW as u64)];
    field(1, &[times.concat(), matcher].concat())
}

async fn read(bench: &Bench, message: &[u8]) -> Answer {
    let request = Request::post("/api/v1/read")
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("accept-encoding", "snappy");
    let body = Body::from(compress(message));
    bench.send(request.body(body).unwrap()).await
}

fn labels(job: &str) -> Labels {
    Labels::from_pairs([("__name__", "up"), ("job", job)]).unwrap()
}

fn columns(samples: &[(i64, f64)]) -> SampleColumns {
    let mut columns = SampleColumns::default();
    for (age, value) in samples {
        columns.push(NOW - age * 1000, *value);
    }
    columns
}

fn histogram(sum: f64) -> Histogram {
    Histogram {
        sum,
        ..Histogram::stale()
    }
}

/// Two series with numbers, of which one has native histograms too.
async fn filled() -> Bench {
    let bench = Bench::new();
    bench.fill(&[
        (
            &[("__name__", "up"), ("job", "a")],
            &[(120, 0.0), (60, model::stale_marker()), (10, 1.5)],
        ),
        (&[("__name__", "up"), ("job", "b")], &[(600, 2.0)]),
    ]);
    let at = |age: i64| Timestamp::from_millis(NOW - age * 1000);
    let histograms = [(at(50), histogram(1.0)), (at(40), histogram(2.0))];
    // Histograms between numbers are late, and this store takes nothing late.
    let series = Labels::from_pairs([("__name__", "sizes")]).unwrap();
    let message = encode_histograms(&series, &histograms);
    let request = Request::post("/api/v1/write").body(Body::from(compress(&message)));
    assert_eq!(bench.send(request.unwrap()).await.shown(), "204 ");
    bench
}

#[tokio::test]
async fn samples_are_answered_query_by_query() {
    let bench = filled().await;
    let message = [query("up", 300), query("sizes", 300), query("nothing", 300)].concat();
    let answer = read(&bench, &message).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    assert_eq!(answer.header("content-encoding"), "snappy");
    let mut expected = Vec::new();
    let samples = columns(&[(120, 0.0), (60, model::stale_marker()), (10, 1.5)]);
    push_series(&mut expected, &labels("a"), &samples, &[]);
    finish_result(&mut expected, 0);
    let start = expected.len();
    let sizes = Labels::from_pairs([("__name__", "sizes")]).unwrap();
    let histograms = [
        (NOW - 50_000, histogram(1.0)),
        (NOW - 40_000, histogram(2.0)),
    ];
    push_series(
        &mut expected,
        &sizes,
        &SampleColumns::default(),
        &histograms,
    );
    finish_result(&mut expected, start);
    let start = expected.len();
    finish_result(&mut expected, start);
    assert_eq!(decompress(&answer.body, 1 << 20).unwrap(), expected);
    let metrics = bench.get("/metrics").await.text().to_owned();
    let counted = r#"campanile_query_requests_total{kind="read",result="success"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn chunks_are_answered_in_frames() {
    let bench = filled().await;
    let message = [query("up", 300), query("sizes", 300), field(2, &[1, 0])].concat();
    let answer = read(&bench, &message).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
    );
    assert_eq!(answer.header("content-encoding"), "");
    let mut expected = Vec::new();
    let samples = columns(&[(120, 0.0), (60, model::stale_marker()), (10, 1.5)]);
    let mut frame = Frame::new(&labels("a"));
    frame.push(&float_chunk(&samples.timestamps, &samples.values));
    frame.finish(0, &mut expected);
    let mut frame = Frame::new(&Labels::from_pairs([("__name__", "sizes")]).unwrap());
    let histograms = [
        (NOW - 50_000, histogram(1.0)),
        (NOW - 40_000, histogram(2.0)),
    ];
    let (chunk, count) = histogram_chunk(&histograms);
    assert_eq!(count, 2);
    frame.push(&chunk);
    frame.finish(1, &mut expected);
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn long_series_are_cut_into_chunks() {
    let bench = Bench::new();
    let samples: Vec<_> = (0..300).rev().map(|age| (age, age as f64)).collect();
    bench.fill(&[(&[("__name__", "up"), ("job", "a")], &samples)]);
    let answer = read(&bench, &[query("up", 1000), varint(2, 1)].concat()).await;
    let samples = columns(&samples);
    let mut frame = Frame::new(&labels("a"));
    for start in (0..300).step_by(CHUNK_SAMPLES_MAX) {
        let part = start..(start + CHUNK_SAMPLES_MAX).min(300);
        let chunk = float_chunk(&samples.timestamps[part.clone()], &samples.values[part]);
        frame.push(&chunk);
    }
    let mut expected = Vec::new();
    frame.finish(0, &mut expected);
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn who_asks_for_series_gets_labels() {
    let bench = filled().await;
    let matcher = field(3, &[field(2, b"job"), field(3, b"a")].concat());
    let hints = field(4, &field(2, b"series"));
    let times = [varint(1, 1), varint(2, NOW as u64)].concat();
    let query = field(1, &[times, matcher, hints].concat());
    let answer = read(&bench, &query).await;
    let mut expected = Vec::new();
    push_series(&mut expected, &labels("a"), &SampleColumns::default(), &[]);
    finish_result(&mut expected, 0);
    assert_eq!(decompress(&answer.body, 1 << 20).unwrap(), expected);
    let answer = read(&bench, &[query, varint(2, 1)].concat()).await;
    let mut expected = Vec::new();
    Frame::new(&labels("a")).finish(0, &mut expected);
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let mut config = Config::default();
    config.limits.evaluation.samples_max = 2;
    let bench = Bench::with(config);
    bench.fill(&[(&[("__name__", "up")], &[(3, 1.0), (2, 1.0), (1, 1.0)])]);
    let answer = read(&bench, &query("up", 300)).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("exceeded sample limit (2)"),
        "{}",
        answer.text()
    );
    // In chunks no more than one series is in memory.
    let answer = read(&bench, &[query("up", 300), varint(2, 1)].concat()).await;
    assert_eq!(answer.status, 200);
    for (body, expected) in [
        (b"text".to_vec(), "the body is no snappy block"),
        (
            compress(b"text"),
            "the message is no remote read request: byte 1",
        ),
        (
            compress(&varint(2, 9)),
            "none of the accepted response types [9] is supported",
        ),
    ] {
        let answer = bench
            .post("/api/v1/read", "application/x-protobuf", body)
            .await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
    *bench.store.broken.lock().unwrap() = Some("disk on fire".to_owned());
    assert_eq!(read(&bench, &query("up", 300)).await.status, 500);
}
