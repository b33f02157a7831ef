//! `/api/v1/monitors`.

use std::sync::Arc;
use std::time::Duration;

use document::{Document, Options, Source, Syntax};
use expect_test::expect;
use model::Timestamp;
use uptime::{History, Monitor, Outcome, State, Transition};

use super::{Bench, NOW};
use crate::{LastCheck, MonitorStatus, WatchedMonitor};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// What the port for transitions answers from all that there are.
pub(super) fn select(transitions: Vec<Transition>, monitor: &str, limit: u32) -> Vec<Transition> {
    let own = transitions
        .into_iter()
        .filter(|transition| *transition.monitor == *monitor);
    own.take(limit as usize).collect()
}

fn before_now(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW - millis)
}

fn monitor(settings: &str) -> Arc<Monitor> {
    let source = Source::new("test.yml", settings);
    let document = Document::parse(&source, Syntax::Yaml, &Options::default()).unwrap();
    let mut list = uptime::read_monitors(document.root());
    let monitor = list.monitors.pop();
    Arc::new(monitor.unwrap_or_else(|| panic!("{:?}", document.into_problems())))
}

/// A shop that was down for an hour, two hours ago, and was first checked two days ago.
pub(super) fn shop() -> WatchedMonitor {
    let mut history = History::default();
    history.push(before_now(2 * DAY), State::Up);
    history.push(before_now(120 * MINUTE), State::Down);
    history.push(before_now(60 * MINUTE), State::Up);
    let status = MonitorStatus {
        monitor: monitor(
            "[{name: shop, type: http, url: 'https://shop.test/?a=1&b=2', interval: 30s, labels: {team: web}, headers: {Authorization: Bearer x7}}]",
        ),
        state: State::Up,
        since: before_now(60 * MINUTE),
        cause: "the check succeeded".into(),
        last_check: Some(LastCheck {
            started: before_now(5_000),
            duration: Duration::from_micros(12_345),
            outcome: Outcome::Success,
        }),
    };
    WatchedMonitor {
        status: Arc::new(status),
        history: Arc::new(history),
        last_transition: None,
    }
}

/// A monitor that was not checked yet.
pub(super) fn blog() -> WatchedMonitor {
    let status = MonitorStatus {
        monitor: monitor("[{name: a/b, type: http, url: 'http://blog.test/', interval: 1m}]"),
        state: State::Pending,
        since: before_now(0),
        cause: "".into(),
        last_check: None,
    };
    WatchedMonitor {
        status: Arc::new(status),
        history: Arc::default(),
        last_transition: None,
    }
}

#[tokio::test]
async fn monitors_are_listed_by_name_with_latency_uptime_and_the_last_day() {
    let bench = Bench::new();
    assert_eq!(
        bench.get("/api/v1/monitors").await.shown(),
        r#"200 {"status":"success","data":{"monitors":[]}}"#
    );
    bench.behind.lock().unwrap().monitors = vec![shop(), blog()];
    let answer = bench.get("/api/v1/monitors").await;
    expect![[r#"200 {"status":"success","data":{"monitors":[{"name":"a/b","type":"http","url":"http://blog.test/","labels":{},"interval_seconds":60,"state":"pending","since":"2025-10-09T08:53:20.123Z","cause":"","last_check":null,"uptime":{"24h":null,"7d":null,"30d":null},"bar":{"start":"2025-10-08T09:00:00Z","step_seconds":1800,"uptime":[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]}},{"name":"shop","type":"http","url":"https://shop.test/?…","labels":{"team":"web"},"interval_seconds":30,"state":"up","since":"2025-10-09T07:53:20.123Z","cause":"the check succeeded","last_check":{"at":"2025-10-09T08:53:15.123Z","duration_seconds":0.012345,"outcome":"success","cause":""},"uptime":{"24h":0.958333,"7d":0.979167,"30d":0.979167},"bar":{"start":"2025-10-08T09:00:00Z","step_seconds":1800,"uptime":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0.777846,0,0.222154,1,1]}}]}}"#]].assert_eq(&answer.shown());
    assert!(!answer.text().contains("x7"));
}

#[tokio::test]
async fn a_monitor_is_shown_with_its_changes() {
    let bench = Bench::new();
    {
        let mut behind = bench.behind.lock().unwrap();
        behind.monitors = vec![shop(), blog()];
        behind.transitions = Ok(vec![
            Transition {
                monitor: "a/b".into(),
                number: 2,
                from: State::Up,
                to: State::Down,
                at: before_now(1_500),
                since: before_now(61_500),
                cause: "the status is 500".to_owned(),
            },
            Transition {
                monitor: "shop".into(),
                number: 1,
                from: State::Pending,
                to: State::Up,
                at: before_now(2 * DAY),
                since: before_now(2 * DAY),
                cause: "the check succeeded".to_owned(),
            },
        ]);
    }
    let answer = bench.get("/api/v1/monitors/a%2Fb").await;
    expect![[r#"200 {"status":"success","data":{"monitor":{"name":"a/b","type":"http","url":"http://blog.test/","labels":{},"interval_seconds":60,"state":"pending","since":"2025-10-09T08:53:20.123Z","cause":"","last_check":null,"uptime":{"24h":null,"7d":null,"30d":null},"bar":{"start":"2025-10-08T09:00:00Z","step_seconds":1800,"uptime":[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]}},"transitions":[{"number":2,"from":"up","to":"down","at":"2025-10-09T08:53:18.623Z","since":"2025-10-09T08:52:18.623Z","cause":"the status is 500"}]}}"#]].assert_eq(&answer.shown());

    let answer = bench.get("/api/v1/monitors/nothing").await;
    expect![[r#"404 {"status":"error","errorType":"not_found","error":"no monitor is named \"nothing\": /api/v1/monitors lists them all"}"#]].assert_eq(&answer.shown());

    bench.behind.lock().unwrap().transitions = Err("the disk is on fire".to_owned());
    let answer = bench.get("/api/v1/monitors/shop").await;
    expect![[r#"500 {"status":"error","errorType":"internal","error":"cannot read the changes of a monitor: the disk is on fire"}"#]].assert_eq(&answer.shown());
}

#[tokio::test]
async fn what_was_own_trouble_counts_neither_way() {
    let bench = Bench::new();
    let mut history = History::default();
    history.push(before_now(100 * MINUTE), State::Up);
    history.push(before_now(90 * MINUTE), State::Unknown);
    history.push(before_now(10 * MINUTE), State::Down);
    let watched = WatchedMonitor {
        history: Arc::new(history),
        ..shop()
    };
    bench.behind.lock().unwrap().monitors = vec![watched];
    let answer = bench.get("/api/v1/monitors").await;
    let uptime = r#""uptime":{"24h":0.5,"7d":0.5,"30d":0.5}"#;
    assert!(answer.text().contains(uptime), "{}", answer.text());
}

#[tokio::test]
async fn a_change_that_is_not_written_yet_is_shown() {
    let bench = Bench::new();
    let transition = |number, to, cause: &str| Transition {
        monitor: "shop".into(),
        number,
        from: State::Pending,
        to,
        at: before_now(1_000),
        since: before_now(1_000),
        cause: cause.to_owned(),
    };
    let written = transition(1, State::Up, "the check succeeded");
    let last = transition(2, State::Down, "the status is 503");
    for (known, expected) in [
        (vec![written.clone()], vec![2, 1]),
        (vec![last.clone(), written], vec![2, 1]),
        (Vec::new(), vec![2]),
    ] {
        let watched = WatchedMonitor {
            last_transition: Some(Arc::new(last.clone())),
            ..shop()
        };
        {
            let mut behind = bench.behind.lock().unwrap();
            behind.monitors = vec![watched];
            behind.transitions = Ok(known);
        }
        let answer = bench.get("/api/v1/monitors/shop").await;
        let answer: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
        let shown = answer["data"]["transitions"].as_array().unwrap();
        let numbers: Vec<u64> = shown
            .iter()
            .map(|transition| transition["number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, expected);
    }
}
