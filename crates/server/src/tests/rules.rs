//! Rules and alerts over HTTP.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use model::{Alert, Labels, Timestamp};
use rules::{Environment, Group};
use serde_json::Value;
use testkit::MemoryStore;

use super::{Bench, NOW};
use crate::RuleGroup;

pub(super) const FILE: &str = r#"
groups:
  - name: second
    interval: 90s
    rules:
      - {alert: Never, expr: 'up  ==0'}
  - name: first
    limit: 3
    rules:
      - {record: 'job:up:sum', expr: vector(1.5e7)}
      - {record: 'job:up:bad', expr: "vector(1) + on () (vector(1) or label_replace(vector(2), 'q', 'z', '', ''))", labels: {team: web}}
      - alert: Down
        expr: vector(97.25) > 0
        labels: {severity: page, value: "{{ $value }}"}
        annotations: {summary: "at {{ $value }} <%>"}
      - {alert: Soon, expr: vector(1), for: 1h, keep_firing_for: 90s}
      - {alert: Fine, expr: vector(1) > 1}
      - {alert: Kept, expr: vector(time()) < 1760000000, keep_firing_for: 1h}
  - name: empty
"#;

/// A bench with the groups of [`FILE`], of which all but `second` were evaluated twice.
fn filled() -> Bench {
    let bench = Bench::new();
    bench.behind.lock().unwrap().rules = evaluated("rules/a.yml", FILE);
    bench
}

pub(super) fn evaluated(name: &str, text: &str) -> Vec<Arc<RuleGroup>> {
    let store = MemoryStore::new(Duration::MAX);
    let environment = Environment::new(Arc::new(move |expr, at| {
        let limits = promql::Limits::default();
        promql::evaluate_instant(&store, expr, at, &limits, &promql::Interrupt::new())
    }));
    let definitions = rules::parse(&document::Source::new(name, text)).unwrap();
    let groups = definitions.into_iter().map(|definition| {
        let mut group = Group::new(definition);
        if group.name() != "second" {
            for age in [30_623, 123] {
                let at = Timestamp::from_millis(NOW - age);
                group.evaluate(at, &environment, &mut |_| {});
            }
        }
        Arc::new(RuleGroup {
            interval: group.interval(&environment),
            evaluation_time: Duration::from_micros(1500),
            rule_times: vec![Duration::from_millis(1), Duration::from_nanos(500)],
            group,
        })
    });
    groups.collect()
}

async fn data(bench: &Bench, uri: &str) -> Value {
    let answer = bench.get(uri).await;
    assert_eq!(answer.status, 200, "{uri}: {}", answer.text());
    let body: Value = serde_json::from_str(answer.text()).unwrap();
    body["data"].clone()
}

/// The names of groups and rules, such as `first: Down Soon, second: Never`.
async fn names(bench: &Bench, uri: &str) -> String {
    let data = data(bench, uri).await;
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let groups = data["groups"].as_array().unwrap().iter().map(|group| {
        let rules = group["rules"].as_array().unwrap().iter().map(name);
        format!("{}: {}", name(group), rules.collect::<Vec<_>>().join(" "))
    });
    groups.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn groups_are_listed_as_prometheus_lists_them() {
    let bench = filled();
    expect![[r#"200 {"status":"success","data":{"groups":[{"name":"first","file":"rules/a.yml","rules":[{"name":"job:up:sum","query":"vector(15000000)","health":"ok","evaluationTime":0.001,"lastEvaluation":"2025-10-09T08:53:20Z","type":"recording"},{"name":"job:up:bad","query":"vector(1) + on () (vector(1) or label_replace(vector(2), \"q\", \"z\", \"\", \"\"))","labels":{"team":"web"},"health":"err","lastError":"found duplicate series for the match group {} on the right hand-side of the operation: [{q=\"z\"}, {}];many-to-many matching not allowed: matching labels must be unique on one side","evaluationTime":5e-07,"lastEvaluation":"2025-10-09T08:53:20Z","type":"recording"},{"state":"firing","name":"Down","query":"vector(97.25) > 0","duration":0,"keepFiringFor":0,"labels":{"severity":"page","value":"{{ $value }}"},"annotations":{"summary":"at {{ $value }} <%>"},"alerts":[{"labels":{"alertname":"Down","severity":"page","value":"97.25"},"annotations":{"summary":"at 97.25 <%>"},"state":"firing","activeAt":"2025-10-09T08:52:49.5Z","value":"9.725e+01"}],"health":"ok","evaluationTime":0,"lastEvaluation":"2025-10-09T08:53:20Z","type":"alerting"},{"state":"pending","name":"Soon","query":"vector(1)","duration":3600,"keepFiringFor":90,"labels":{},"annotations":{},"alerts":[{"labels":{"alertname":"Soon"},"annotations":{},"state":"pending","activeAt":"2025-10-09T08:52:49.5Z","value":"1e+00"}],"health":"ok","evaluationTime":0,"lastEvaluation":"2025-10-09T08:53:20Z","type":"alerting"},{"state":"inactive","name":"Fine","query":"vector(1) > 1","duration":0,"keepFiringFor":0,"labels":{},"annotations":{},"alerts":[],"health":"ok","evaluationTime":0,"lastEvaluation":"2025-10-09T08:53:20Z","type":"alerting"},{"state":"firing","name":"Kept","query":"vector(time()) < 1760000000","duration":0,"keepFiringFor":3600,"labels":{},"annotations":{},"alerts":[{"labels":{"alertname":"Kept"},"annotations":{},"state":"firing","activeAt":"2025-10-09T08:52:49.5Z","keepFiringSince":"2025-10-09T08:53:20Z","value":"1.7599999695e+09"}],"health":"ok","evaluationTime":0,"lastEvaluation":"2025-10-09T08:53:20Z","type":"alerting"}],"interval":60,"limit":3,"evaluationTime":0.0015,"lastEvaluation":"2025-10-09T08:53:20Z"},{"name":"second","file":"rules/a.yml","rules":[{"state":"unknown","name":"Never","query":"up == 0","duration":0,"keepFiringFor":0,"labels":{},"annotations":{},"alerts":[],"health":"unknown","evaluationTime":0.001,"lastEvaluation":"0001-01-01T00:00:00Z","type":"alerting"}],"interval":90,"limit":0,"evaluationTime":0.0015,"lastEvaluation":"0001-01-01T00:00:00Z"}]}}"#]].assert_eq(&bench.get("/api/v1/rules").await.shown());
    expect![[r#"200 {"status":"success","data":{"groups":[]}}"#]]
        .assert_eq(&Bench::new().get("/api/v1/rules").await.shown());
}

#[tokio::test]
async fn alerts_that_are_pending_or_firing_are_listed() {
    expect![[r#"200 {"status":"success","data":{"alerts":[{"labels":{"alertname":"Down","severity":"page","value":"97.25"},"annotations":{"summary":"at 97.25 <%>"},"state":"firing","activeAt":"2025-10-09T08:52:49.5Z","value":"9.725e+01"},{"labels":{"alertname":"Soon"},"annotations":{},"state":"pending","activeAt":"2025-10-09T08:52:49.5Z","value":"1e+00"},{"labels":{"alertname":"Kept"},"annotations":{},"state":"firing","activeAt":"2025-10-09T08:52:49.5Z","keepFiringSince":"2025-10-09T08:53:20Z","value":"1.7599999695e+09"}]}}"#]].assert_eq(&filled().get("/api/v1/alerts").await.shown());
    expect![[r#"200 {"status":"success","data":{"alerts":[]}}"#]]
        .assert_eq(&Bench::new().get("/api/v1/alerts").await.shown());
}

#[tokio::test]
async fn outages_of_monitors_stand_after_the_alerts_of_rules() {
    let bench = Bench::new();
    let labels = [("alertname", "MonitorDown"), ("monitor", "shop")];
    bench.behind.lock().unwrap().outages = vec![Alert {
        labels: Labels::from_pairs(labels).unwrap(),
        annotations: [("summary".to_owned(), "shop is down".to_owned())].into(),
        value: None,
        starts_at: Timestamp::from_millis(1_760_000_000_000),
        ends_at: Timestamp::MAX,
        generator_url: String::new(),
    }];
    expect![[r#"200 {"status":"success","data":{"alerts":[{"labels":{"alertname":"MonitorDown","monitor":"shop"},"annotations":{"summary":"shop is down"},"state":"firing","activeAt":"2025-10-09T08:53:20Z","value":"1e+00"}]}}"#]].assert_eq(&bench.get("/api/v1/alerts").await.shown());
}

#[tokio::test]
async fn rules_are_chosen_by_kind_name_group_file_and_label() {
    let bench = filled();
    for (parameters, expected) in [
        ("type=record", "first: job:up:sum job:up:bad"),
        ("type=ALERT", "first: Down Soon Fine Kept, second: Never"),
        (
            "rule_name[]=Down&rule_name[]=Never",
            "first: Down, second: Never",
        ),
        ("rule_group[]=second&rule_group[]=third", "second: Never"),
        ("file[]=rules/b.yml", ""),
        ("file[]=rules/a.yml&rule_name[]=Fine", "first: Fine"),
        ("match[]={team=~%22w.*%22}", "first: job:up:bad"),
        (
            "match[]={severity=%22page%22}&match[]={team=%22web%22}",
            "first: job:up:bad Down",
        ),
        ("match[]={severity=%22page%22,team=%22web%22}", ""),
        // Labels are those of the file, not of an alert.
        ("match[]={value=%2297.25%22}", ""),
        ("match[]=Down", ""),
        ("type=alert&rule_name[]=job:up:sum", ""),
        ("type=&rule_name[]=Soon&exclude_alerts=", "first: Soon"),
    ] {
        let uri = format!("/api/v1/rules?{parameters}");
        assert_eq!(names(&bench, &uri).await, expected, "{parameters}");
    }
}

#[tokio::test]
async fn alerts_may_be_left_out() {
    let bench = filled();
    for (value, expected) in [
        ("true", Value::Null),
        ("T", Value::Null),
        ("0", Value::from(1)),
    ] {
        let uri = format!("/api/v1/rules?rule_name[]=Down&exclude_alerts={value}");
        let rule = &data(&bench, &uri).await["groups"][0]["rules"][0];
        assert_eq!(rule["state"], "firing");
        let alerts = &rule["alerts"];
        let count = alerts
            .as_array()
            .map_or(Value::Null, |alerts| alerts.len().into());
        assert_eq!(count, expected, "{value}");
    }
}

#[tokio::test]
async fn groups_come_page_by_page() {
    let bench = filled();
    let more = "groups: [{name: third, rules: [{record: r, expr: '1'}]}]";
    bench
        .behind
        .lock()
        .unwrap()
        .rules
        .extend(evaluated("rules/b.yml", more));
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let uri = format!("/api/v1/rules?group_limit=1{token}");
        pages.push(names(&bench, &uri).await);
        let data = data(&bench, &uri).await;
        let Some(next) = data.get("groupNextToken") else {
            break;
        };
        token = format!("&group_next_token={}", next.as_str().unwrap());
    }
    let expected = [
        "first: job:up:sum job:up:bad Down Soon Fine Kept",
        "second: Never",
        "third: r",
    ];
    assert_eq!(pages, expected);
    // A group without a rule that is wanted takes no place on a page.
    let uri = "/api/v1/rules?group_limit=2&type=record";
    assert_eq!(
        names(&bench, uri).await,
        "first: job:up:sum job:up:bad, third: r"
    );
    assert_eq!(data(&bench, uri).await.get("groupNextToken"), None);
}

#[tokio::test]
async fn a_page_whose_group_is_gone_is_refused() {
    let bench = filled();
    let first = data(&bench, "/api/v1/rules?group_limit=1").await;
    let token = first["groupNextToken"].as_str().unwrap();
    bench
        .behind
        .lock()
        .unwrap()
        .rules
        .retain(|group| group.group.name() != "second");
    let uri = format!("/api/v1/rules?group_limit=1&group_next_token={token}");
    expect![[r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"group_next_token\": no group has the token \"72756c65732f612e796d6c007365636f6e64\"; were rule groups changed?"}"#]].assert_eq(&bench.get(&uri).await.shown());
}

#[tokio::test]
async fn a_wrong_parameter_of_rules_is_named() {
    let bench = filled();
    for (parameters, reason) in [
        (
            "type=alerts",
            r#"invalid parameter \"type\": not supported value \"alerts\": write alert or record"#,
        ),
        (
            "exclude_alerts=yes",
            r#"invalid parameter \"exclude_alerts\": \"yes\" is neither true nor false"#,
        ),
        (
            "group_limit=0",
            r#"invalid parameter \"group_limit\": \"0\" is no whole number from 1 up"#,
        ),
        (
            "group_limit=-1",
            r#"invalid parameter \"group_limit\": \"-1\" is no whole number from 1 up"#,
        ),
        (
            "group_limit=3000000000",
            r#"invalid parameter \"group_limit\": \"3000000000\" is no whole number from 1 up"#,
        ),
        (
            "group_next_token=00",
            r#"invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups"#,
        ),
        (
            "match[]={a=",
            r#"invalid parameter \"match[]\": 1:4: parse error: unexpected end of input inside braces"#,
        ),
        (
            "match[]={a=%22%22}",
            r#"invalid parameter \"match[]\": 1:1: parse error: vector selector must contain at least one non-empty matcher"#,
        ),
    ] {
        let answer = bench.get(&format!("/api/v1/rules?{parameters}")).await;
        let expected =
            format!(r#"400 {{"status":"error","errorType":"bad_data","error":"{reason}"}}"#);
        assert_eq!(answer.shown(), expected);
    }
}

#[tokio::test]
async fn rules_with_more_alerts_than_an_answer_holds_are_refused() {
    let bench = Bench::new();
    let annotation = "x".repeat(60 << 10);
    let alert = format!("{{alert: A, expr: vector(1), annotations: {{a: '{annotation}'}}}}");
    let rules = vec![alert; 600].join(", ");
    let text = format!("groups: [{{name: g, rules: [{rules}]}}]");
    let mut groups = evaluated("a.yml", &text);
    groups.extend(groups.clone());
    bench.behind.lock().unwrap().rules = groups;
    expect![[r#"422 {"status":"error","errorType":"execution","error":"the answer is longer than 67108864 bytes: ask for less with rule_group[], rule_name[], group_limit or exclude_alerts"}"#]].assert_eq(&bench.get("/api/v1/rules").await.shown());
    expect![[r#"422 {"status":"error","errorType":"execution","error":"the answer is longer than 67108864 bytes: ask for less with /api/v1/rules, which takes rule_name[]"}"#]].assert_eq(&bench.get("/api/v1/alerts").await.shown());
}
