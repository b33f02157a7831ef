//! The list of running queries: who is in it, how one ends one, and what is known after.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use expect_test::expect;

use super::Bench;
use crate::error::ApiError;
use crate::query_gate::Caller;
use crate::{Asker, Config, QueryKind, RunningQuery};

const LIST: &str = "/api/v1/status/active_queries";
const HOUR: Duration = Duration::from_secs(3600);

fn asker() -> Asker {
    Asker::client("192.0.2.7".to_owned(), "Grafana/12\n")
}

async fn cancel(bench: &Bench, id: &str) -> String {
    let request = Request::delete(format!("{LIST}/{id}"));
    let answer = bench.send(request.body(Body::empty()).unwrap()).await;
    answer.shown()
}

#[tokio::test]
async fn a_query_is_listed_as_long_as_it_runs() {
    let bench = Bench::new();
    assert_eq!(
        bench.get(LIST).await.shown(),
        r#"200 {"status":"success","data":[]}"#
    );
    let running = &bench.server.ports().queries;
    let query = running.start(QueryKind::Range, "sum(\n\"a\")", asker());
    let rule = running.start(QueryKind::Rule, "up == 0", Asker::default());
    rule.begin();
    bench.clock.advance(Duration::from_millis(1500));
    expect![[r#"200 {"status":"success","data":[{"id":"1","query":"sum( \"a\")","kind":"range","state":"waiting","client":"192.0.2.7","user_agent":"Grafana/12 ","started":1760000000.123,"duration_seconds":1.5,"samples":0,"series":0,"bytes_peak":0},{"id":"2","query":"up == 0","kind":"rule","state":"running","client":"","user_agent":"","started":1760000000.123,"duration_seconds":1.5,"samples":0,"series":0,"bytes_peak":0}]}"#]].assert_eq(&bench.get(LIST).await.shown());
    drop((query, rule));
    assert_eq!(
        bench.get(LIST).await.shown(),
        r#"200 {"status":"success","data":[]}"#
    );
}

#[tokio::test]
async fn a_query_that_is_canceled_ends_and_says_so() {
    let bench = Bench::new();
    let (started, mut has_started) = tokio::sync::mpsc::channel(1);
    let (ended, mut has_ended) = tokio::sync::mpsc::channel(1);
    let store = bench.store.clone();
    let work = move |caller: &Caller, _: &RunningQuery| -> Result<(), ApiError> {
        started.blocking_send(()).unwrap();
        let expression = promql::parse("up").unwrap();
        let limits = promql::Limits::default();
        let at = model::Timestamp::from_millis(0);
        let evaluate =
            || promql::evaluate_instant(&*store, &expression, at, &limits, caller.interrupt());
        while evaluate().is_ok() {}
        ended.blocking_send(()).unwrap();
        Ok(())
    };
    let query = bench
        .server
        .running()
        .start(QueryKind::Instant, "up", asker());
    let gate = bench.server.queries();
    let (outcome, told) = tokio::join!(gate.run_query(&bench.server, HOUR, query, work), async {
        has_started.recv().await;
        cancel(&bench, "1").await
    });
    assert_eq!(told, r#"200 {"status":"success","data":{"id":"1"}}"#);
    let refused = outcome.unwrap_err();
    assert_eq!(refused.type_name(), "canceled");
    assert!(refused.message().contains("active_queries"));
    // The evaluation itself has noticed too.
    assert_eq!(has_ended.recv().await, Some(()));
}

#[tokio::test]
async fn a_query_that_waits_can_be_canceled_and_leaves_its_place() {
    let bench = Bench::with(Config {
        concurrent_queries: 1,
        queued_queries: 1,
        ..Config::default()
    });
    let held = bench.server.queries().slot().await.unwrap();
    for id in ["1", "2"] {
        let (answer, _) = tokio::join!(bench.get("/api/v1/query?query=1"), async {
            while !bench.get(LIST).await.text().contains("waiting") {
                tokio::task::yield_now().await;
            }
            cancel(&bench, id).await
        });
        expect![[r#"499 {"status":"error","errorType":"canceled","error":"the query was canceled by a request to /api/v1/status/active_queries"}"#]].assert_eq(&answer.shown());
    }
    drop(held);
    assert_eq!(bench.get("/api/v1/query?query=1").await.status, 200);
}

#[tokio::test]
async fn what_does_not_run_cannot_be_canceled() {
    let bench = Bench::new();
    expect![[r#"404 {"status":"error","errorType":"not_found","error":"no query 7 runs: it has ended, or there never was one"}"#]].assert_eq(&cancel(&bench, "7").await);
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"\"up\" is no number of a query, such as 17"}"#]].assert_eq(&cancel(&bench, "up").await);
}

#[tokio::test]
async fn what_is_asked_most_is_known() {
    let bench = Bench::new();
    for query in ["1", "2", "1"] {
        let uri = format!("/api/v1/query?query={query}");
        assert_eq!(bench.get(&uri).await.status, 200);
    }
    expect![[r#"200 {"status":"success","data":{"by_count":[{"query":"1","kind":"instant","count":2,"total_seconds":0,"average_seconds":0,"longest_seconds":0}],"by_total_duration":[{"query":"1","kind":"instant","count":2,"total_seconds":0,"average_seconds":0,"longest_seconds":0}],"by_average_duration":[{"query":"1","kind":"instant","count":2,"total_seconds":0,"average_seconds":0,"longest_seconds":0}]}}"#]].assert_eq(&bench.get("/api/v1/status/top_queries?limit=1").await.shown());
}

#[tokio::test]
async fn each_limit_that_ends_a_query_is_named_and_counted() {
    let bench = Bench::new();
    let labels = ["a", "b", "c"].map(|job| [("__name__", "up"), ("job", job)]);
    for labels in &labels {
        bench.fill(&[(labels, &[(10, 1.0), (5, 2.0), (0, 3.0)])]);
    }
    let mut limits = crate::Limits::default();
    for (reason, key, change) in [
        (
            "max_samples",
            "query.max_samples",
            (|limits| limits.samples_max = 2) as fn(&mut promql::Limits),
        ),
        ("max_series", "query.max_series", |limits| {
            limits.series_max = 2;
        }),
        ("max_memory", "query.max_memory", |limits| {
            limits.bytes_max = 500;
        }),
    ] {
        limits.evaluation = promql::Limits::default();
        change(&mut limits.evaluation);
        bench.server.set_limits(limits.clone());
        let answer = bench.get("/api/v1/query?query=up%5B1m%5D").await;
        assert_eq!(answer.status, 422);
        assert!(
            answer.text().contains(&format!("raise {key}")),
            "{}",
            answer.text()
        );
        let metrics = bench.get("/metrics").await;
        let counted = format!("campanile_query_refused_total{{reason=\"{reason}\"}} 1\n");
        assert!(metrics.text().contains(&counted), "{}", metrics.text());
    }
}

#[tokio::test]
async fn a_plan_tells_what_each_part_of_a_query_saw() {
    let bench = Bench::new();
    bench.fill(&[
        (&[("__name__", "up"), ("job", "a")], &[(60, 1.0), (0, 1.5)]),
        (&[("__name__", "up"), ("job", "b")], &[(0, 2.0)]),
    ]);
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: expected type instant vector in aggregation expression, got range vector"}"#]].assert_eq(&bench.get("/api/v1/explain_query?query=sum(up%5B2m%5D)").await.shown());
    expect![[r#"200 {"status":"success","data":{"nodes":[{"depth":0,"query":"sum(count_over_time(up[2m]))","steps":1,"series":1,"samples":1},{"depth":1,"query":"count_over_time(up[2m])","steps":1,"series":2,"samples":2},{"depth":2,"query":"up[2m]","steps":1,"selection":1,"selected_series":2,"series":2,"samples":3}]}}"#]].assert_eq(&bench.get("/api/v1/explain_query?query=sum(count_over_time(up%5B2m%5D))").await.shown());
    let range = "start=1759999940.123&end=1760000000.123&step=60";
    expect![[r#"200 {"status":"success","data":{"nodes":[{"depth":0,"query":"max(up)","steps":2,"series":1,"samples":2},{"depth":1,"query":"up","steps":2,"selection":1,"selected_series":2,"series":2,"samples":3}]}}"#]].assert_eq(&bench.get(&format!("/api/v1/explain_query?query=max(up)&{range}")).await.shown());
}
