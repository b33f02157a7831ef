//! A good configuration is applied, a bad one changes nothing and says why.

use reqwest::Method;

use crate::program::{Program, command, directory, get, query_value, run, send, until};

const BAD: &str = "host:\n  intervall: 5s\nlog: {level: loud}\n";

#[test]
fn serve_and_check_refuse_a_bad_file_in_the_same_words() {
    let directory = directory();
    let file = directory.path().join("bad.yml");
    std::fs::write(&file, BAD).unwrap();
    let check = run(&["check", "config", file.to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(1));
    let serve = command(&["serve", "--config"]).arg(&file).output().unwrap();
    assert_eq!(serve.status.code(), Some(78));
    let words = String::from_utf8(check.stderr).unwrap();
    assert_eq!(words, String::from_utf8(serve.stderr).unwrap());
    for part in ["bad.yml:2:3", "intervall", "interval", "bad.yml:3:", "loud"] {
        assert!(words.contains(part), "{part} is missing in:\n{words}");
    }
}

#[test]
fn check_says_that_a_good_file_is_good() {
    let directory = directory();
    let file = directory.path().join("good.json");
    std::fs::write(&file, r#"{"host": {"interval": "10s"}}"#).unwrap();
    let check = run(&["check", "config", file.to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(0));
    assert!(
        String::from_utf8(check.stdout)
            .unwrap()
            .contains("good.json")
    );
}

#[test]
fn an_address_that_other_machines_reach_lets_nobody_in_without_credentials() {
    let directory = directory();
    let mut serve = command(&["serve", "--listen", "0.0.0.0:0", "--log-format", "json"]);
    serve.arg("--data-dir").arg(directory.path());
    let program = Program::start_as(serve);
    program.wait_until_ready();
    assert_eq!(get(&program.url("/health")).0, 200);
    for path in [
        "/api/v1/query?query=up",
        "/metrics",
        "/api/v1/status/config",
    ] {
        assert_eq!(get(&program.url(path)).0, 401, "{path}");
    }
}

#[test]
fn a_reload_applies_a_good_file_and_a_bad_one_changes_nothing() {
    let directory = directory();
    let file = directory.path().join("campanile.yml");
    std::fs::write(&file, "host: {enabled: false}\nself: false\n").unwrap();
    let data = directory.path().join("data");
    let mut program = Program::start(&data, &["--config", file.to_str().unwrap()]);
    program.wait_until_ready();
    assert_eq!(get(&program.url("/metrics/live")).0, 503);

    std::fs::write(&file, BAD).unwrap();
    let (status, answer) = send(Method::POST, &program.url("/-/reload"), &[], Vec::new());
    assert_eq!(status, 500, "{answer}");
    assert!(
        answer.contains("intervall") && answer.contains("loud"),
        "{answer}"
    );
    program.signal("HUP");
    let failed = program.wait_for_event("reload failed");
    assert!(
        failed["error"].as_str().unwrap().contains("intervall"),
        "{failed}"
    );
    assert_eq!(get(&program.url("/metrics/live")).0, 503);

    std::fs::write(
        &file,
        "host: {enabled: true, interval: 1s}\nquery: {max_samples: 3}\n",
    )
    .unwrap();
    program.signal("HUP");
    program.wait_for_event("configuration reloaded");
    until("host metrics are collected", || {
        get(&program.url("/metrics/live")).0 == 200
    });
    until("host metrics are stored", || {
        query_value(&program, "node_load1").is_some()
    });
    let (status, answer) = get(&program.url("/api/v1/query?query=node_cpu_seconds_total"));
    assert_eq!(status, 422, "{answer}");
    assert!(answer.contains("max_samples"), "{answer}");
}

#[test]
fn what_cannot_change_while_running_is_refused_by_name() {
    let directory = directory();
    let file = directory.path().join("campanile.yml");
    std::fs::write(&file, "host: {enabled: false}\n").unwrap();
    let data = directory.path().join("data");
    let program = Program::start(&data, &["--config", file.to_str().unwrap()]);
    program.wait_until_ready();
    std::fs::write(
        &file,
        "log: {format: text}\nauth: {mode: off}\nlimits: {memory: 1GiB}\n",
    )
    .unwrap();
    let (status, answer) = send(Method::POST, &program.url("/-/reload"), &[], Vec::new());
    assert_eq!(
        (status, answer.contains("restart")),
        (500, true),
        "{answer}"
    );
}

#[test]
fn what_the_store_takes_and_who_may_change_it_follow_a_reload() {
    let directory = directory();
    let file = directory.path().join("campanile.yml");
    let quiet = "host: {enabled: false}\nself: false\n";
    std::fs::write(&file, format!("{quiet}limits: {{active_series: 1}}\n")).unwrap();
    let data = directory.path().join("data");
    let program = Program::start(&data, &["--config", file.to_str().unwrap()]);
    program.wait_until_ready();
    let push = |name: &str| {
        let metric = format!(r#"{{"name":"{name}","type":"gauge","value":1}}"#);
        let json = [("content-type", "application/json")];
        let url = program.url("/api/v1/metrics/ingest");
        send(Method::POST, &url, &json, metric.into_bytes())
    };
    let clean = || {
        let url = program.url("/api/v1/admin/tsdb/clean_tombstones");
        send(Method::POST, &url, &[], Vec::new())
    };
    assert_eq!(push("first").0, 201);
    let (status, answer) = push("second");
    assert_eq!(
        (status, answer.contains("limits.active_series")),
        (400, true),
        "{answer}"
    );
    let (status, answer) = clean();
    assert_eq!(
        (status, answer.contains("storage.admin_api")),
        (503, true),
        "{answer}"
    );

    std::fs::write(
        &file,
        format!(
            "{quiet}limits: {{active_series: 2}}\nstorage: {{admin_api: true, retention: 1d}}\n"
        ),
    )
    .unwrap();
    let (status, answer) = send(Method::POST, &program.url("/-/reload"), &[], Vec::new());
    assert_eq!(status, 200, "{answer}");
    assert_eq!(push("second").0, 201);
    assert_ne!(clean().0, 503);
    let (status, answer) = get(&program.url("/api/v1/status/tsdb"));
    assert_eq!(
        (status, answer.contains(r#""numSeries":2"#)),
        (200, true),
        "{answer}"
    );
}
