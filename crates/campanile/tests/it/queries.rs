//! What one sees of queries: those that run, those that were slow, those that ran when the program was killed; and the command
//! line for them.

use std::thread;

use reqwest::Method;
use serde_json::Value;

use crate::program::{Program, directory, escape, get_json, run, send, until};

/// Takes minutes unless somebody ends it, and hardly any memory.
const ENDLESS: &str = "quantile_over_time(0.5, vector(1)[11000s:1s])";

fn ask_endless(base: &str) -> (u16, String) {
    let query = escape(ENDLESS);
    let range = "start=1000000000&end=1000010999&step=1";
    let url = format!("{base}/api/v1/query_range?query={query}&{range}");
    send(Method::GET, &url, &[("user-agent", "test/1")], Vec::new())
}

fn active(program: &Program) -> Vec<Value> {
    let list = get_json(&program.url("/api/v1/status/active_queries"));
    list["data"].as_array().unwrap().clone()
}

fn until_it_runs(program: &Program) -> Value {
    let mut found = None;
    until("the query runs", || {
        let running = |query: &Value| query["query"] == ENDLESS && query["state"] == "running";
        found = active(program).into_iter().find(running);
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_query_that_runs_is_seen_and_ended() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    thread::scope(|scope| {
        let base = program.url("");
        let asked = scope.spawn(move || ask_endless(&base));
        let query = until_it_runs(&program);
        assert_eq!(query["client"], "127.0.0.1");
        assert_eq!(query["user_agent"], "test/1");
        assert_eq!(query["kind"], "range");
        let id = query["id"].as_str().unwrap();
        let url = program.url(&format!("/api/v1/status/active_queries/{id}"));
        let (status, body) = send(Method::DELETE, &url, &[], Vec::new());
        assert_eq!(status, 200, "{body}");
        let (status, body) = asked.join().unwrap();
        assert_eq!(status, 499, "{body}");
        assert!(body.contains(r#""errorType":"canceled""#), "{body}");
    });
    until("nothing runs", || {
        active(&program)
            .iter()
            .all(|query| query["query"] != ENDLESS)
    });
}

#[test]
fn what_ran_when_the_program_was_killed_is_logged_at_the_next_start() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    thread::scope(|scope| {
        let base = program.url("");
        scope.spawn(move || assert_eq!(ask_endless(&base).0, 0));
        until_it_runs(&program);
        program.kill();
    });
    let told = |program: &Program| {
        let event = "this query was running when the program ended";
        let lines = program.passed_over().iter();
        lines
            .filter(|line| line["event"] == event)
            .cloned()
            .collect::<Vec<_>>()
    };
    let program = Program::start(data.path(), &[]);
    let lines = told(&program);
    let line = lines
        .iter()
        .find(|line| line["expression"] == ENDLESS)
        .unwrap();
    assert_eq!(line["level"], "warn");
    assert_eq!(line["kind"], "range");
    assert!(line["started"].as_str().unwrap().starts_with("20"));
    drop(program);
    // Rules of this machine may have run.
    let program = Program::start(data.path(), &[]);
    assert!(
        told(&program)
            .iter()
            .all(|line| line["expression"] != ENDLESS)
    );
}

#[test]
fn slow_queries_are_logged_with_what_they_took() {
    let data = directory();
    let config = data.path().join("campanile.yml");
    std::fs::write(&config, "query: {log_slower_than: 1ms, timeout: 1s}\n").unwrap();
    let config = config.to_str().unwrap().to_owned();
    let mut program = Program::start(data.path(), &["--config", &config]);
    let (status, body) = ask_endless(&program.url(""));
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("raise query.timeout"), "{body}");
    loop {
        let line = program.wait_for_event("slow query");
        if line["expression"] == ENDLESS {
            assert_eq!(line["outcome"], "timeout");
            assert_eq!(line["client"], "127.0.0.1");
            assert!(line["duration_ms"].as_f64().unwrap() >= 1000.0);
            assert!(line["bytes_peak"].as_u64().unwrap() > 0);
            break;
        }
    }
    let metrics = crate::program::get(&program.url("/metrics")).1;
    let counted = "campanile_query_refused_total{reason=\"timeout\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn the_command_line_draws_and_explains() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    let server = program.url("");
    let ask = |arguments: &[&str]| {
        let output = run(&[arguments, &["--server", &server]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let range = [
        "--start",
        "1000000000",
        "--end",
        "1000003600",
        "--step",
        "60s",
    ];
    let chart = ask(&[&["query", "range", "time()", "--chart"], &range[..]].concat());
    assert!(chart.contains('┤') && chart.contains("UTC"), "{chart}");
    assert!(chart.contains('⣀') || chart.contains('⡠'), "{chart}");
    assert!(!chart.contains('\x1b'), "no colours in a pipe");
    assert!(
        chart.lines().all(|line| line.chars().count() <= 80),
        "{chart}"
    );
    let bars = ask(&["query", "instant", "vector(3)", "--chart"]);
    assert!(bars.contains("█"), "{bars}");
    let plan = ask(&[&["query", "explain", "sum(vector(1) + 1)"], &range[..]].concat());
    assert!(plan.starts_with("STEPS  SERIES  SAMPLES  PLAN\n"), "{plan}");
    assert!(plan.contains("sum(vector(1) + 1)"), "{plan}");
    let plan = ask(&["query", "explain", "up", "--time", "1000000000"]);
    assert!(plan.contains("selection 1: 0 series"), "{plan}");
}

#[test]
fn an_expression_is_checked_without_a_server() {
    let good = run(&["check", "query", "sum(up) by (job)", "1+1"]);
    assert!(good.status.success());
    let text = String::from_utf8(good.stdout).unwrap();
    assert!(
        text.contains("sum by (job) (up): no problems found (instant vector)"),
        "{text}"
    );
    let bad = run(&["check", "query", "up", "sum(rate(up[5m])"]);
    assert_eq!(bad.status.code(), Some(1));
    let text = String::from_utf8(bad.stderr).unwrap();
    let lines = [
        "1:17: parse error: unclosed left parenthesis",
        "  sum(rate(up[5m])",
        "                  ^",
        "",
    ];
    assert_eq!(text, lines.join("\n"));
}
