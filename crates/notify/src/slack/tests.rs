//! Slack as a strict stand-in sees us.

use super::*;
use crate::integration::Integration;
use crate::tests::server::Server;
use crate::tests::{integration, problems_of, render, run};

fn slack(entry: &str) -> Integration {
    let yaml = format!("receivers: [{{name: ops, slack_configs: [{{{entry}}}]}}]");
    integration(&yaml, "slack[0]")
}

fn send(integration: &Integration) -> Result<(), SendError> {
    run(integration.send(&render(integration), 0))
}

#[test]
fn an_incoming_webhook_gets_the_default_message() {
    let server = Server::start(&[(200, "content-type: text/plain\r\n", "ok")]);
    let integration = slack(&format!(
        "api_url: '{}/services/T/B/x', channel: '#ops'",
        server.url
    ));
    assert_eq!(integration.target(), "#ops");
    send(&integration).unwrap();
    let request = &server.finish()[0];
    assert_eq!(request.line, "POST /services/T/B/x");
    assert_eq!(request.header("authorization"), "");
    let body = &request.body;
    assert_eq!(body["channel"], "#ops");
    assert_eq!(body["username"], "Campanile");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["color"], "danger");
    assert_eq!(attachment["title"], "[FIRING:2] MonitorDown shop (web)");
    assert_eq!(attachment["fallback"], attachment["title"]);
    assert_eq!(attachment["title_link"], "https://watch.example.org/");
    assert_eq!(
        attachment["mrkdwn_in"],
        json!(["fallback", "pretext", "text"])
    );
    let text = attachment["text"].as_str().unwrap();
    assert!(
        text.contains("• *shop is down*\n  connection refused"),
        "{text}"
    );
    assert!(
        text.contains("<https://wiki.example.org/shop?a=1&amp;b=2|Runbook>"),
        "{text}"
    );
}

#[test]
fn the_method_gets_the_token_and_own_texts() {
    let server = Server::start(&[(200, "content-type: application/json\r\n", "{\"ok\":true}")]);
    let integration = slack(&format!(
        "app_token: xoxb-1, app_url: '{}/api/chat.postMessage', channel: C1, title: '{{{{ .Status }}}}', text: t, \
         short_fields: true, fields: [{{title: a, value: '{{{{ .Receiver }}}}'}}], link_names: true, \
         actions: [{{type: button, text: Look, url: '{{{{ .ExternalURL }}}}'}}], username: ''",
        server.url
    ));
    send(&integration).unwrap();
    let request = &server.finish()[0];
    assert_eq!(request.line, "POST /api/chat.postMessage");
    assert_eq!(request.header("authorization"), "Bearer xoxb-1");
    let body = &request.body;
    assert_eq!(body["channel"], "C1");
    assert_eq!(body["link_names"], true);
    assert_eq!(body.get("username"), None);
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["title"], "firing");
    assert_eq!(
        attachment["fields"],
        json!([{"title": "a", "value": "ops", "short": true}])
    );
    let button = json!({"type": "button", "text": "Look", "url": "https://watch.example.org"});
    assert_eq!(attachment["actions"], json!([button]));
}

#[test]
fn slacks_errors_are_understood() {
    let temporary = Class::Temporary { retry_after: None };
    let waits = Class::Temporary {
        retry_after: Some(Duration::from_secs(30)),
    };
    for (answer, class, message) in [
        (
            (200, "", "{\"ok\":false,\"error\":\"channel_not_found\"}"),
            Class::Permanent,
            "channel_not_found",
        ),
        (
            (200, "", "{\"ok\":false,\"error\":\"internal_error\"}"),
            temporary,
            "internal_error",
        ),
        (
            (
                200,
                "retry-after: 30\r\n",
                "{\"ok\":false,\"error\":\"ratelimited\"}",
            ),
            waits,
            "ratelimited",
        ),
        ((429, "retry-after: 30\r\n", ""), waits, "429"),
        (
            (200, "", "<html>sign in</html>"),
            temporary,
            "no answer of Slack",
        ),
        ((404, "", "no_team"), Class::Permanent, "no_team"),
    ] {
        let server = Server::start(&[answer]);
        let integration = slack(&format!(
            "app_token: xoxb-1, app_url: '{}', channel: C1",
            server.url
        ));
        let error = send(&integration).unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert!(error.message.contains(message), "{error}");
        server.finish();
    }
}

#[test]
fn a_template_that_fails_costs_its_text_and_not_the_message() {
    let integration = slack("api_url: 'http://a/b', title: '{{ .Nothing }}', channel: '#x'");
    let message = render(&integration);
    assert!(message.template_error().unwrap().contains("Nothing"));
    let text = format!("{message:?}");
    assert!(
        text.contains("shop is down") && text.contains("The configured template failed"),
        "{text}"
    );
    assert_eq!(message, render(&integration));
}

#[test]
fn a_way_is_needed_and_only_one() {
    for (yaml, message) in [
        (
            "receivers: [{name: a, slack_configs: [{}]}]",
            "Slack needs api_url",
        ),
        (
            "receivers: [{name: a, slack_configs: [{api_url: 'http://a', app_token: b}]}]",
            "not both",
        ),
        (
            "receivers: [{name: a, slack_configs: [{app_token: b}]}]",
            "a channel is needed",
        ),
        (
            "global: {slack_api_url: 'http://a', slack_app_token: b}",
            "not both",
        ),
        (
            "receivers: [{name: a, slack_configs: [{api_url: 'http://a', update_message: true}]}]",
            "update_message is not supported yet",
        ),
        (
            "receivers: [{name: a, slack_configs: [{api_url: 'http://a', title: '{{ .x'}]}]",
            "of the template",
        ),
    ] {
        let problems = problems_of(yaml);
        assert!(problems.contains(message), "{yaml}: {problems}");
        assert_eq!(problems.lines().count(), 1, "{yaml}: {problems}");
    }
    let yaml = "{global: {slack_api_url: 'https://hooks.example.org/s'}, receivers: [{name: ops, slack_configs: [{}]}]}";
    assert_eq!(
        integration(yaml, "slack[0]").target(),
        "https://hooks.example.org/…"
    );
}
