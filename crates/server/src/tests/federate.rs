//! Federation.

use axum::body::Body;
use axum::http::Request;
use expect_test::expect;
use model::{BucketCounts, Counts, Histogram, Labels, Timestamp};
use wire::remote_write::{compress, encode_histograms};

use super::{Bench, NOW};

#[tokio::test]
async fn the_latest_samples_are_shown_by_name() {
    let bench = Bench::new();
    bench.fill(&[
        (
            &[("__name__", "up"), ("job", "b"), ("instance", "x:1")],
            &[(60, 0.0), (30, 1e6)],
        ),
        (&[("__name__", "up"), ("job", "a")], &[(10, 1.0)]),
        (&[("__name__", "old")], &[(400, 1.0)]),
        (
            &[("__name__", "gone")],
            &[(60, 1.0), (30, model::stale_marker())],
        ),
        (
            &[("__name__", "app.load"), ("a b", "\"")],
            &[(10, f64::NAN)],
        ),
    ]);
    let series = Labels::from_pairs([("__name__", "sizes")]).unwrap();
    let histogram = Histogram {
        sum: 2.5,
        counts: BucketCounts::Integer(Counts {
            total: 3,
            zero: 3,
            ..Counts::default()
        }),
        ..Histogram::stale()
    };
    let message = encode_histograms(&series, &[(Timestamp::from_millis(NOW), histogram)]);
    let request = Request::post("/api/v1/write").body(Body::from(compress(&message)));
    bench.send(request.unwrap()).await;
    let answer = bench
        .get("/federate?match[]=up&match[]=%7B__name__=~%22.%2B%22%7D")
        .await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    expect![[r#"
        200 # TYPE "app.load" untyped
        {"app.load","a b"="\"",instance=""} NaN 1759999990123
        # TYPE sizes histogram
        sizes_bucket{instance="",le="+Inf"} 3 1760000000123
        sizes_sum{instance=""} 2.5 1760000000123
        sizes_count{instance=""} 3 1760000000123
        # TYPE up untyped
        up{instance="x:1",job="b"} 1e+06 1759999970123
        up{job="a",instance=""} 1 1759999990123
    "#]]
    .assert_eq(&answer.shown());
}

#[tokio::test]
async fn nothing_is_shown_to_who_asks_for_nothing() {
    let bench = Bench::new();
    assert_eq!(bench.get("/federate").await.shown(), "200 ");
    let answer = bench.get("/federate?match[]=up%7B").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("invalid parameter \\\"match[]\\\""));
}
