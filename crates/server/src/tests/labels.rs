//! Series, label names, label values, metadata, build information.

use expect_test::expect;
use model::{Metadata, MetricKind, SampleSink as _};

use super::Bench;

fn filled() -> Bench {
    let bench = Bench::new();
    bench.fill(&[
        (
            &[("__name__", "up"), ("job", "a"), ("http.status", "ü\"")],
            &[(60, 1.0)],
        ),
        (&[("__name__", "up"), ("job", "b")], &[(7200, 1.0)]),
        (&[("__name__", "down"), ("job", "c")], &[(60, 1.0)]),
    ]);
    bench
}

#[tokio::test]
async fn series_are_listed_by_selector_and_time() {
    let bench = filled();
    expect![[r#"200 {"status":"success","data":[{"__name__":"up","http.status":"ü\"","job":"a"},{"__name__":"up","job":"b"}]}"#]].assert_eq(&bench.get("/api/v1/series?match[]=up").await.shown());
    expect![[r#"200 {"status":"success","data":[{"__name__":"down","job":"c"},{"__name__":"up","http.status":"ü\"","job":"a"}]}"#]].assert_eq(
        &bench.get("/api/v1/series?match[]=up&match%5B%5D=down&start=1759999000").await.shown(),
    );
    expect![[r#"200 {"status":"success","data":[{"__name__":"up","http.status":"ü\"","job":"a"}],"warnings":["results truncated due to limit"]}"#]].assert_eq(&bench.form("/api/v1/series", "match[]=up&limit=1").await.shown());
}

#[tokio::test]
async fn label_names_and_values_are_listed() {
    let bench = filled();
    expect![[r#"200 {"status":"success","data":["__name__","http.status","job"]}"#]]
        .assert_eq(&bench.get("/api/v1/labels").await.shown());
    expect![[r#"200 {"status":"success","data":["__name__","job"]}"#]]
        .assert_eq(&bench.form("/api/v1/labels", "match[]=down").await.shown());
    expect![[r#"200 {"status":"success","data":["a","b","c"]}"#]]
        .assert_eq(&bench.get("/api/v1/label/job/values").await.shown());
    expect![[r#"200 {"status":"success","data":["a","b","c"]}"#]]
        .assert_eq(&bench.get("/api/v1/label/job/values?limit=3").await.shown());
    expect![[
        r#"200 {"status":"success","data":["a","b"],"warnings":["results truncated due to limit"]}"#
    ]]
    .assert_eq(&bench.get("/api/v1/label/job/values?limit=2").await.shown());
    expect![[r#"200 {"status":"success","data":["ü\""]}"#]].assert_eq(
        &bench
            .get("/api/v1/label/U__http_2e_status/values")
            .await
            .shown(),
    );
    expect![[r#"200 {"status":"success","data":[]}"#]]
        .assert_eq(&bench.get("/api/v1/label/nobody/values").await.shown());
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let bench = filled();
    for (uri, expected) in [
        (
            "/api/v1/series",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": at least one is needed"}"#
            ]],
        ),
        (
            "/api/v1/series?match[]=%7B%7D",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": 1:1: parse error: vector selector must contain at least one non-empty matcher"}"#
            ]],
        ),
        (
            "/api/v1/series?match[]=up%7B",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": 1:4: parse error: unexpected end of input inside braces"}"#
            ]],
        ),
        (
            "/api/v1/labels?start=yesterday",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": \"yesterday\" is no time: its form is not RFC 3339's, write for example 2026-01-31T13:45:00Z or seconds since 1970"}"#
            ]],
        ),
        (
            "/api/v1/labels?start=2&end=1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": it is before start"}"#
            ]],
        ),
        (
            "/api/v1/labels?limit=-1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": \"-1\" is no whole number from 0 up"}"#
            ]],
        ),
        (
            "/api/v1/metadata?limit_per_metric=x",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"limit_per_metric\": \"x\" is no whole number from 0 up"}"#
            ]],
        ),
        (
            "/api/v1/label/%ff/values",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"the name in the path is not UTF-8"}"#
            ]],
        ),
    ] {
        expected.assert_eq(&bench.get(uri).await.shown());
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let answer = filled()
        .post("/api/v1/labels", "application/json", "{}")
        .await;
    expect![[r#"415 {"status":"error","errorType":"bad_data","error":"content type \"application/json\" is not supported here: send parameters as application/x-www-form-urlencoded"}"#]].assert_eq(&answer.shown());
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_the_servers_fault() {
    let bench = filled();
    *bench.store.broken.lock().unwrap() = Some("block 7 is torn".to_owned());
    expect![[r#"500 {"status":"error","errorType":"internal","error":"cannot read stored samples: block 7 is torn"}"#]].assert_eq(&bench.get("/api/v1/labels").await.shown());
}

#[tokio::test]
async fn metadata_is_listed_by_metric() {
    let bench = filled();
    let describe = |name: &str, kind, help: &str| {
        let metadata = Metadata {
            kind,
            help: help.to_owned(),
            unit: String::new(),
        };
        (name.to_owned(), metadata)
    };
    let described = [
        describe("up", MetricKind::Gauge, "Whether it is \"up\"."),
        describe("x_total", MetricKind::Counter, ""),
    ];
    bench.store.describe(&described).unwrap();
    expect![[r#"200 {"status":"success","data":{"up":[{"type":"gauge","help":"Whether it is \"up\".","unit":""}],"x_total":[{"type":"counter","help":"","unit":""}]}}"#]].assert_eq(&bench.get("/api/v1/metadata").await.shown());
    expect![[
        r#"200 {"status":"success","data":{"x_total":[{"type":"counter","help":"","unit":""}]}}"#
    ]]
    .assert_eq(&bench.get("/api/v1/metadata?metric=x_total").await.shown());
    expect![[r#"200 {"status":"success","data":{"up":[{"type":"gauge","help":"Whether it is \"up\".","unit":""}]}}"#]].assert_eq(&bench.get("/api/v1/metadata?limit=1").await.shown());
}

#[tokio::test]
async fn build_information_names_the_api_and_the_program() {
    expect![[r#"200 {"status":"success","data":{"application":"campanile","version":"3.14.0+campanile.0.1.0","revision":"abc","branch":"","buildUser":"","buildDate":"","goVersion":""}}"#]].assert_eq(&Bench::new().get("/api/v1/status/buildinfo").await.shown());
}
