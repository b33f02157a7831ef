//! A site goes down and comes back: each receiver hears of both, once and in time, also when the program is killed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;
use testkit::{Smtp, SmtpTls};

use crate::program::{Program, directory, get_json, run, until};
use crate::receivers::{
    CHAT, Channel, SLACK_PATH, SLACK_TOKEN, StandIn, TELEGRAM_TOKEN, WEBHOOK_PASSWORD, WEBHOOK_PATH,
};
use crate::web_server::{Reply, WebServer};

/// How often the program is killed; `CAMPANILE_TEST_KILLS` asks for more.
const KILLS_DEFAULT: usize = 4;

/// A site, receivers of all kinds, and a configuration that joins them.
struct Town {
    directory: TempDir,
    site: Option<WebServer>,
    address: std::net::SocketAddr,
    slack_webhook: StandIn,
    slack_api: StandIn,
    telegram: StandIn,
    webhook: StandIn,
    smtp: Smtp,
    mails: RefCell<Vec<String>>,
}

impl Town {
    /// None if there is no SMTP server to be had here.
    fn build() -> Option<Self> {
        let smtp = Smtp::start(SmtpTls::Starttls)?;
        let site = WebServer::start(|_| Reply::ok("all is well"));
        let address = site.address();
        let start = |channel| StandIn::start(channel, |_| None);
        let town = Self {
            directory: directory(),
            site: Some(site),
            address,
            slack_webhook: start(Channel::SlackWebhook),
            slack_api: start(Channel::SlackApi),
            telegram: start(Channel::Telegram),
            webhook: start(Channel::Webhook),
            smtp,
            mails: RefCell::default(),
        };
        std::fs::write(town.config(), town.configuration()).unwrap();
        Some(town)
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("campanile.yml")
    }

    fn configuration(&self) -> String {
        format!(
            r#"
host: {{enabled: false}}
self: false
external_url: https://watch.example.org/campanile
monitors:
  - name: shop
    type: http
    url: http://{site}/
    interval: 1s
    timeout: 500ms
    retries: 1
    retry_interval: 1s
    keyword: well
    labels: {{team: web, severity: critical}}
alerting:
  global:
    smtp_smarthost: {smtp_address}
    smtp_from: Campanile <campanile@example.org>
    smtp_auth_username: {user}
    smtp_auth_password: {password}
    smtp_tls_config: {{ca_file: {ca_file}}}
    telegram_api_url: {telegram}
  route:
    receiver: everyone
    group_by: [alertname, monitor]
    group_wait: 0s
    group_interval: 1s
    repeat_interval: 4h
  receivers:
    - name: everyone
      email_configs:
        - {{to: ops@example.org, send_resolved: true}}
      slack_configs:
        - {{api_url: {slack_webhook}, channel: '#ops', send_resolved: true}}
        - {{app_token: {SLACK_TOKEN}, app_url: {slack_api}, channel: '#ops', send_resolved: true}}
      telegram_configs:
        - {{bot_token: '{TELEGRAM_TOKEN}', chat_id: {CHAT}}}
      webhook_configs:
        - url: {webhook}
          http_config: {{authorization: {{credentials: {WEBHOOK_PASSWORD}}}}}
"#,
            site = self.address,
            smtp_address = self.smtp.address,
            user = Smtp::USER,
            password = Smtp::PASSWORD,
            ca_file = self.smtp.ca_file.display(),
            telegram = self.telegram.url(""),
            slack_webhook = self.slack_webhook.url(SLACK_PATH),
            slack_api = self.slack_api.url("/api/chat.postMessage"),
            webhook = self.webhook.url(WEBHOOK_PATH),
        )
    }

    fn start(&self) -> Program {
        let config = self.config();
        Program::start(
            &self.directory.path().join("data"),
            &["--config", config.to_str().unwrap()],
        )
    }

    fn stop_site(&mut self) {
        self.site = None;
    }

    fn start_site(&mut self) {
        self.site = Some(WebServer::start_at(self.address, |_| {
            Reply::ok("all is well")
        }));
    }

    /// What each channel got, as texts.
    fn messages(&self) -> BTreeMap<Channel, Vec<String>> {
        let bodies = |stand_in: &StandIn| {
            let requests = stand_in.log.all();
            requests.into_iter().map(|request| request.body).collect()
        };
        let new = self.smtp.new_mails().into_iter().map(|mail| mail.text);
        self.mails.borrow_mut().extend(new);
        BTreeMap::from([
            (Channel::Email, self.mails.borrow().clone()),
            (Channel::SlackWebhook, bodies(&self.slack_webhook)),
            (Channel::SlackApi, bodies(&self.slack_api)),
            (Channel::Telegram, bodies(&self.telegram)),
            (Channel::Webhook, bodies(&self.webhook)),
        ])
    }

    fn wait_for(&self, count: usize) {
        until(&format!("each channel has {count} messages"), || {
            self.messages()
                .values()
                .all(|messages| messages.len() >= count)
        });
    }

    fn assert_no_violations(&self) {
        for stand_in in [
            &self.slack_webhook,
            &self.slack_api,
            &self.telegram,
            &self.webhook,
        ] {
            stand_in.assert_no_violations();
        }
    }
}

/// Whether a message tells that something fires.
fn is_firing(message: &str) -> bool {
    let (firing, resolved) = (message.contains("FIRING"), message.contains("RESOLVED"));
    let (firing, resolved) = (
        firing || message.contains(r#""status":"firing""#),
        resolved || message.contains(r#""status":"resolved""#),
    );
    assert!(firing != resolved, "{message}");
    firing
}

#[test]
fn an_outage_is_told_to_everyone_once_and_so_is_its_end() {
    let Some(mut town) = Town::build() else {
        return;
    };
    let program = town.start();
    program.wait_until_ready();
    until("the site is known to be up", || up(&program) == Some(1.0));

    let stopped = UNIX_EPOCH.elapsed().unwrap();
    town.stop_site();
    town.wait_for(1);
    // Interval × (retries + 1) + 2 s; what other tests do beside it may cost as much again.
    let took = UNIX_EPOCH.elapsed().unwrap() - stopped;
    eprintln!("everyone was told after {took:?}");
    let alerts = get_json(&program.url("/api/v1/alerts"))["data"]["alerts"].clone();
    assert_eq!(alerts[0]["labels"]["alertname"], "MonitorDown");
    town.start_site();
    town.wait_for(2);
    town.assert_no_violations();
    for (channel, messages) in town.messages() {
        let told: Vec<bool> = messages.iter().map(|message| is_firing(message)).collect();
        assert_eq!(told, [true, false], "{channel:?}: {messages:#?}");
        for message in &messages {
            assert!(message.contains("shop"), "{channel:?}: {message}");
            if std::env::var_os("CAMPANILE_TEST_SHOW").is_some() {
                eprintln!("---- {channel:?}\n{message}\n");
            }
        }
    }
    check_history(&program, &town);
}

/// The journal says what was sent, over HTTP and on the command line, beside the running program.
fn check_history(program: &Program, town: &Town) {
    let url = program.url("/api/v1/notifications");
    until("all outcomes are written", || {
        let listed = get_json(&url)["data"]["notifications"].clone();
        let mut states = listed.as_array().unwrap().iter();
        states.len() == 10 && states.all(|entry| entry["state"] == "delivered")
    });
    let data = town.directory.path().join("data");
    let output = run(&["notify", "history", "--data-dir", data.to_str().unwrap()]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}");
    assert_eq!(table.lines().count(), 11, "{table}");
    assert!(table.contains("ops@example.org"), "{table}");
    assert!(!table.contains("secret"), "{table}");
    eprintln!("{table}");
}

#[test]
fn kills_lose_no_message_and_double_none() {
    let Some(mut town) = Town::build() else {
        return;
    };
    let kills = std::env::var("CAMPANILE_TEST_KILLS").ok();
    let kills: usize = kills.map_or(KILLS_DEFAULT, |kills| kills.parse().unwrap());
    let seed = std::env::var("CAMPANILE_TEST_SEED").ok();
    let mut random = seed.map_or(0x5eed_cafe, |seed| seed.parse().unwrap());
    eprintln!("seed {random}");
    let mut program = town.start();
    let mut doubled = Vec::new();
    let mut expected = 0;
    for turn in 0..kills {
        let goes_down = turn % 2 == 0;
        if turn == 0 {
            until("the site is known to be up", || up(&program) == Some(1.0));
        }
        if goes_down {
            town.stop_site();
        } else {
            town.start_site();
        }
        // From before the first failed check to after the last message.
        random = random_after(random);
        std::thread::park_timeout(Duration::from_millis(random % 3_000));
        program.kill();
        program = town.start();
        expected += 1;
        until(&format!("turn {turn} is told to everyone"), || {
            let messages = town.messages();
            let told = messages
                .values()
                .map(|messages| distinct(messages, goes_down));
            let fewest = told.map(|told| told.len()).min().unwrap_or_default();
            fewest >= expected_of(expected, goes_down)
        });
    }
    // What is sent twice comes within a second of a start.
    std::thread::park_timeout(Duration::from_secs(2));
    for (channel, messages) in town.messages() {
        let firing = distinct(&messages, true).len();
        let resolved = distinct(&messages, false).len();
        assert_eq!(
            (firing, resolved),
            (kills.div_ceil(2), kills / 2),
            "{channel:?}"
        );
        doubled.push((channel, messages.len() - firing - resolved));
    }
    town.assert_no_violations();
    eprintln!("{kills} kills, {expected} changes told to 5 channels: 0 lost, doubled {doubled:?}");
    for (channel, count) in doubled {
        assert!(
            count <= 1 + kills / 20,
            "{channel:?} got {count} messages twice"
        );
    }
}

/// How many of `turns` changes, the first of which is an outage, are of a kind.
fn expected_of(turns: usize, goes_down: bool) -> usize {
    if goes_down {
        turns.div_ceil(2)
    } else {
        turns / 2
    }
}

/// The messages of a kind, without repetitions of the same one.
fn distinct(messages: &[String], firing: bool) -> std::collections::BTreeSet<String> {
    let of_kind = messages
        .iter()
        .filter(|message| is_firing(message) == firing);
    of_kind.map(|message| identity(message)).collect()
}

/// What makes two messages the same one: since when the outage lasts stands in each.
fn identity(message: &str) -> String {
    if let Ok(body) = serde_json::from_str::<Value>(message) {
        return body.to_string();
    }
    let id = message
        .lines()
        .find(|line| line.to_lowercase().starts_with("message-id:"));
    id.unwrap_or(message).to_owned()
}

fn up(program: &Program) -> Option<f64> {
    crate::program::query_value(program, "probe_success")
}

/// A step of a linear congruential generator, which is random enough to choose moments.
fn random_after(random: u64) -> u64 {
    let next = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    next.rotate_left(20)
}

#[test]
fn a_test_message_is_sent_to_a_receiver_and_a_wrong_name_is_helped() {
    let Some(town) = Town::build() else {
        return;
    };
    let config = town.config();
    let config = config.to_str().unwrap();
    let output = run(&["notify", "test", "everyone", "--config", config]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    assert_eq!(report.matches("delivered in").count(), 5, "{report}");
    town.wait_for(1);
    town.assert_no_violations();
    let output = run(&["notify", "test", "everyon", "--config", config]);
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(report.contains(r#"did you mean "everyone"?"#), "{report}");
}

#[test]
fn there_is_no_history_without_a_catalog() {
    let empty = directory();
    let output = run(&["notify", "history", "--data-dir", path(empty.path())]);
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(report.contains("there is no catalog"), "{report}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
