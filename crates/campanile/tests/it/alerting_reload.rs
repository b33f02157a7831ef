//! A reload brings other rules, monitors and receivers; what was told before is ended, and nothing is told twice.

use std::path::Path;

use reqwest::Method;

use crate::program::{Program, directory, get_json, send, until};
use crate::receivers::{Channel, StandIn, WEBHOOK_PASSWORD, WEBHOOK_PATH};
use crate::web_server::{Reply, WebServer};

fn write(directory: &Path, monitors: &str, rules: &str, hook: &StandIn) {
    let configuration = format!(
        r#"
host: {{enabled: false}}
self: false
{monitors}
rule_files: [rules.yml]
alertmanager_config: alertmanager.yml
"#
    );
    let url = hook.url(WEBHOOK_PATH);
    let alertmanager = format!(
        r#"
route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: hook
    webhook_configs:
      - url: {url}
        http_config: {{authorization: {{credentials: {WEBHOOK_PASSWORD}}}}}
"#
    );
    let rules = format!("groups: [{{name: g, interval: 1s, rules: [{rules}]}}]");
    std::fs::write(directory.join("campanile.yml"), configuration).unwrap();
    std::fs::write(directory.join("alertmanager.yml"), alertmanager).unwrap();
    std::fs::write(directory.join("rules.yml"), rules).unwrap();
}

fn told(hook: &StandIn) -> Vec<String> {
    let requests = hook.log.all();
    let texts = requests.iter().map(|request| {
        let body = request.json();
        let name = body["groupLabels"]["alertname"].as_str().unwrap();
        format!("{} {name}", body["status"].as_str().unwrap())
    });
    texts.collect()
}

fn reload(program: &Program) -> (u16, String) {
    send(Method::POST, &program.url("/-/reload"), &[], Vec::new())
}

#[test]
fn a_reload_ends_what_is_gone_and_begins_what_is_new() {
    let (first, second) = (
        StandIn::start(Channel::Webhook, |_| None),
        StandIn::start(Channel::Webhook, |_| None),
    );
    let town = directory();
    let kept = "{alert: Kept, expr: vector(1)}";
    let both = format!("{kept}, {{alert: Old, expr: vector(1)}}");
    write(town.path(), "", &both, &first);
    let config = town.path().join("campanile.yml");
    let data = town.path().join("data");
    let program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    until("both alerts are told", || told(&first).len() == 2);

    // A port on which nobody listens.
    let gone = WebServer::start(|_| Reply::Nothing).url("/");
    let monitors = format!(
        "monitors: [{{name: shop, type: http, url: '{gone}', interval: 1s, timeout: 500ms, retries: 0}}]"
    );
    let both = format!("{kept}, {{alert: New, expr: vector(1)}}");
    write(town.path(), &monitors, &both, &second);
    assert_eq!(reload(&program).0, 200);
    until("the new and the end of the old are told", || {
        told(&second).len() == 3
    });
    let mut news = told(&second);
    news.sort();
    assert_eq!(news, ["firing MonitorDown", "firing New", "resolved Old"]);

    std::fs::write(
        town.path().join("rules.yml"),
        "groups: [{name: g, rules: [{alert: Bad, expr: 'up >'}]}]",
    )
    .unwrap();
    let (status, answer) = reload(&program);
    assert_eq!(status, 500);
    assert!(answer.contains("rules.yml"), "{answer}");
    let rules = get_json(&program.url("/api/v1/rules?type=alert"));
    let names: Vec<&str> = rules["data"]["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Kept", "New"]);

    // Without the monitor its outage is over for those who were told.
    write(town.path(), "", &both, &second);
    assert_eq!(reload(&program).0, 200);
    until("the end of the monitor's outage is told", || {
        told(&second).contains(&"resolved MonitorDown".to_owned())
    });
    assert_eq!(told(&second).len(), 4, "{:?}", told(&second));
    assert_eq!(told(&first).len(), 2, "{:?}", told(&first));
    for hook in [&first, &second] {
        hook.assert_no_violations();
    }
}

#[test]
fn a_threshold_that_is_passed_is_told_with_its_value() {
    let hook = StandIn::start(Channel::Webhook, |_| None);
    let town = directory();
    write(town.path(), "", "", &hook);
    let config = town.path().join("campanile.yml");
    // Some file system of any machine is that full.
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text
        .replace("host: {enabled: false}", "host: {interval: 1s}")
        .replace(
            "rule_files: [rules.yml]",
            "thresholds: {memory_percent: 0.01, for: 0s, cooldown: 1h}",
        );
    std::fs::write(&config, text).unwrap();
    let data = town.path().join("data");
    let program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    let rules = get_json(&program.url("/api/v1/rules"));
    assert_eq!(rules["data"]["groups"][0]["name"], "thresholds", "{rules}");
    until("the threshold's alert is told", || !told(&hook).is_empty());
    let message = hook.log.all()[0].json();
    assert_eq!(message["groupLabels"]["alertname"], "HostLowMemory");
    let summary = message["alerts"][0]["annotations"]["summary"]
        .as_str()
        .unwrap();
    assert!(summary.contains('%'), "{summary}");
}
