//! Providers that are down, refuse, ask to wait, say nothing or talk nonsense: every message arrives once and in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::program::{Program, directory, get_json, until};
use crate::receivers::{Channel, StandIn, WEBHOOK_PASSWORD, WEBHOOK_PATH};
use crate::web_server::Reply;

/// Three alerts at once, each in a group of its own.
const RULES: &str = r#"
groups:
  - name: trouble
    interval: 1s
    rules:
      - {alert: First, expr: vector(1)}
      - {alert: Second, expr: vector(1)}
      - {alert: Third, expr: vector(1)}
"#;

fn configuration(url: &str) -> String {
    format!(
        r#"
host: {{enabled: false}}
self: false
rule_files: [rules.yml]
alerting:
  route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
  receivers:
    - name: hook
      webhook_configs:
        - url: {url}
          timeout: 1s
          http_config: {{authorization: {{credentials: {WEBHOOK_PASSWORD}}}}}
"#
    )
}

#[test]
fn each_message_arrives_once_and_in_order_whatever_the_provider_does() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let hook = StandIn::start(Channel::Webhook, move |_| {
        let wait = ("retry-after", "2".to_owned());
        match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Some(Reply::With(500, Vec::new(), "oops".to_owned())),
            1 => Some(Reply::Nothing),
            2 => Some(Reply::With(429, vec![wait], String::new())),
            3 => Some(Reply::Garbage),
            4 => Some(Reply::With(503, Vec::new(), String::new())),
            _ => None,
        }
    });
    let town = directory();
    let config = town.path().join("campanile.yml");
    std::fs::write(&config, configuration(&hook.url(WEBHOOK_PATH))).unwrap();
    std::fs::write(town.path().join("rules.yml"), RULES).unwrap();
    let data = town.path().join("data");
    let program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    until("it is said that the receiver does not work", || {
        let health = get_json(&program.url("/health/detailed"));
        health.to_string().contains("hook webhook[0]")
    });
    until("all three messages are there", || hook.log.all().len() >= 3);
    hook.assert_no_violations();
    let told: Vec<String> = hook
        .log
        .all()
        .iter()
        .map(|request| name(&request.json()))
        .collect();
    assert_eq!(told, ["First", "Second", "Third"]);
    until("the receiver is known to work again", || {
        let health = get_json(&program.url("/health/detailed"));
        !health.to_string().contains("hook webhook[0]")
    });
    let listed = get_json(&program.url("/api/v1/notifications"))["data"]["notifications"].clone();
    let tries: u64 = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["attempts"].as_u64().unwrap())
        .sum();
    assert_eq!(tries, 8, "{listed}");
}

#[test]
fn a_message_that_is_refused_for_good_is_given_up_and_holds_up_no_other() {
    let hook = StandIn::start(Channel::Webhook, |request| {
        let is_second = request.body.contains("Second");
        is_second.then(|| Reply::With(422, Vec::new(), "no such thing".to_owned()))
    });
    let town = directory();
    let config = town.path().join("campanile.yml");
    let text =
        configuration(&hook.url(WEBHOOK_PATH)).replace("group_interval: 1s", "group_interval: 1h");
    std::fs::write(&config, text).unwrap();
    std::fs::write(town.path().join("rules.yml"), RULES).unwrap();
    let data = town.path().join("data");
    let program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    until("the outcomes of all three are written", || {
        let listed = get_json(&program.url("/api/v1/notifications"));
        let listed = listed["data"]["notifications"].as_array().unwrap().clone();
        let mut ended = listed.iter();
        listed.len() == 3 && ended.all(|entry| entry["state"] != "pending")
    });
    let failed = get_json(&program.url("/api/v1/notifications?state=failed"));
    let failed = failed["data"]["notifications"].as_array().unwrap().clone();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["groupLabels"]["alertname"], "Second");
    let error = failed[0]["error"].as_str().unwrap();
    assert!(error.contains("422"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    let told: Vec<String> = hook
        .log
        .all()
        .iter()
        .map(|request| name(&request.json()))
        .collect();
    assert_eq!(told, ["First", "Third"]);
}

fn name(message: &Value) -> String {
    message["groupLabels"]["alertname"]
        .as_str()
        .unwrap()
        .to_owned()
}
