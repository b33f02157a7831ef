//! Whole configurations.

use std::path::Path;

use super::*;
use crate::tests::{problems_of, read};

const WHOLE: &str = "
global:
  resolve_timeout: 7m
  smtp_from: w@example.org
  smtp_smarthost: mail.example.org:587
  smtp_auth_username: u
  smtp_auth_password_file: word
  slack_api_url_file: hook
  telegram_bot_token: '1:a'
  http_config: {follow_redirects: false}
templates: ['*.tmpl']
receivers:
- name: ops
  email_configs:
  - {to: ops@example.org, send_resolved: true}
  - {to: b@example.org, headers: {Subject: '{{ template \"mine\" . }}'}}
  slack_configs: [{channel: '#ops'}]
- name: night
  telegram_configs: [{chat_id: 1}]
  webhook_configs: [{url: 'http://hook.example.org/x'}]
- name: nobody
";

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("word", "hunter22\n"),
        ("hook", "https://hooks.example.org/services/x\n"),
        ("a.tmpl", "{{ define \"mine\" }}{{ .Status }}{{ end }}"),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// As the caller does: what stands beside belongs to `alerts`.
fn whole(directory: &Path) -> Receivers {
    let (receivers, problems) = read(WHOLE, directory);
    assert_eq!(problems, "");
    receivers
}

#[test]
fn integrations_are_found_by_receiver_and_name() {
    let directory = directory();
    let receivers = whole(directory.path());
    let names: Vec<&str> = receivers.names().collect();
    assert_eq!(names, ["night", "nobody", "ops"]);
    let shown: Vec<String> = receivers
        .integrations("ops")
        .map(|(name, integration)| {
            format!("{name} {} {}", integration.kind(), integration.target())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "email[0] email ops@example.org",
            "email[1] email b@example.org",
            "slack[0] slack #ops"
        ]
    );
    assert!(receivers.get("night", "webhook[0]").is_some());
    assert!(receivers.get("night", "email[0]").is_none());
    assert_eq!(receivers.integrations("nobody").count(), 0);
    assert_eq!(receivers.resolve_timeout(), Duration::from_secs(420));
    assert_eq!(
        Receivers::default().resolve_timeout(),
        Duration::from_secs(300)
    );
    assert!(!format!("{receivers:?}").contains("hunter22"));
}

#[test]
fn a_change_is_seen_also_in_a_file() {
    let directory = directory();
    let before = whole(directory.path());
    assert_eq!(before, whole(directory.path()));
    for (name, text) in [
        ("word", "other"),
        ("a.tmpl", "{{ define \"mine\" }}x{{ end }}"),
        ("hook", "https://hooks.example.org/services/y"),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
        let after = whole(directory.path());
        assert_ne!(before, after, "{name}");
    }
}

#[test]
fn each_mistake_is_noted_at_its_place() {
    for (yaml, problem) in [
        (
            "receivers: [{name: a, pagerduty_configs: []}]",
            "receivers[0].pagerduty_configs: pagerduty_configs is not supported yet; remove it",
        ),
        (
            "global: {opsgenie_api_key: x}",
            "global.opsgenie_api_key: opsgenie_api_key is not supported yet; remove it",
        ),
        (
            "receivers: [{name: a, email_configs: [{to: x@example.org, from: y@example.org}]}]",
            "receivers[0].email_configs[0]: a mail needs a server: write smarthost here or smtp_smarthost in global",
        ),
        (
            "receivers: [{name: a, email_configs: [{from: y@example.org, smarthost: 'a:25'}]}]",
            "receivers[0].email_configs[0].to: the key \"to\" is missing here",
        ),
        (
            "receivers: [{name: a, email_configs: [{to: x@example.org, smarthost: 'a:25'}]}]",
            "receivers[0].email_configs[0]: a mail needs a sender: write from here or smtp_from in global",
        ),
        (
            "global: {smtp_auth_password_file: nothing}",
            "global.smtp_auth_password_file: cannot read /nonexistent/nothing: No such file or directory (os error 2)",
        ),
        (
            "global: {smtp_auth_secret: x}",
            "global.smtp_auth_secret: smtp_auth_secret is not supported yet; remove it",
        ),
        (
            "global: {smtp_smarthost: mail}",
            "global.smtp_smarthost: \"mail\" is no host and port; write for example mail.example.org:587",
        ),
        (
            "global: {smtp_from: nobody}",
            "global.smtp_from: this is no address; write for example campanile@example.org",
        ),
    ] {
        assert_eq!(problems_of(yaml), problem);
    }
}
