//! Telegram as a strict stand-in sees us.

use std::time::Duration;

use super::*;
use crate::integration::Integration;
use crate::tests::server::Server;
use crate::tests::{alert, context, integration, notification, problems_of, render, run};

const OK: (u16, &str, &str) = (200, "", "{\"ok\":true,\"result\":{}}");

fn telegram(url: &str, extra: &str) -> Integration {
    let yaml = format!(
        "{{global: {{telegram_api_url: '{url}'}}, receivers: [{{name: ops, telegram_configs: [{{bot_token: '123:a-B_c', \
         chat_id: -4711, {extra}}}]}}]}}"
    );
    integration(&yaml, "telegram[0]")
}

fn send(integration: &Integration) -> Result<(), SendError> {
    run(integration.send(&render(integration), 0))
}

#[test]
fn a_chat_gets_the_default_message() {
    let server = Server::start(&[OK]);
    let integration = telegram(
        &server.url,
        "message_thread_id: 7, disable_notifications: true",
    );
    assert_eq!(integration.target(), "chat -4711");
    send(&integration).unwrap();
    let request = &server.finish()[0];
    assert_eq!(request.line, "POST /bot123:a-B_c/sendMessage");
    let body = &request.body;
    assert_eq!(body["chat_id"], -4711);
    assert_eq!(body["message_thread_id"], 7);
    assert_eq!(body["parse_mode"], "HTML");
    assert_eq!(body["disable_notification"], true);
    let text = body["text"].as_str().unwrap();
    assert!(
        text.starts_with("<b>[FIRING:2] MonitorDown shop (web)</b>\n\n"),
        "{text}"
    );
    assert!(
        text.contains("<a href=\"https://wiki.example.org/shop?a=1&amp;b=2\">Runbook</a>"),
        "{text}"
    );
}

#[test]
fn other_markups_are_escaped_by_their_rules() {
    let text = |mode: &str| {
        let integration = telegram("http://a", &format!("parse_mode: '{mode}'"));
        let message = format!("{:?}", render(&integration));
        message.replace("\\\\", "\\").replace("\\\"", "\"")
    };
    assert!(text("MarkdownV2").contains("\\\\[FIRING:2\\\\] MonitorDown shop \\\\(web\\\\)"));
    assert!(text("Markdown").contains("\\\\[FIRING:2] MonitorDown"));
    assert!(!text("").contains("parse_mode"));
}

#[test]
fn markup_that_telegram_does_not_understand_is_left_out() {
    let refusal = "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: x\"}";
    let server = Server::start(&[(400, "", refusal), OK]);
    let integration = telegram(&server.url, "message: '<b>{{ .Status }} &amp; <nonsense>'");
    send(&integration).unwrap();
    let requests = server.finish();
    assert_eq!(requests[0].body["parse_mode"], "HTML");
    assert_eq!(requests[1].body.get("parse_mode"), None);
    assert_eq!(requests[1].body["text"], "firing & ");
}

#[test]
fn telegrams_errors_are_understood() {
    let temporary = Class::Temporary { retry_after: None };
    let waits = Class::Temporary {
        retry_after: Some(Duration::from_secs(14)),
    };
    for (answer, class, message) in [
        (
            (
                429,
                "",
                "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\",\"parameters\":{\"retry_after\":14}}",
            ),
            waits,
            "Too Many Requests",
        ),
        (
            (
                403,
                "",
                "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: bot was blocked\"}",
            ),
            Class::Permanent,
            "blocked",
        ),
        (
            (
                404,
                "",
                "{\"ok\":false,\"error_code\":404,\"description\":\"Not Found 123:a-B_c\"}",
            ),
            Class::Permanent,
            "Not Found <secret>",
        ),
        ((502, "", "bad gateway"), temporary, "502"),
        ((200, "", "<html>"), temporary, "no answer of Telegram"),
    ] {
        let server = Server::start(&[answer]);
        let error = send(&telegram(&server.url, "")).unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert!(error.message.contains(message), "{error}");
        assert!(!error.message.contains("a-B_c"), "{error}");
        server.finish();
    }
}

#[test]
fn a_long_message_has_several_parts() {
    let server = Server::start(&[OK, OK, OK]);
    let integration = telegram(&server.url, "");
    let mut notification = notification();
    notification.alerts = (0..20)
        .map(|index| {
            let text = format!("{index} <&> {}", "x".repeat(450));
            alert(
                &[("alertname", "A"), ("n", &index.to_string())],
                &[("summary", &text)],
            )
        })
        .collect();
    let message = integration.render(&notification, &context()).unwrap();
    assert_eq!(message.parts(), 3);
    for part in 0..3 {
        run(integration.send(&message, part)).unwrap();
    }
    let requests = server.finish();
    let all: String = requests
        .iter()
        .map(|request| request.body["text"].as_str().unwrap())
        .collect();
    for index in 0..20 {
        assert!(
            all.contains(&format!("<b>{index} &lt;&amp;&gt; xxx")),
            "{index}"
        );
    }
    assert_eq!(all.matches("<b>").count(), all.matches("</b>").count());
}

#[test]
fn what_is_missing_or_wrong_is_refused() {
    for (entry, message) in [
        ("{chat_id: 1}", "a bot needs bot_token"),
        ("{bot_token: '1:a'}", "chat_id or chat_id_file is needed"),
        ("{bot_token: '1:a', chat_id: 0}", "0 is no chat"),
        ("{bot_token: '1:a', chat_id: x}", "is no whole number"),
        (
            "{bot_token: '1:a/../b', chat_id: 1}",
            "this is no token of a bot",
        ),
        (
            "{bot_token: '1:a', chat_id: 1, parse_mode: html}",
            "did you mean HTML?",
        ),
    ] {
        let problems = problems_of(&format!(
            "receivers: [{{name: ops, telegram_configs: [{entry}]}}]"
        ));
        assert!(problems.contains(message), "{entry}: {problems}");
        assert_eq!(problems.lines().count(), 1, "{entry}: {problems}");
    }
}
