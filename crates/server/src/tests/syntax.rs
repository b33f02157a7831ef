//! Expressions as text and as tree, and what works here and how it is set up.

use expect_test::expect;
use serde_json::Value;

use super::Bench;

async fn tree(query: &str) -> String {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let answer = Bench::new()
        .get(&format!("/api/v1/parse_query?query={query}"))
        .await;
    let shown = answer.shown();
    let data = shown.strip_prefix(r#"200 {"status":"success","data":"#);
    data.and_then(|data| data.strip_suffix('}'))
        .unwrap_or(&shown)
        .to_owned()
}

#[tokio::test]
async fn a_tree_has_prometheus_form() {
    expect![[r#"{"type":"numberLiteral","val":"0.000000000000000000001"}"#]]
        .assert_eq(&tree("1e-21").await);
    expect![[r#"{"type":"numberLiteral","val":"-Inf"}"#]].assert_eq(&tree("-Inf").await);
    expect![[r#"{"expr":{"type":"stringLiteral","val":"a\"b"},"type":"parenExpr"}"#]]
        .assert_eq(&tree("('a\"b')").await);
    expect![[r#"{"expr":{"anchored":false,"matchers":[{"name":"job","type":"!~","value":"a.*"},{"name":"__name__","type":"=","value":"up"}],"name":"up","offset":300000,"smoothed":false,"startOrEnd":null,"timestamp":1500,"type":"vectorSelector"},"op":"-","type":"unaryExpr"}"#]]
        .assert_eq(&tree("-up{job!~'a.*'} @ 1.5 offset 5m").await);
    expect![[r#"{"bool":true,"lhs":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"a"}],"name":"a","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"matching":{"card":"many-to-one","fillValues":{"lhs":null,"rhs":null},"include":["z"],"labels":["y","x"],"on":true},"op":">","rhs":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"b"}],"name":"b","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"type":"binaryExpr"}"#]]
        .assert_eq(&tree("a > bool on (y, x) group_left (z) b").await);
    let set: Value = serde_json::from_str(&tree("a and b").await).unwrap();
    assert_eq!(set["matching"]["card"], "many-to-many");
    let scalar: Value = serde_json::from_str(&tree("1 < bool 2").await).unwrap();
    assert_eq!(scalar["matching"], Value::Null);
    expect![[r#"{"expr":{"args":[{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"a"}],"name":"a","offset":0,"range":300000,"smoothed":false,"startOrEnd":"end","timestamp":null,"type":"matrixSelector"}],"func":{"argTypes":["matrix"],"name":"rate","returnType":"vector","variadic":0},"type":"call"},"grouping":["job"],"op":"topk","param":{"type":"numberLiteral","val":"3"},"type":"aggregation","without":true}"#]]
        .assert_eq(&tree("topk without (job) (3, rate(a[5m] @ end()))").await);
    expect![[r#"{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"a"}],"name":"a","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"offset":-60000,"range":3600000,"startOrEnd":"start","step":0,"timestamp":null,"type":"subquery"}"#]]
        .assert_eq(&tree("a[1h:] @ start() offset -1m").await);
}

#[tokio::test]
async fn functions_are_described_as_prometheus_does() {
    for (query, expected) in [
        (
            "time()",
            r#""argTypes":[],"name":"time","returnType":"scalar","variadic":0"#,
        ),
        (
            "round(a)",
            r#""argTypes":["vector","scalar"],"name":"round","returnType":"vector","variadic":1"#,
        ),
        (
            "hour()",
            r#""argTypes":["vector"],"name":"hour","returnType":"vector","variadic":1"#,
        ),
        (
            "label_join(a, 'b', '', 'c')",
            r#""argTypes":["vector","string","string","string"],"name":"label_join","returnType":"vector","variadic":-1"#,
        ),
    ] {
        let shown = tree(query).await;
        assert!(shown.contains(expected), "{shown}");
    }
}

#[tokio::test]
async fn an_expression_is_spread_over_lines() {
    let bench = Bench::new();
    expect![[r#"200 {"status":"success","data":"sum by (job) (rate(up[5m]))"}"#]].assert_eq(
        &bench
            .get("/api/v1/format_query?query=sum(rate(up%5B5m%5D))by(job)")
            .await
            .shown(),
    );
    for path in ["format_query", "parse_query"] {
        let answer = bench.form(&format!("/api/v1/{path}"), "query=up%7B").await;
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"}"#]].assert_eq(&answer.shown());
    }
    // What is switched off is no part of the language.
    let answer = bench.get("/api/v1/parse_query?query=info(up)").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn features_are_listed_by_category() {
    let answer = Bench::new().get("/api/v1/features").await;
    let shown: Value = serde_json::from_str(answer.text()).unwrap();
    let data = &shown["data"];
    for (category, feature, is_on) in [
        ("api", "query_stats", true),
        ("api", "admin", false),
        ("promql", "subqueries", true),
        ("promql", "smoothed", false),
        ("promql_functions", "rate", true),
        ("promql_functions", "info", false),
        ("promql_operators", "=~", true),
        ("promql_operators", "limitk", false),
        ("tsdb", "native_histograms", true),
    ] {
        assert_eq!(data[category][feature], is_on, "{category} {feature}");
    }
}

#[tokio::test]
async fn what_the_program_does_not_do_is_an_empty_list() {
    let bench = Bench::new();
    for (path, data) in [
        (
            "targets?state=active",
            r#"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#,
        ),
        ("targets/metadata", "[]"),
        ("scrape_pools", r#"{"scrapePools":[]}"#),
        (
            "alertmanagers",
            r#"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#,
        ),
        ("status/walreplay", r#"{"min":0,"max":0,"current":0}"#),
    ] {
        let answer = bench.get(&format!("/api/v1/{path}")).await;
        let expected = format!(r#"200 {{"status":"success","data":{data}}}"#);
        assert_eq!(answer.shown(), expected, "{path}");
    }
}

#[tokio::test]
async fn how_the_program_was_set_up_is_told() {
    let bench = Bench::new();
    let runtime = bench.get("/api/v1/status/runtimeinfo").await;
    let shown: Value = serde_json::from_str(runtime.text()).unwrap();
    for (field, expected) in [
        ("startTime", "2025-10-09T08:52:20.123Z"),
        ("lastConfigTime", "2025-10-09T08:52:50.123Z"),
        ("serverTime", "2025-10-09T08:53:20.123Z"),
        ("CWD", "/srv"),
        ("hostname", "vm"),
        ("storageRetention", "30d"),
    ] {
        assert_eq!(shown["data"][field], expected, "{field}");
    }
    assert_eq!(shown["data"]["reloadConfigSuccess"], true);
    expect![[r#"200 {"status":"success","data":{"listen":"127.0.0.1:9595"}}"#]]
        .assert_eq(&bench.get("/api/v1/status/flags").await.shown());
    expect![[r#"200 {"status":"success","data":{"yaml":"listen: \"127.0.0.1:9595\"\n"}}"#]]
        .assert_eq(&bench.get("/api/v1/status/config").await.shown());
}
