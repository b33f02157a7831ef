//! Scenarios as scripts: what happens, and with `->` what is told, each with its time.
//!
//! A script is run and written down again with what was told; the two must be equal.

mod properties;
mod scenarios;

use std::collections::BTreeMap;
use std::time::Duration;

use model::duration;

use super::*;
use crate::event::{Reason, Status};
use crate::parse_matchers;
use crate::routing::{Cooldown, GroupBy, Integration, Receiver, Route, Timing};

/// Two receivers: `one` hears everything by `group`, 30s, 5m, 1h; `two` hears what has `page` as well.
fn routing() -> Routing {
    let timing = Timing {
        repeat_interval: Duration::from_secs(3600),
        ..Timing::default()
    };
    let page = Route {
        matchers: parse_matchers("page=yes").unwrap(),
        continues: true,
        group_by: GroupBy::All,
        timing: Timing {
            group_wait: Duration::ZERO,
            ..timing
        },
        ..Route::to("two")
    };
    let root = Route {
        group_by: GroupBy::Labels(vec!["group".to_owned()]),
        timing,
        ..Route::to("one")
    };
    let rest = root.clone();
    let receiver = receiver(true);
    Routing {
        root: Route {
            routes: vec![page, rest],
            ..root
        },
        receivers: BTreeMap::from(["one", "two"].map(|name| (name.to_owned(), receiver.clone()))),
        cooldowns: Vec::new(),
    }
}

/// A receiver that is told in one way.
fn receiver(send_resolved: bool) -> Receiver {
    let integration = Integration { send_resolved };
    Receiver {
        integrations: BTreeMap::from([("webhook[0]".to_owned(), integration)]),
    }
}

fn with_cooldown(seconds: u64) -> Routing {
    let cooldown = Cooldown {
        matchers: Vec::new(),
        duration: Duration::from_secs(seconds),
    };
    Routing {
        cooldowns: vec![cooldown],
        ..routing()
    }
}

/// `a,group=x` is `{alertname="a",group="x"}`.
fn labels(name: &str) -> Labels {
    let mut pairs = vec![("alertname", "")];
    for part in name.split(',') {
        match part.split_once('=') {
            Some(pair) => pairs.push(pair),
            None => pairs[0].1 = part,
        }
    }
    Labels::from_pairs(pairs).unwrap()
}

fn alert(labels: Labels, starts_at: Timestamp, ends_at: Timestamp) -> Alert {
    Alert {
        labels,
        annotations: BTreeMap::from([("summary".to_owned(), "it is so".to_owned())]),
        value: Some(f64::INFINITY),
        starts_at,
        ends_at,
        generator_url: String::new(),
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(0) + Duration::from_secs(seconds)
}

/// Firing with `+`, over with `-`.
fn shown(notification: &Notification) -> String {
    let mut shown = format!("{} {:?}", notification.group.receiver, notification.reason);
    for notified in &notification.alerts {
        let sign = match notified.status {
            Status::Firing => '+',
            Status::Resolved => '-',
        };
        let name = notified.alert.labels.get("alertname").unwrap_or("");
        shown.push_str(&format!(" {sign}{name}"));
    }
    shown
}

/// A state, and a sender that delivers at once unless it is told otherwise.
struct Story {
    state: State,
    now: Timestamp,
    transcript: Vec<String>,
    outcome: Option<Outcome>,
    saved: Option<Vec<u8>>,
    reconfigured: Vec<Routing>,
}

impl Story {
    fn apply(&mut self, event: Event) {
        for action in self.state.apply(event, self.now) {
            self.carry_out(action);
        }
        if self.outcome.is_some() {
            let next = self.state.next_wake();
            assert!(
                next.is_none_or(|next| next > self.now),
                "{next:?} at {:?}",
                self.now
            );
        }
    }

    fn carry_out(&mut self, action: Action) {
        let said = match &action {
            Action::Notify(notification) => shown(notification),
            Action::Refused { labels, .. } => format!("refused {labels}"),
        };
        self.write(&format!("-> {said}"));
        if let (Action::Notify(notification), Some(outcome)) = (action, self.outcome) {
            self.sent(&notification, outcome);
        }
    }

    fn sent(&mut self, notification: &Notification, outcome: Outcome) {
        let (group, id) = (notification.group.clone(), notification.id);
        self.apply(Event::Sent { group, id, outcome });
    }

    fn write(&mut self, line: &str) {
        let time = duration::format(self.now.since(at(0))).to_string();
        self.transcript.push(format!("{time} {line}"));
    }

    fn advance(&mut self, to: Timestamp) {
        while let Some(wake) = self.state.next_wake().filter(|wake| *wake <= to) {
            self.now = self.now.max(wake);
            self.apply(Event::Tick);
        }
        self.now = to;
    }

    fn run(&mut self, command: &str) {
        self.write(command);
        let (verb, argument) = command.split_once(' ').unwrap_or((command, ""));
        match verb {
            // Until it is said to be over.
            "raise" => self.apply(Event::Alert(alert(labels(argument), self.now, at(1 << 30)))),
            // For 4 minutes, unless it is raised again.
            "lease" => {
                let ends_at = self.now + Duration::from_secs(240);
                self.apply(Event::Alert(alert(labels(argument), self.now, ends_at)));
            }
            "end" => self.apply(Event::Alert(alert(labels(argument), at(0), self.now))),
            "outcome" => {
                self.outcome = match argument {
                    "delivered" => Some(Outcome::Delivered),
                    "failed" => Some(Outcome::Failed),
                    "given-up" => Some(Outcome::GaveUp),
                    _ => None,
                }
            }
            "deliver" | "give-up" => {
                let outcome = match verb {
                    "deliver" => Outcome::Delivered,
                    _ => Outcome::GaveUp,
                };
                let outstanding: Vec<Notification> = self.state.outstanding().cloned().collect();
                for notification in outstanding {
                    self.sent(&notification, outcome);
                }
            }
            "kill" => self.saved = Some(self.state.snapshot()),
            "start" => {
                let snapshot = self.saved.take().unwrap();
                let routing = self.state.routing().clone();
                self.state = State::restore(&snapshot, routing, self.now).unwrap();
                let again: Vec<String> = self.state.outstanding().map(shown).collect();
                for line in again {
                    self.write(&format!("-> again {line}"));
                }
                self.apply(Event::Tick);
            }
            "reconfigure" => {
                let routing = self.reconfigured.remove(0);
                self.apply(Event::Reconfigured(routing));
            }
            "nothing" => {}
            _ => panic!("what is {command:?}?"),
        }
    }
}

/// Runs the lines of a script that have no `->`, and compares what is told with those that have.
fn check(routing: Routing, script: &str) {
    check_with(routing, Vec::new(), script);
}

fn check_with(routing: Routing, reconfigured: Vec<Routing>, script: &str) {
    let mut story = Story {
        state: State::new(routing, 1),
        now: at(0),
        transcript: Vec::new(),
        outcome: Some(Outcome::Delivered),
        saved: None,
        reconfigured,
    };
    let lines: Vec<&str> = script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    for line in &lines {
        let (time, command) = line.split_once(' ').unwrap();
        let time = at(0) + duration::parse(time).unwrap();
        if command.starts_with("->") {
            continue;
        }
        if story.saved.is_none() {
            story.advance(time);
        }
        story.now = time;
        story.run(command);
    }
    assert_eq!(story.transcript.join("\n"), lines.join("\n"));
}
