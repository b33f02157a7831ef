//! The program's own trouble is UNKNOWN and pages nobody: no resolver, no descriptors, no processor, no network. And in
//! the same setting a site that is really down is DOWN, and is told.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::machines::{INSIDE, Machines, NOBODY, OUTSIDE};
use crate::name_server::NameServer;
use crate::program::{Program, command, directory, get, get_json, until};
use crate::receivers::{Channel, StandIn, WEBHOOK_PASSWORD, WEBHOOK_PATH};
use crate::throttle::Throttle;
use crate::web_server::{Reply, Request, WebServer};

/// Monitors of the same site, by its address and by its name.
const BY_ADDRESS: &str = "by address";
const BY_NAME: &str = "by name";
/// A monitor of the program itself, which needs no cable.
const ITSELF: &str = "itself";
const ALL: [&str; 3] = [BY_ADDRESS, BY_NAME, ITSELF];

/// Long enough for another check or two of each monitor.
const A_WHILE: Duration = Duration::from_millis(1500);

/// What may be logged in a while in which everything goes wrong: more would fill a disk in an outage of days.
const LINES_MAX: usize = 20;

/// A program on a machine of its own, and what it watches on another.
struct Town {
    site: Option<WebServer>,
    reply: fn(&Request) -> Reply,
    address: SocketAddr,
    names: NameServer,
    hook: StandIn,
    program: Program,
    log: Vec<Value>,
    _directory: TempDir,
}

impl Town {
    /// All is well, and known to be.
    fn build(machines: &Machines) -> Self {
        Self::with_site(machines, |_| Reply::ok("all is well"))
    }

    /// As `build`, with a site that replies as it likes.
    fn with_site(machines: &Machines, reply: fn(&Request) -> Reply) -> Self {
        let site = WebServer::start_at((OUTSIDE, 0).into(), reply);
        let address = site.address();
        let hook = StandIn::start_at((OUTSIDE, 0).into(), Channel::Webhook, |_| None);
        let names = NameServer::start(OUTSIDE);
        let directory = directory();
        let config = directory.path().join("campanile.yml");
        std::fs::write(&config, configuration(address, &hook)).unwrap();
        let listen = format!("{INSIDE}:9595");
        let mut serve = command(&[
            "serve",
            "--listen",
            &listen,
            "--log-format",
            "json",
            "--auth",
            "off",
        ]);
        serve.arg("--config").arg(config);
        serve.arg("--data-dir").arg(directory.path().join("data"));
        let mut town = Self {
            site: Some(site),
            reply,
            address,
            names,
            hook,
            program: Program::start_as(machines.command_inside(&serve)),
            log: Vec::new(),
            _directory: directory,
        };
        town.wait_for(BY_ADDRESS, "UP");
        town.wait_for(BY_NAME, "UP");
        town.wait_for(ITSELF, "UP");
        town
    }

    fn stop_site(&mut self) {
        self.site = None;
    }

    fn start_site(&mut self) {
        self.site = Some(WebServer::start_at(self.address, self.reply));
    }

    /// The states through which a monitor has gone.
    fn states(&mut self, monitor: &str) -> Vec<String> {
        self.log.extend(self.program.new_lines());
        let changes = self
            .log
            .iter()
            .filter(|line| line["event"] == "monitor changed" && line["monitor"] == monitor);
        let states = changes.map(|line| line["to"].as_str().unwrap().to_owned());
        states.collect()
    }

    fn wait_for(&mut self, monitor: &str, state: &str) {
        until(&format!("{monitor} is {state}"), || {
            let states = self.states(monitor);
            states.last().is_some_and(|last| last == state)
        });
    }

    /// Lets a few checks pass.
    fn wait_a_while(&mut self) {
        std::thread::park_timeout(A_WHILE);
        self.log.extend(self.program.new_lines());
    }

    /// These monitors have been UP, and UNKNOWN at most.
    fn assert_never_down(&mut self, monitors: &[&str]) {
        for monitor in monitors {
            let states = self.states(monitor);
            let is_fine = |state: &String| state == "UP" || state == "UNKNOWN";
            assert!(states.iter().all(is_fine), "{monitor}: {:#?}", self.log);
        }
    }

    /// What the receiver was told, such as `firing by name`, in order.
    fn told(&self) -> Vec<String> {
        let messages = self.hook.log.all().into_iter();
        let alerts = messages.flat_map(|message| {
            let alerts = message.json()["alerts"].as_array().unwrap().clone();
            alerts.into_iter().map(|alert| {
                let labels = &alert["labels"];
                assert_eq!(labels["alertname"], "MonitorDown");
                let status = alert["status"].as_str().unwrap();
                format!("{status} {}", labels["monitor"].as_str().unwrap())
            })
        });
        alerts.collect()
    }

    /// Waits until the receiver was told this, in any order, and nothing else.
    fn wait_until_told(&self, expected: &[&str]) {
        until(&format!("{expected:?} is told"), || {
            self.told().len() >= expected.len()
        });
        self.assert_told(expected);
    }

    fn assert_told(&self, expected: &[&str]) {
        let mut told = self.told();
        told.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(told, expected);
        self.hook.assert_no_violations();
    }

    /// A site that is really down is DOWN and told, and so is its return.
    fn assert_an_outage_is_told(&mut self) {
        self.assert_told(&[]);
        self.stop_site();
        self.wait_for(BY_ADDRESS, "DOWN");
        self.wait_for(BY_NAME, "DOWN");
        let mut told = vec!["firing by address", "firing by name"];
        self.wait_until_told(&told);
        self.start_site();
        self.wait_for(BY_ADDRESS, "UP");
        self.wait_for(BY_NAME, "UP");
        told.extend(["resolved by address", "resolved by name"]);
        self.wait_until_told(&told);
        let alerts = get_json(&self.program.url("/api/v1/alerts"));
        assert_eq!(
            alerts["data"]["alerts"].as_array().unwrap().len(),
            0,
            "{alerts}"
        );
    }

    /// The number of monitors in a state, as the program's own metrics have it.
    fn count(&self, state: &str) -> Option<String> {
        let (_, metrics) = get(&self.program.url("/metrics"));
        let series = format!("campanile_monitors{{state=\"{state}\"}} ");
        let mut lines = metrics.lines();
        lines.find_map(|line| Some(line.strip_prefix(&series)?.to_owned()))
    }

    /// How many files the program may have open from now on.
    fn limit_descriptors(&self, most: u64) {
        let id = self.program.id().to_string();
        // The soft limit alone is the one that counts, and may be raised again.
        let limits = format!("--nofile={most}:");
        let status = Command::new("prlimit")
            .args(["--pid", &id, &limits])
            .status();
        assert!(status.unwrap().success());
    }

    /// Stops the program and lets it go on for a moment, again and again.
    fn stop_and_go(&self, stop: Duration, go: Duration, times: usize) {
        for _ in 0..times {
            self.program.signal("STOP");
            std::thread::park_timeout(stop);
            self.program.signal("CONT");
            std::thread::park_timeout(go);
        }
    }
}

fn configuration(site: SocketAddr, hook: &StandIn) -> String {
    format!(
        r#"
host: {{enabled: false}}
self: false
monitors:
  - {{name: {BY_ADDRESS}, type: http, url: 'http://{site}/', interval: 1s, timeout: 500ms, retries: 0}}
  - {{name: {BY_NAME}, type: http, url: 'http://shop.example.org:{port}/', interval: 1s, timeout: 500ms, retries: 0}}
  - {{name: {ITSELF}, type: http, url: 'http://{INSIDE}:9595/-/healthy', interval: 1s, timeout: 500ms, retries: 0}}
alerting:
  route: {{receiver: hook, group_by: [alertname, monitor], group_wait: 0s, group_interval: 1s}}
  receivers:
    - name: hook
      webhook_configs:
        - url: {hook}
          http_config: {{authorization: {{credentials: {WEBHOOK_PASSWORD}}}}}
"#,
        port = site.port(),
        hook = hook.url(WEBHOOK_PATH),
    )
}

#[test]
fn without_a_resolver_names_are_unknown_and_addresses_are_watched() {
    Machines::with(|machines| {
        let mut town = Town::build(machines);
        town.names.keep_silent(true);
        town.wait_for(BY_NAME, "UNKNOWN");
        assert_eq!(town.count("unknown").as_deref(), Some("1"));
        town.wait_a_while();
        town.names.keep_silent(false);
        town.wait_for(BY_NAME, "UP");

        machines.set_resolver(NOBODY);
        town.wait_for(BY_NAME, "UNKNOWN");
        town.wait_a_while();
        town.wait_for(BY_ADDRESS, "UP");
        town.assert_never_down(&ALL);
        town.assert_told(&[]);

        // What can be known is told all the same.
        town.stop_site();
        town.wait_until_told(&["firing by address"]);
        town.start_site();
        town.wait_until_told(&["firing by address", "resolved by address"]);
        town.assert_never_down(&[BY_NAME]);
        machines.set_resolver(OUTSIDE);
        town.wait_for(BY_NAME, "UP");
        town.stop_site();
        town.wait_for(BY_NAME, "DOWN");
        town.wait_until_told(&[
            "firing by address",
            "resolved by address",
            "firing by address",
            "firing by name",
        ]);
    });
}

#[test]
fn without_descriptors_all_is_unknown_and_nothing_is_left_of_it() {
    Machines::with(|machines| {
        let mut town = Town::build(machines);
        let lines_before = town.log.len();
        town.limit_descriptors(8);
        for monitor in ALL {
            town.wait_for(monitor, "UNKNOWN");
        }
        // A file that changes now cannot be read, and a client that comes now must wait.
        machines.set_resolver(OUTSIDE);
        let url = town.program.url("/-/healthy");
        std::thread::scope(|scope| {
            let client = scope.spawn(|| get(&url).0);
            town.wait_a_while();
            town.limit_descriptors(4096);
            assert_eq!(client.join().unwrap(), 200);
        });
        let logged = &town.log[lines_before..];
        assert!(logged.len() < LINES_MAX, "{logged:#?}");
        let is_unwritten = |line: &Value| line.to_string().contains("cannot be written");
        assert!(!logged.iter().any(is_unwritten), "{logged:#?}");
        for monitor in ALL {
            town.wait_for(monitor, "UP");
        }
        town.assert_never_down(&ALL);
        town.assert_an_outage_is_told();
    });
}

/// A site that takes its time, so that there is something to be held up in: it redirects, and then all is well.
fn leisurely(request: &Request) -> Reply {
    std::thread::park_timeout(Duration::from_millis(80));
    if request.path == "/well" {
        return Reply::ok("all is well");
    }
    let location = ("location", "/well".to_owned());
    Reply::With(302, vec![location], String::new())
}

#[test]
fn a_program_that_is_held_up_blames_nobody() {
    Machines::with(|machines| {
        let mut town = Town::with_site(machines, leisurely);
        let milliseconds = Duration::from_millis;
        town.stop_and_go(milliseconds(1500), milliseconds(20), 2);
        town.stop_and_go(milliseconds(470), milliseconds(30), 6);
        town.stop_and_go(milliseconds(280), milliseconds(10), 4);
        town.stop_and_go(milliseconds(90), milliseconds(3), 15);
        town.wait_a_while();
        town.assert_never_down(&ALL);
        // A refusal is the site's word, however late it is heard.
        town.stop_site();
        town.stop_and_go(milliseconds(470), milliseconds(30), 3);
        town.wait_until_told(&["firing by address", "firing by name"]);
    });
}

#[test]
fn a_program_that_gets_hardly_any_processor_blames_nobody() {
    Machines::with(|machines| {
        let mut town = Town::with_site(machines, leisurely);
        // A millisecond in so many.
        for period in [100, 450, 1000] {
            let Some(throttle) = Throttle::start(town.program.id(), period) else {
                eprintln!("SKIPPED: the kernel limits no processor time here");
                return;
            };
            town.wait_a_while();
            drop(throttle);
        }
        town.wait_a_while();
        town.assert_never_down(&ALL);
        let throttle = Throttle::start(town.program.id(), 100);
        town.stop_site();
        town.wait_until_told(&["firing by address", "firing by name"]);
        drop(throttle);
    });
}

#[test]
fn without_a_network_all_but_the_machine_itself_is_unknown() {
    Machines::with(|machines| {
        let mut town = Town::build(machines);
        let network = "198.18.0.0/24";
        let cuts: [(&[&str], &[&str]); 2] = [
            (
                &["ip", "route", "del", network],
                &["ip", "route", "add", network, "dev", "eth0"],
            ),
            (
                &["ip", "link", "set", "eth0", "down"],
                &["ip", "link", "set", "eth0", "up"],
            ),
        ];
        for (cut, mend) in cuts {
            machines.inside(cut);
            town.wait_for(BY_ADDRESS, "UNKNOWN");
            town.wait_for(BY_NAME, "UNKNOWN");
            town.wait_a_while();
            town.wait_for(ITSELF, "UP");
            machines.inside(mend);
            town.wait_for(BY_ADDRESS, "UP");
            town.wait_for(BY_NAME, "UP");
        }
        // The other end of the cable is pulled out; routes stay.
        machines.outside(&["ip", "link", "set", "eth0", "down"]);
        town.wait_for(BY_NAME, "UNKNOWN");
        town.wait_a_while();
        machines.outside(&["ip", "link", "set", "eth0", "up"]);
        town.wait_for(BY_ADDRESS, "UP");
        town.wait_for(BY_NAME, "UP");
        town.assert_never_down(&ALL);
        town.assert_an_outage_is_told();
    });
}

#[test]
fn an_outage_during_which_the_network_goes_is_told_once() {
    Machines::with(|machines| {
        let mut town = Town::build(machines);
        town.stop_site();
        town.wait_until_told(&["firing by address", "firing by name"]);
        machines.inside(&["ip", "link", "set", "eth0", "down"]);
        town.wait_for(BY_ADDRESS, "UNKNOWN");
        town.wait_for(BY_NAME, "UNKNOWN");
        town.wait_a_while();
        machines.inside(&["ip", "link", "set", "eth0", "up"]);
        town.wait_for(BY_ADDRESS, "DOWN");
        town.wait_for(BY_NAME, "DOWN");
        town.wait_a_while();
        let mut told = vec!["firing by address", "firing by name"];
        town.assert_told(&told);
        town.start_site();
        told.extend(["resolved by address", "resolved by name"]);
        town.wait_until_told(&told);
    });
}
