//! Stand-ins for Slack, Telegram and a webhook that take only what the real ones document, and a real SMTP server.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::web_server::{Log, Reply, Request, WebServer};

pub(crate) const SLACK_PATH: &str = "/services/T000/B000/secret";
pub(crate) const SLACK_TOKEN: &str = "xoxb-0-secret";
pub(crate) const TELEGRAM_TOKEN: &str = "123456:secret";
pub(crate) const CHAT: i64 = -100_123;
pub(crate) const WEBHOOK_PATH: &str = "/hook?key=secret";
pub(crate) const WEBHOOK_PASSWORD: &str = "secret-of-the-hook";

/// Where a message goes; `Debug` is its name in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Channel {
    Email,
    SlackWebhook,
    SlackApi,
    Telegram,
    Webhook,
}

/// One of the stand-ins: what came, and what of it a real one would not have taken.
pub(crate) struct StandIn {
    pub(crate) log: Log,
    pub(crate) violations: Log,
    server: WebServer,
}

impl StandIn {
    /// Takes well-formed messages of a channel; `reply` may answer in its place.
    pub(crate) fn start(
        channel: Channel,
        reply: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), channel, reply)
    }

    /// As `start`, at an address.
    pub(crate) fn start_at(
        address: SocketAddr,
        channel: Channel,
        reply: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let log = Log::default();
        let violations = Log::default();
        let (taken, refused) = (log.clone(), violations.clone());
        let server = WebServer::start_at(address, move |request| {
            if let Some(reply) = reply(request) {
                return reply;
            }
            if let Err(reason) = check(channel, request) {
                let mut marked = request.clone();
                marked.headers.push(("violation".to_owned(), reason));
                refused.push(&marked);
                return Reply::With(400, Vec::new(), "invalid".to_owned());
            }
            taken.push(request);
            match channel {
                Channel::SlackWebhook => Reply::ok("ok"),
                Channel::SlackApi => json_reply(&json!({"ok": true, "channel": "C1", "ts": "1.2"})),
                Channel::Telegram => json_reply(&json!({"ok": true, "result": {"message_id": 1}})),
                Channel::Email | Channel::Webhook => Reply::ok(""),
            }
        });
        Self {
            log,
            violations,
            server,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Fails if something came that a real one would not have taken.
    pub(crate) fn assert_no_violations(&self) {
        let violations = self.violations.all();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

fn json_reply(body: &Value) -> Reply {
    let kind = ("content-type", "application/json".to_owned());
    Reply::With(200, vec![kind], body.to_string())
}

fn check(channel: Channel, request: &Request) -> Result<(), String> {
    need(request.method == "POST", "the method is POST")?;
    let kind = request.header("content-type").unwrap_or_default();
    need(kind.starts_with("application/json"), "the content is JSON")?;
    let agent = request.header("user-agent").unwrap_or_default();
    need(
        agent.starts_with("campanile/"),
        "the user agent says who asks",
    )?;
    let body: Value = serde_json::from_str(&request.body).map_err(|error| error.to_string())?;
    match channel {
        Channel::SlackWebhook => {
            need(request.path == SLACK_PATH, "the path is the webhook's")?;
            need(
                request.header("authorization").is_none(),
                "no login is sent",
            )?;
            slack(&body)
        }
        Channel::SlackApi => {
            need(
                request.path == "/api/chat.postMessage",
                "the path is the method's",
            )?;
            let login = request.header("authorization");
            let expected = format!("Bearer {SLACK_TOKEN}");
            need(login == Some(&*expected), "the token is a bearer's")?;
            need(body["channel"] == "#ops", "the channel is named")?;
            slack(&body)
        }
        Channel::Telegram => {
            let path = format!("/bot{TELEGRAM_TOKEN}/sendMessage");
            need(request.path == path, "the path holds the bot's token")?;
            need(body["chat_id"] == CHAT, "the chat is named")?;
            let text = body["text"].as_str().unwrap_or_default();
            need(!text.is_empty(), "there is a text")?;
            need(
                text.encode_utf16().count() <= 4096,
                "the text is short enough",
            )?;
            need(body["parse_mode"] == "HTML", "the text is HTML")
        }
        Channel::Webhook => {
            need(
                request.path == WEBHOOK_PATH,
                "the path is the configured one",
            )?;
            let login = request.header("authorization");
            let expected = format!("Bearer {WEBHOOK_PASSWORD}");
            need(login == Some(&*expected), "the login is sent")?;
            need(
                request.header("idempotency-key").is_some(),
                "there is a key",
            )?;
            webhook(&body)
        }
        Channel::Email => Err("email comes by SMTP".to_owned()),
    }
}

fn slack(body: &Value) -> Result<(), String> {
    let attachments = body["attachments"]
        .as_array()
        .ok_or("attachments are a list")?;
    need(!attachments.is_empty(), "there is an attachment")?;
    for attachment in attachments {
        let title = attachment["title"].as_str().unwrap_or_default();
        need(!title.is_empty(), "an attachment has a title")?;
        need(
            attachment["fallback"].is_string(),
            "an attachment has a fallback",
        )?;
        need(attachment["color"].is_string(), "an attachment has a color")?;
    }
    Ok(())
}

fn webhook(body: &Value) -> Result<(), String> {
    need(body["version"] == "4", "the version is \"4\"")?;
    need(body["truncatedAlerts"] == 0, "no alert is left out")?;
    for field in ["groupKey", "status", "receiver", "externalURL"] {
        need(body[field].is_string(), &format!("{field} is a text"))?;
    }
    for field in ["groupLabels", "commonLabels", "commonAnnotations"] {
        need(body[field].is_object(), &format!("{field} is an object"))?;
    }
    let alerts = body["alerts"].as_array().ok_or("alerts are a list")?;
    need(!alerts.is_empty(), "there is an alert")?;
    for alert in alerts {
        for field in [
            "status",
            "startsAt",
            "endsAt",
            "generatorURL",
            "fingerprint",
        ] {
            need(
                alert[field].is_string(),
                &format!("an alert's {field} is a text"),
            )?;
        }
        for field in ["labels", "annotations"] {
            need(
                alert[field].is_object(),
                &format!("an alert's {field} are an object"),
            )?;
        }
    }
    Ok(())
}

fn need(is_so: bool, what: &str) -> Result<(), String> {
    if is_so {
        Ok(())
    } else {
        Err(format!("not so: {what}"))
    }
}
