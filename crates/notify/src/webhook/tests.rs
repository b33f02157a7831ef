//! Alertmanager's webhook as other programs receive it.

use testkit::Certificate;

use super::*;
use crate::error::Class;
use crate::integration::Integration;
use crate::tests::server::Server;
use crate::tests::{context, integration, notification, problems_of, render, resolved, run};

fn webhook(url: &str, extra: &str) -> Integration {
    let yaml = format!("receivers: [{{name: ops, webhook_configs: [{{url: '{url}', {extra}}}]}}]");
    integration(&yaml, "webhook[0]")
}

fn send(integration: &Integration) -> Result<(), SendError> {
    run(integration.send(&render(integration), 0))
}

#[test]
fn the_document_is_alertmanagers_version_4() {
    let server = Server::start(&[(200, "", "whatever")]);
    let integration = webhook(&format!("{}/hook?key=1", server.url), "");
    send(&integration).unwrap();
    let requests = server.finish();
    let request = &requests[0];
    assert_eq!(request.line, "POST /hook?key=1");
    assert_eq!(request.header("content-type"), "application/json");
    let agent = concat!("campanile/", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), agent);
    assert_eq!(request.header("idempotency-key").len(), 32);
    let expected = json!({
        "version": "4",
        "groupKey": "{}:{alertname=\"MonitorDown\", monitor=\"shop\"}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "ops",
        "groupLabels": {"alertname": "MonitorDown", "monitor": "shop"},
        "commonLabels": {"alertname": "MonitorDown", "monitor": "shop", "team": "web"},
        "commonAnnotations": {},
        "externalURL": "https://watch.example.org",
        "notification_reason": "first notification",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "MonitorDown", "monitor": "shop", "path": "/a", "team": "web"},
                "annotations": {
                    "description": "connection refused",
                    "runbook_url": "https://wiki.example.org/shop?a=1&b=2",
                    "summary": "shop is down",
                    "value": "0",
                },
                "startsAt": "2026-11-21T08:35:40.331Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://watch.example.org/graph?x=1",
                "fingerprint": notification().alerts[0].alert.fingerprint(),
            },
            {
                "status": "firing",
                "labels": {"alertname": "MonitorDown", "monitor": "shop", "path": "/b", "team": "web"},
                "annotations": {},
                "startsAt": "2026-11-21T08:35:40.331Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": notification().alerts[1].alert.fingerprint(),
            },
        ],
    });
    assert_eq!(request.body, expected);
}

#[test]
fn an_end_has_its_time_and_too_many_alerts_are_counted() {
    let mut notification = notification();
    notification.reason = Reason::Resolved;
    notification.alerts[0] = resolved(notification.alerts[0].clone());
    let document = document(&notification, &context(), 1);
    assert_eq!(document["truncatedAlerts"], 1);
    assert_eq!(document["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(document["alerts"][0]["status"], "resolved");
    assert_eq!(document["alerts"][0]["endsAt"], "2026-11-21T08:47:40.331Z");
    assert_eq!(document["notification_reason"], "some alerts resolved");
}

#[test]
fn credentials_and_headers_are_sent() {
    let server = Server::start(&[(204, "", ""), (204, "", "")]);
    let basic = "http_config: {basic_auth: {username: u, password: p}, http_headers: {X-Team: {values: [a]}}}";
    send(&webhook(&server.url, basic)).unwrap();
    let bearer = "http_config: {authorization: {credentials: word}}";
    send(&webhook(&server.url, bearer)).unwrap();
    let requests = server.finish();
    assert_eq!(requests[0].header("authorization"), "Basic dTpw");
    assert_eq!(requests[0].header("x-team"), "a");
    assert_eq!(requests[1].header("authorization"), "Bearer word");
}

#[test]
fn a_failure_says_whether_to_try_again_and_repeats_no_secret() {
    for (answer, class) in [
        ((500, "", "oops"), Class::Temporary { retry_after: None }),
        (
            (429, "retry-after: 7\r\n", "slowly"),
            Class::Temporary {
                retry_after: Some(Duration::from_secs(7)),
            },
        ),
        ((404, "", "no /secret-path with word123"), Class::Permanent),
    ] {
        let server = Server::start(&[answer]);
        let url = format!("{}/secret-path", server.url);
        let integration = webhook(&url, "http_config: {authorization: {credentials: word123}}");
        let error = send(&integration).unwrap_err();
        assert_eq!(error.class, class, "{error}");
        for secret in ["secret-path", "word123"] {
            assert!(!error.message.contains(secret), "{error}");
        }
        assert_eq!(server.finish().len(), 1);
    }
    let error = send(&webhook("http://127.0.0.1:1/secret-path", "")).unwrap_err();
    assert_eq!(error.class, Class::Temporary { retry_after: None });
    assert!(!error.message.contains("secret-path"), "{error}");
}

#[test]
fn a_server_that_does_not_answer_in_time_is_tried_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let integration = webhook(&url, "timeout: 1ms");
    let error = send(&integration).unwrap_err();
    assert_eq!(error.class, Class::Temporary { retry_after: None });
    assert!(error.message.contains("within 1ms"), "{error}");
}

#[test]
fn redirects_lead_only_to_the_same_origin() {
    let server = Server::start(&[(307, "location: /b\r\n", ""), (200, "", "")]);
    send(&webhook(&format!("{}/a", server.url), "")).unwrap();
    let requests = server.finish();
    assert_eq!(requests[1].line, "POST /b");
    assert_eq!(requests[0].body, requests[1].body);

    let other = "location: http://other.example.org/b\r\n";
    for (status, location, extra, message) in [
        (
            307,
            other,
            "",
            "redirects to another host, http://other.example.org/…",
        ),
        (302, "location: /b\r\n", "", "drops the message"),
        (
            308,
            "location: /b\r\n",
            "http_config: {follow_redirects: false}",
            "forbids",
        ),
        (307, "", "", "without saying where"),
    ] {
        let server = Server::start(&[(status, location, "")]);
        let error = send(&webhook(&server.url, extra)).unwrap_err();
        assert_eq!(error.class, Class::Permanent);
        assert!(error.message.contains(message), "{error}");
        server.finish();
    }
}

#[test]
fn a_huge_answer_is_cut() {
    let huge = "x".repeat(200_000);
    let server = Server::start(&[(400, "", &huge)]);
    let error = send(&webhook(&server.url, "")).unwrap_err();
    assert!(error.message.len() < 400, "{}", error.message.len());
}

#[test]
fn only_a_trusted_server_gets_the_message() {
    let certificate = Certificate::for_names(&["127.0.0.1", "hook.example.org"]);
    let trusted = format!("ca_file: '{}'", certificate.ca_file.display());
    let other = Certificate::for_names(&["127.0.0.1"]);
    let untrusted = format!("ca_file: '{}'", other.ca_file.display());
    for (tls, is_sent) in [
        (trusted.clone(), true),
        (format!("{trusted}, server_name: hook.example.org"), true),
        (format!("{trusted}, server_name: other.example.org"), false),
        (untrusted, false),
        (String::new(), false),
        ("insecure_skip_verify: true".to_owned(), true),
    ] {
        let server = Server::start_tls(&[(200, "", "")], &certificate);
        let extra = format!("http_config: {{tls_config: {{{tls}}}}}");
        let result = send(&webhook(&server.url, &extra));
        assert_eq!(result.is_ok(), is_sent, "{tls}: {result:?}");
        if let Err(error) = result {
            assert_eq!(error.class, Class::Temporary { retry_after: None });
            assert!(error.message.contains("certificate"), "{error}");
        }
        assert_eq!(server.finish().len(), usize::from(is_sent));
    }
}

#[test]
fn what_is_missing_or_not_supported_is_refused() {
    for (entry, message) in [
        ("{}", "a webhook needs url or url_file"),
        (
            "{url: 'http://a', url_file: b}",
            "either url or url_file is needed, not both",
        ),
        ("{url_file: nothing}", "cannot read /nonexistent/nothing"),
        (
            "{url: 'http://a', payload: x}",
            "payload is not supported yet",
        ),
        (
            "{url: 'http://a', http_config: {proxy_url: x}}",
            "proxy_url is not supported yet",
        ),
        (
            "{url: 'http://a', http_config: {http_headers: {Host: {values: [x]}}}}",
            "cannot be set here",
        ),
        (
            "{url: 'http://a', http_config: {basic_auth: {}, authorization: {}}}",
            "not both",
        ),
        (
            "{url: 'http://a', http_config: {tls_config: {ca: x}}}",
            "it holds no certificate",
        ),
        (
            "{url: 'http://a', max_alert: 1}",
            "did you mean \"max_alerts\"?",
        ),
    ] {
        let problems = problems_of(&format!(
            "receivers: [{{name: ops, webhook_configs: [{entry}]}}]"
        ));
        assert!(problems.contains(message), "{entry}: {problems}");
        assert_eq!(problems.lines().count(), 1, "{entry}: {problems}");
    }
}
