//! Queries.

use std::time::Duration;

use expect_test::expect;
use model::Timestamp;

use super::Bench;
use crate::error::ApiError;
use crate::query_gate::Caller;
use crate::{Config, Limits};

fn filled() -> Bench {
    let bench = Bench::new();
    bench.fill(&[
        (
            &[("__name__", "up"), ("job", "a\"b")],
            &[(120, 0.0), (60, 1.0), (0, 1.5)],
        ),
        (&[("__name__", "up"), ("job", "c")], &[(60, f64::INFINITY)]),
    ]);
    bench
}

#[tokio::test]
async fn an_instant_query_answers_as_prometheus_does() {
    let bench = filled();
    // Grafana asks this to see whether it reached a Prometheus.
    expect![[
        r#"200 {"status":"success","data":{"resultType":"scalar","result":[1760000000,"2"]}}"#
    ]]
    .assert_eq(
        &bench
            .get("/api/v1/query?query=1%2B1&time=1760000000")
            .await
            .shown(),
    );
    expect![[
        r#"200 {"status":"success","data":{"resultType":"scalar","result":[1760000000,"2"]}}"#
    ]]
    .assert_eq(
        &bench
            .form("/api/v1/query", "query=1%2B1&time=1760000000")
            .await
            .shown(),
    );
    expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1760000000.123,"1.5"]},{"metric":{"__name__":"up","job":"c"},"value":[1760000000.123,"+Inf"]}]}}"#]]
    .assert_eq(&bench.get("/api/v1/query?query=up").await.shown());
    expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1760000000.123,"1.5"]}]},"warnings":["results truncated due to limit"]}"#]]
    .assert_eq(&bench.get("/api/v1/query?query=up&limit=1").await.shown());
    expect![[r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a\"b"},"values":[[1760000000.123,"1.5"]]}]}}"#]]
    .assert_eq(&bench.get("/api/v1/query?query=up%5B1m%5D").await.shown());
    expect![[r#"200 {"status":"success","data":{"resultType":"string","result":[1760000000.123,"text"]}}"#]]
    .assert_eq(&bench.get("/api/v1/query?query=%22text%22").await.shown());
    expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[]}}"#]]
        .assert_eq(&bench.get("/api/v1/query?query=nothing").await.shown());
    expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1760000000.123,"1.5"]}]}}"#]]
    .assert_eq(
        &bench
            .get("/api/v1/query?query=up&time=2025-10-09T08:53:20.123Z&lookback_delta=59s")
            .await
            .shown(),
    );
}

#[tokio::test]
async fn a_range_query_answers_as_prometheus_does() {
    let bench = filled();
    let uri = "/api/v1/query_range?query=up&start=1759999880.123&end=1760000000.123&step=30";
    expect![[r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a\"b"},"values":[[1759999880.123,"0"],[1759999910.123,"0"],[1759999940.123,"1"],[1759999970.123,"1"],[1760000000.123,"1.5"]]},{"metric":{"__name__":"up","job":"c"},"values":[[1759999940.123,"+Inf"],[1759999970.123,"+Inf"],[1760000000.123,"+Inf"]]}]}}"#]]
    .assert_eq(&bench.get(uri).await.shown());
    expect![[r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a\"b"},"values":[[1759999880.123,"0"],[1759999910.123,"0"],[1759999940.123,"1"],[1759999970.123,"1"],[1760000000.123,"1.5"]]}]},"warnings":["results truncated due to limit"]}"#]]
    .assert_eq(&bench.get(&format!("{uri}&limit=1")).await.shown());
    let (path, form) = uri.split_once('?').unwrap();
    assert_eq!(
        bench.form(path, form).await.shown(),
        bench.get(uri).await.shown()
    );
    let alias = uri.replace("/query_range", "/metrics/query/range");
    assert_eq!(
        bench.get(&alias).await.shown(),
        bench.get(uri).await.shown()
    );
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let bench = filled();
    for (uri, expected) in [
        (
            "/query",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": it is missing"}"#
            ]],
        ),
        (
            "/query?query=",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": it is missing"}"#
            ]],
        ),
        (
            "/query?query=up%7B",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"}"#
            ]],
        ),
        (
            "/query?query=up&time=noon",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": \"noon\" is no time: its form is not RFC 3339's, write for example 2026-01-31T13:45:00Z or seconds since 1970"}"#
            ]],
        ),
        (
            "/query?query=up&timeout=0",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"timeout\": it must be at least a millisecond"}"#
            ]],
        ),
        (
            "/query?query=up&timeout=-1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"timeout\": \"-1\" is no duration: it is negative or no number"}"#
            ]],
        ),
        (
            "/query?query=up&limit=many",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": \"many\" is no whole number from 0 up"}"#
            ]],
        ),
        (
            "/query?query=up&lookback_delta=x",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"lookback_delta\": \"x\" is no duration: a whole number and a unit are needed, for example 30s or 1h30m"}"#
            ]],
        ),
        (
            "/query_range?query=up",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": it is missing"}"#
            ]],
        ),
        (
            "/query_range?query=up&start=0&end=1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": it is missing"}"#
            ]],
        ),
        (
            "/query_range?query=up&start=2&end=1&step=1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": it is before start"}"#
            ]],
        ),
        (
            "/query_range?query=up&start=0&end=1&step=0",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": it must be at least a millisecond"}"#
            ]],
        ),
        (
            "/query_range?query=up&start=0&end=11001&step=1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}"#
            ]],
        ),
        (
            "/query_range?query=up%5B1m%5D&start=0&end=1&step=1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"1:1: invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"}"#
            ]],
        ),
    ] {
        let answer = bench.get(&format!("/api/v1{uri}")).await;
        expected.assert_eq(&answer.shown());
    }
    let most = "/api/v1/query_range?query=1&start=0&end=11000&step=1";
    assert_eq!(bench.get(most).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_evaluated_says_why() {
    let bench = filled();
    let mut limits = Limits::default();
    limits.evaluation.samples_max = 1;
    bench.server.set_limits(limits);
    expect![[r#"422 {"status":"error","errorType":"execution","error":"query processing would load too many samples into memory: 3 samples, at most 1 are allowed: raise query.max_samples"}"#]]
    .assert_eq(&bench.get("/api/v1/query?query=up").await.shown());
    bench.server.set_limits(Limits::default());
    assert_eq!(bench.get("/api/v1/query?query=up").await.status, 200);
    *bench.store.broken.lock().unwrap() = Some("block 7 is torn".to_owned());
    expect![[r#"500 {"status":"error","errorType":"internal","error":"cannot read stored samples: block 7 is torn"}"#]]
    .assert_eq(&bench.get("/api/v1/query?query=up").await.shown());
}

#[tokio::test(start_paused = true)]
async fn a_query_that_takes_too_long_is_stopped() {
    let bench = filled();
    // Simulated time does not jump while a thread works, so these queries run out of time waiting for their turn.
    let slots = hold_all_slots(&bench).await;
    expect![[r#"503 {"status":"error","errorType":"timeout","error":"the query did not end within its timeout of 5s: ask for less, or raise query.timeout"}"#]].assert_eq(&bench.get("/api/v1/query?query=up&timeout=5s").await.shown());
    expect![[r#"503 {"status":"error","errorType":"timeout","error":"the query did not end within its timeout of 2m: ask for less, or raise query.timeout"}"#]].assert_eq(&bench.get("/api/v1/query?query=up&timeout=1h").await.shown());
    drop(slots);
    let metrics = bench.get("/metrics").await.text().to_owned();
    let line = r#"campanile_query_requests_total{kind="instant",result="timeout"} 2"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_query_is_parsed_only_when_it_is_its_turn() {
    let limits = Limits {
        query_timeout: Duration::from_secs(5),
        ..Limits::default()
    };
    let bench = filled();
    bench.server.set_limits(limits);
    let slots = hold_all_slots(&bench).await;
    for uri in ["/query?query=up%7B", "/series?match[]=up%7B"] {
        let uri = format!("/api/v1{uri}");
        assert_eq!(bench.get(&uri).await.status, 503, "{uri}");
    }
    drop(slots);
}

#[tokio::test]
async fn a_query_that_runs_too_long_is_answered_before_it_ends() {
    let bench = filled();
    bench.store.hold();
    let answer = bench.get("/api/v1/query?query=up&timeout=1ms").await;
    assert_eq!(answer.status, 503);
    bench.store.release();
    assert_eq!(bench.get("/api/v1/query?query=up").await.status, 200);
}

async fn hold_all_slots(bench: &Bench) -> Vec<tokio::sync::OwnedSemaphorePermit> {
    let mut slots = Vec::new();
    for _ in 0..Config::default().concurrent_queries {
        slots.push(bench.server.queries().slot().await.unwrap());
    }
    slots
}

#[tokio::test]
async fn too_many_waiting_queries_are_refused() {
    let bench = Bench::with(Config {
        concurrent_queries: 1,
        queued_queries: 0,
        ..Config::default()
    });
    let held = bench.server.queries().slot().await.unwrap();
    let answer = bench.get("/api/v1/query?query=1").await;
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"1 queries run and 0 wait already: try again later, or raise limits.concurrent_queries"}"#]].assert_eq(&answer.shown());
    drop(held);
    assert_eq!(bench.get("/api/v1/query?query=1").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_query_that_gave_up_waiting_leaves_its_place() {
    let bench = Bench::with(Config {
        concurrent_queries: 1,
        queued_queries: 1,
        ..Config::default()
    });
    let held = bench.server.queries().slot().await.unwrap();
    for _ in 0..3 {
        let answer = bench.get("/api/v1/query?query=1&timeout=1s").await;
        assert!(answer.text().contains("timeout of 1s"), "{}", answer.text());
    }
    drop(held);
    assert_eq!(bench.get("/api/v1/query?query=1").await.status, 200);
}

#[tokio::test]
async fn more_parameters_than_anyone_needs_are_refused() {
    let bench = Bench::new();
    let answer = bench
        .form("/api/v1/series", &"match[]=up&".repeat(10_001))
        .await;
    expect![[
        r#"400 {"status":"error","errorType":"bad_data","error":"more than 10000 parameters"}"#
    ]]
    .assert_eq(&answer.shown());
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_is_told_to_stop() {
    let bench = Bench::new();
    let (started, mut has_started) = tokio::sync::mpsc::channel(1);
    let (ended, mut has_ended) = tokio::sync::mpsc::channel(1);
    let store = bench.store.clone();
    let work = move |caller: &Caller| -> Result<(), ApiError> {
        started.blocking_send(()).unwrap();
        let expression = promql::parse("up").unwrap();
        let limits = promql::Limits::default();
        let at = Timestamp::from_millis(0);
        let evaluate =
            || promql::evaluate_instant(&*store, &expression, at, &limits, caller.interrupt());
        while evaluate().is_ok() {}
        ended.blocking_send(()).unwrap();
        Ok(())
    };
    let hour = Duration::from_secs(3600);
    tokio::select! {
        _ = bench.server.queries().run(&bench.server, hour, work) => unreachable!("it runs until it is stopped"),
        _ = has_started.recv() => {}
    }
    assert_eq!(has_ended.recv().await, Some(()));
}

#[tokio::test]
async fn a_panic_is_an_error_and_no_secret() {
    let bench = Bench::new();
    let hour = Duration::from_secs(3600);
    let work = |_: &Caller| -> Result<(), ApiError> { panic!("secret") };
    let result = bench.server.queries().run(&bench.server, hour, work).await;
    let expected = ApiError::internal("the server made a mistake, see its log");
    assert_eq!(result, Err(expected));
}

#[tokio::test]
async fn a_question_for_which_there_is_no_memory_is_refused_and_the_answer_of_another_counts_until_it_is_sent()
 {
    let bench = filled();
    let budget = model::Budget::new(5_334);
    *bench.store.budget.lock().unwrap() = budget.clone();
    let query = "/api/v1/query?query=up&time=1760000000";
    assert_eq!(bench.get(query).await.status, 200);
    assert_eq!(budget.reserved(), 0, "once it is sent");

    let range = "/api/v1/query_range?query=up&start=1759999000&end=1760000000&step=1";
    let refused = bench.get(range).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text().contains("limits.memory"),
        "{}",
        refused.text()
    );

    let mut others = budget.reservation();
    others.grow(3_400).unwrap();
    for path in [
        query,
        "/api/v1/series?match[]=up",
        "/api/v1/label/job/values",
    ] {
        let refused = bench.get(path).await;
        assert_eq!(refused.status, 503, "{path}");
        assert!(
            refused.text().contains("try again later"),
            "{}",
            refused.text()
        );
    }
    drop(others);
    assert_eq!(bench.get(query).await.status, 200);
    assert_eq!(budget.reserved(), 0);
}

#[tokio::test]
async fn a_query_tells_what_it_took_if_asked() {
    let bench = filled();
    for parameter in ["all", "true"] {
        let uri = format!("/api/v1/query?query=up&stats={parameter}");
        expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1760000000.123,"1.5"]},{"metric":{"__name__":"up","job":"c"},"value":[1760000000.123,"+Inf"]}],"stats":{"timings":{"evalTotalTime":0,"resultSortTime":0,"queryPreparationTime":0,"innerEvalTime":0,"execQueueTime":0,"execTotalTime":0},"samples":{"totalQueryableSamples":4,"samplesRead":4,"peakSamples":4}}}}"#]]
            .assert_eq(&bench.get(&uri).await.shown());
    }
    let plain = bench.get("/api/v1/query?query=up&stats=").await;
    assert!(!plain.text().contains("stats"));
}

#[tokio::test]
async fn a_long_answer_is_sent_in_pieces_and_compressed() {
    let bench = Bench::new();
    let names: Vec<String> = (0..2000).map(|index| format!("instance-{index}")).collect();
    for name in &names {
        bench.fill(&[(&[("__name__", "up"), ("instance", name)], &[(10, 1.0)])]);
    }
    let uri = "/api/v1/query?query=up";
    let plain = bench.get(uri).await;
    assert_eq!(plain.header("content-length"), "");
    assert_eq!(plain.shown().matches("\"metric\"").count(), 2000);
    for coding in ["gzip", "zstd"] {
        let request = axum::http::Request::get(uri).header("accept-encoding", coding);
        let packed = bench
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await;
        assert_eq!(packed.header("content-encoding"), coding);
        assert!(packed.body.len() < plain.body.len() / 5);
        let unpacked = match coding {
            "zstd" => zstd::decode_all(packed.body.as_slice()).unwrap(),
            _ => {
                let mut unpacked = Vec::new();
                let mut decoder = flate2::read::GzDecoder::new(packed.body.as_slice());
                std::io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
                unpacked
            }
        };
        assert!(unpacked == plain.body);
    }
}
