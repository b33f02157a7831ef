//! The data source for Grafana: its address is the program's own, and the program answers what Grafana asks of it.

use reqwest::Method;
use serde_json::Value;

use super::{text, yaml};
use crate::program::{Program, directory, get, send};

const PROVISIONING: &str = "deploy/grafana/provisioning/datasources/campanile.yaml";

#[test]
fn the_data_source_has_the_defaults_of_the_program() {
    let source = yaml(PROVISIONING)["datasources"][0].clone();
    assert_eq!(source["type"], "prometheus");
    let reference = text("docs/configuration.md");
    let default = |key: &str| {
        let prefix = format!("| `{key}` |");
        let row = reference.lines().find(|line| line.starts_with(&prefix));
        let cell = row.unwrap().split('|').nth(3).unwrap();
        cell.trim().trim_matches('`').to_owned()
    };
    assert_eq!(source["url"], format!("http://{}", default("listen")));
    assert_eq!(source["jsonData"]["timeInterval"], default("host.interval"));
}

#[test]
fn the_program_answers_what_grafana_asks() {
    let source = yaml(PROVISIONING)["datasources"][0].clone();
    let method: Method = source["jsonData"]["httpMethod"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (path, body) in [
        ("/api/v1/query", "query=1%2B1&time=60"),
        ("/api/v1/query_range", "query=up&start=0&end=60&step=15"),
        ("/api/v1/series", "match%5B%5D=node_load1&start=0&end=60"),
        ("/api/v1/labels", "start=0&end=60"),
    ] {
        let url = program.url(path);
        assert_success(path, send(method.clone(), &url, &form, body.into()));
    }
    for path in [
        "/api/v1/status/buildinfo",
        "/api/v1/label/__name__/values",
        "/api/v1/metadata",
        "/api/v1/rules",
        "/api/v1/alerts",
    ] {
        assert_success(path, get(&program.url(path)));
    }
}

fn assert_success(path: &str, (status, answer): (u16, String)) {
    let parsed: Value = serde_json::from_str(&answer).unwrap_or_default();
    assert_eq!(
        (status, &parsed["status"]),
        (200, &"success".into()),
        "{path}: {answer}"
    );
}
