//! The routes that change the store, and the one that tells what it holds.

use axum::body::Body;
use axum::http::{Method, Request};
use expect_test::expect;

use super::{Answer, Bench};
use crate::Config;

fn filled(admin_api: bool) -> Bench {
    let bench = Bench::with(Config {
        admin_api,
        ..Config::default()
    });
    bench.fill(&[
        (
            &[("__name__", "up"), ("job", "a")],
            &[(60, 1.0), (30, 1.0), (0, 1.0)],
        ),
        (&[("__name__", "up"), ("job", "b")], &[(0, 1.0)]),
        (&[("__name__", "load"), ("job", "a")], &[(0, 0.5)]),
    ]);
    bench
}

async fn send(bench: &Bench, method: Method, uri: &str) -> Answer {
    let request = Request::builder().method(method).uri(uri);
    bench.send(request.body(Body::empty()).unwrap()).await
}

async fn series(bench: &Bench) -> String {
    let answer = bench
        .get("/api/v1/series?match[]=up&match[]=load&start=0")
        .await;
    answer.text().to_owned()
}

#[tokio::test]
async fn the_store_cannot_be_changed_unless_the_configuration_says_so() {
    let bench = filled(false);
    for route in ["delete_series?match[]=up", "clean_tombstones", "snapshot"] {
        let uri = format!("/api/v1/admin/tsdb/{route}");
        for method in [Method::POST, Method::PUT] {
            let answer = send(&bench, method, &uri).await;
            assert_eq!(answer.header("retry-after"), "");
            expect![[r#"503 {"status":"error","errorType":"unavailable","error":"admin APIs disabled: set storage.admin_api: true in the configuration, for as long as they are needed"}"#]].assert_eq(&answer.shown());
        }
        assert_eq!(send(&bench, Method::GET, &uri).await.status, 405);
    }
    assert!(series(&bench).await.contains(r#""__name__":"up""#));
    bench.server.set_admin_api(true);
    let uri = "/api/v1/admin/tsdb/clean_tombstones";
    assert_eq!(send(&bench, Method::POST, uri).await.status, 204);
}

#[tokio::test]
async fn samples_are_deleted_by_selector_and_time() {
    let bench = filled(true);
    let now = super::NOW / 1000;
    let body = format!(
        "match[]=up{{job=\"a\"}}&start={}&end={}",
        now - 61,
        now - 20
    );
    let answer = bench.form("/api/v1/admin/tsdb/delete_series", &body).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (204, ""));
    let left = bench
        .get("/api/v1/query?query=count_over_time(up[2m])")
        .await;
    assert!(
        left.text()
            .contains(r#""job":"a"},"value":[1760000000.123,"1"]"#),
        "{}",
        left.text()
    );

    let uri = "/api/v1/admin/tsdb/delete_series?match[]=up&match[]=nothing";
    assert_eq!(send(&bench, Method::PUT, uri).await.status, 204);
    expect![[r#"{"status":"success","data":[{"__name__":"load","job":"a"}]}"#]]
        .assert_eq(&series(&bench).await);
}

#[tokio::test]
async fn what_shall_be_deleted_must_be_said_clearly() {
    let bench = filled(true);
    for (query, words) in [
        ("", "at least one is needed"),
        ("?match[]={}", "match[]"),
        ("?match[]=up&start=yesterday", "start"),
        ("?match[]=up&start=2&end=1", "it is before start"),
    ] {
        let uri = format!("/api/v1/admin/tsdb/delete_series{query}");
        let answer = send(&bench, Method::POST, &uri).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.shown().contains(words), "{}", answer.shown());
    }
    assert!(series(&bench).await.contains(r#""__name__":"up""#));
}

#[tokio::test]
async fn a_snapshot_is_answered_with_its_name() {
    let bench = filled(true);
    let uri = "/api/v1/admin/tsdb/snapshot";
    expect![[r#"200 {"status":"success","data":{"name":"20261121T101500Z-false"}}"#]]
        .assert_eq(&send(&bench, Method::POST, uri).await.shown());
    let answer = bench.form(uri, "skip_head=true").await;
    expect![[r#"200 {"status":"success","data":{"name":"20261121T101500Z-true"}}"#]]
        .assert_eq(&answer.shown());
    let answer = bench.form(uri, "skip_head=maybe").await;
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"skip_head\": \"maybe\" is neither true nor false"}"#]].assert_eq(&answer.shown());
}

#[tokio::test]
async fn a_disk_that_refuses_is_named() {
    let bench = filled(true);
    *bench.store.broken.lock().unwrap() = Some("no space left on device".to_owned());
    let answer = send(&bench, Method::POST, "/api/v1/admin/tsdb/snapshot").await;
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"cannot change the store: no space left on device"}"#]].assert_eq(&answer.shown());
}

#[tokio::test]
async fn a_page_of_another_site_cannot_change_the_store() {
    let bench = filled(true);
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        // To http://192.0.2.1 browsers send no Sec-Fetch-Site.
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://watch.example:9595", 204),
    ] {
        let request = Request::post("/api/v1/admin/tsdb/delete_series?match[]=nothing")
            .header("host", "watch.example:9595")
            .header(name, value);
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn the_store_is_changed_by_one_request_at_a_time() {
    let bench = filled(true);
    let held = bench.server.admin_slot().try_acquire_owned().unwrap();
    let uri = "/api/v1/admin/tsdb/clean_tombstones";
    let answer = send(&bench, Method::POST, uri).await;
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"the store is being changed by another request: try again later"}"#]].assert_eq(&answer.shown());
    assert_eq!(answer.header("retry-after"), "5");
    drop(held);
    assert_eq!(send(&bench, Method::POST, uri).await.status, 204);
}

#[tokio::test]
async fn the_store_tells_what_it_holds_in_prometheus_words() {
    let bench = filled(false);
    expect![[r#"200 {"status":"success","data":{"headStats":{"numSeries":3,"numLabelPairs":4,"chunkCount":3,"sampleCount":5,"minTime":1759999940123,"maxTime":1760000000123},"blockStats":{"count":0,"bytes":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808},"seriesCountByMetricName":[{"name":"up","value":2},{"name":"load","value":1}],"labelValueCountByLabelName":[{"name":"__name__","value":2},{"name":"job","value":2}],"memoryInBytesByLabelName":[{"name":"__name__","value":8},{"name":"job","value":3}],"seriesCountByLabelValuePair":[{"name":"__name__=up","value":2},{"name":"job=a","value":2}]}}"#]].assert_eq(&bench.get("/api/v1/status/tsdb?limit=2").await.shown());
    expect![[r#"200 {"status":"success","data":{"headStats":{"numSeries":0,"numLabelPairs":0,"chunkCount":0,"sampleCount":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808},"blockStats":{"count":0,"bytes":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808},"seriesCountByMetricName":[],"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]}}"#]].assert_eq(&Bench::new().get("/api/v1/status/tsdb").await.shown());
    for limit in ["0", "10001", "-1", "all"] {
        let uri = format!("/api/v1/status/tsdb?limit={limit}");
        assert_eq!(bench.get(&uri).await.status, 400, "{limit}");
    }
}
