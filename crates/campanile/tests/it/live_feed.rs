//! What happens in the running program is told over `/ws/metrics`: a pushed sample, an alert, a monitor, the end.

use std::fs;
use std::net::TcpStream;

use reqwest::Method;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::program::{PATIENCE, Program, directory, send};
use crate::web_server::{Reply, WebServer};

const RULES: &str = r#"
groups:
  - name: heat
    interval: 1s
    rules:
      - alert: Hot
        expr: temperature > 30
        annotations: {summary: "{{ $value }} degrees"}
"#;

/// A client of the feed.
struct Follower {
    socket: WebSocket<TcpStream>,
    /// What was heard while something else was waited for.
    seen: Vec<Value>,
}

impl Follower {
    fn connect(program: &Program) -> Self {
        let url = program.url("/ws/metrics").replace("http://", "ws://");
        let stream = TcpStream::connect(program.url("").replace("http://", "")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        Self {
            socket,
            seen: Vec::new(),
        }
    }

    fn subscribe(&mut self, data: Value) {
        let text = json!({"type": "subscribe", "data": data}).to_string();
        self.socket.send(Message::text(text)).unwrap();
        self.wait_for("subscribed", |_| true);
    }

    /// The next message of a type that fits, also one that came before; others are kept.
    fn wait_for(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let wanted = |message: &Value| message["type"] == kind && fits(&message["data"]);
        if let Some(index) = self.seen.iter().position(wanted) {
            return self.seen.remove(index);
        }
        loop {
            let message = match self.socket.read() {
                Ok(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
                Ok(Message::Close(frame)) => {
                    let code = frame.map(|frame| u16::from(frame.code));
                    json!({"type": "closed", "data": code})
                }
                Ok(_) => continue,
                other => panic!("no {kind}: {other:?}; seen: {:#?}", self.seen),
            };
            if wanted(&message) {
                return message;
            }
            self.seen.push(message);
        }
    }
}

fn push(program: &Program, value: f64) {
    let body =
        json!({"name": "temperature", "type": "gauge", "value": value, "labels": {"room": "a"}});
    let json = [("content-type", "application/json")];
    let url = program.url("/api/v1/metrics/ingest");
    let (status, answer) = send(Method::POST, &url, &json, body.to_string().into());
    assert_eq!(status, 201, "{answer}");
}

#[test]
fn whoever_follows_hears_of_samples_alerts_monitors_and_the_end() {
    let directory = directory();
    let site = WebServer::start(|_| Reply::ok("all is well"));
    fs::write(directory.path().join("rules.yml"), RULES).unwrap();
    let config = directory.path().join("campanile.yml");
    let settings = format!(
        "host: {{enabled: false}}\nself: false\nrule_files: [rules.yml]\nmonitors:\n  - {{name: shop, type: http, \
         url: 'http://{}/', interval: 1s, timeout: 500ms, retries: 0}}\n",
        site.address()
    );
    fs::write(&config, settings).unwrap();
    let data = directory.path().join("data");
    let mut program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    let mut follower = Follower::connect(&program);
    follower.subscribe(json!({"subscription": "metrics", "name": "temperature", "id": "samples"}));
    follower.subscribe(json!({"subscription": "alerts", "id": "alerts"}));
    follower.subscribe(json!({"subscription": "monitors", "id": "monitors"}));
    follower.subscribe(json!({"subscription": "query", "query": "temperature * 2", "step": "1s"}));

    follower.wait_for("monitor", |data| data["monitor"]["state"] == "up");

    push(&program, 42.0);
    let update = follower.wait_for("metric_update", |data| data["metrics"][0]["value"] == 42.0);
    assert_eq!(update["data"]["id"], "samples");
    assert_eq!(update["data"]["metrics"][0]["labels"], json!({"room": "a"}));
    let hot = follower.wait_for("alert", |data| data["state"] == "firing");
    assert_eq!(hot["data"]["rule"], "Hot");
    assert_eq!(hot["data"]["annotations"]["summary"], "42 degrees");
    follower.wait_for("query_update", |data| data["result"][0]["value"][1] == "84");
    push(&program, 20.0);
    let cool = follower.wait_for("alert", |data| data["state"] == "resolved");
    assert_eq!(cool["data"]["labels"]["alertname"], "Hot");
    assert!(cool["data"]["resolvedAt"].is_string(), "{cool}");

    drop(site);
    let down = follower.wait_for("monitor", |data| data["monitor"]["state"] == "down");
    assert_eq!(down["data"]["monitor"]["last_check"]["outcome"], "failure");
    let outage = follower.wait_for("alert", |data| data["state"] == "firing");
    assert_eq!(outage["data"]["labels"]["alertname"], "MonitorDown");

    fs::write(&config, "host: {enabled: false}\nself: false\n").unwrap();
    program.signal("HUP");
    let removed = follower.wait_for("monitor", |data| !data["removed"].is_null());
    assert_eq!(removed["data"]["removed"], "shop");
    let over = follower.wait_for("alert", |data| data["state"] == "resolved");
    assert_eq!(over["data"]["labels"]["alertname"], "MonitorDown");

    program.signal("TERM");
    follower.wait_for("closed", |code| *code == 1001);
    program.wait_for_event("stopped");
    assert!(program.wait().success());
}
