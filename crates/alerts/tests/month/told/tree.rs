//! Who is told: one table, from which come the routes of the machine and those of the model.

use std::collections::BTreeMap;
use std::time::Duration;

use alerts::{Cooldown, GroupBy, Integration, Receiver, Route, Routing, Timing, parse_matchers};
use model::Labels;

use crate::{HOUR, MINUTE, SECOND};

/// Receivers, their integrations, and whether those are told of ends.
const RECEIVERS: [(&str, &[(&str, bool)]); 5] = [
    ("ops", &[("webhook[0]", true)]),
    ("mail", &[("email[0]", false), ("webhook[0]", true)]),
    ("chat", &[("slack[0]", true)]),
    ("audit", &[("webhook[0]", false)]),
    ("broken", &[("webhook[0]", true)]),
];

/// By alert name: after how long one that was told may be told again.
const COOLDOWNS: [(Test, i64); 3] = [
    (Test::Is("team", "team-3"), 20 * MINUTE),
    (Test::Starts("alertname", "Rule2"), 2 * HOUR),
    (Test::Starts("alertname", "Rule5"), 7 * MINUTE),
];

/// A matcher.
#[derive(Clone, Copy)]
enum Test {
    Is(&'static str, &'static str),
    Starts(&'static str, &'static str),
}

/// A route; times in milliseconds. No labels at all are `...`.
struct Node {
    receiver: &'static str,
    tests: &'static [Test],
    continues: bool,
    group_by: &'static [&'static str],
    timing: [i64; 3],
    routes: &'static [Node],
}

const TREE: Node = Node {
    receiver: "ops",
    tests: &[],
    continues: false,
    group_by: &["alertname"],
    timing: [30 * SECOND, 5 * MINUTE, 4 * HOUR],
    routes: &[
        Node {
            receiver: "audit",
            tests: &[Test::Is("severity", "page")],
            continues: true,
            group_by: &["alertname", "monitor"],
            timing: [0, MINUTE, 24 * HOUR],
            routes: &[],
        },
        Node {
            receiver: "mail",
            tests: &[Test::Is("team", "team-0")],
            continues: true,
            group_by: &["severity"],
            timing: [MINUTE, 10 * MINUTE, 6 * HOUR],
            routes: &[],
        },
        Node {
            receiver: "chat",
            tests: &[Test::Is("alertname", "MonitorDown")],
            continues: false,
            group_by: &["team"],
            timing: [10 * SECOND, MINUTE, 30 * MINUTE],
            routes: &[
                Node {
                    receiver: "ops",
                    tests: &[Test::Is("severity", "page")],
                    continues: true,
                    group_by: &["..."],
                    timing: [0, 2 * MINUTE, HOUR],
                    routes: &[],
                },
                Node {
                    receiver: "mail",
                    tests: &[Test::Is("team", "team-2")],
                    continues: false,
                    group_by: &[],
                    timing: [30 * SECOND, 5 * MINUTE, 12 * HOUR],
                    routes: &[],
                },
            ],
        },
        Node {
            receiver: "broken",
            tests: &[Test::Starts("alertname", "Rule1")],
            continues: true,
            group_by: &["zone"],
            timing: [20 * SECOND, 3 * MINUTE, 2 * HOUR],
            routes: &[],
        },
        Node {
            receiver: "chat",
            tests: &[Test::Is("severity", "page"), Test::Is("zone", "z0")],
            continues: true,
            group_by: &["alertname", "instance"],
            timing: [15 * SECOND, 90 * SECOND, 8 * MINUTE],
            routes: &[],
        },
        Node {
            receiver: "ops",
            tests: &[Test::Starts("alertname", "Rule2")],
            continues: false,
            group_by: &["..."],
            timing: [5 * SECOND, MINUTE, 20 * MINUTE],
            routes: &[],
        },
        Node {
            receiver: "broken",
            tests: &[Test::Starts("alertname", "Rule3")],
            continues: false,
            group_by: &["nothing"],
            timing: [30 * SECOND, 5 * MINUTE, HOUR],
            routes: &[],
        },
    ],
};

/// Where an alert must go.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) key: Key,
    /// Wait, interval, repetition.
    pub(crate) timing: [i64; 3],
    pub(crate) sends_resolved: bool,
}

/// Receiver, integration, place in the tree, the group's labels.
pub(crate) type Key = (&'static str, &'static str, String, Labels);

/// All places in the tree to which an alert leads.
pub(crate) fn aims(labels: &Labels) -> Vec<Aim> {
    let mut aims = Vec::new();
    visit(&TREE, "", labels, &mut aims);
    aims
}

fn visit(node: &Node, place: &str, labels: &Labels, aims: &mut Vec<Aim>) {
    let taken = node
        .routes
        .iter()
        .enumerate()
        .filter(|(_, route)| passes(route.tests, labels));
    let mut is_leaf = true;
    for (index, route) in taken {
        is_leaf = false;
        visit(route, &format!("{place}/{index}"), labels, aims);
        if !route.continues {
            break;
        }
    }
    if !is_leaf {
        return;
    }
    let is_kept =
        |(name, _): &(&str, &str)| node.group_by == ["..."] || node.group_by.contains(name);
    let labels = Labels::from_pairs(labels.iter().filter(is_kept)).unwrap();
    let (_, integrations) = RECEIVERS
        .iter()
        .find(|(name, _)| *name == node.receiver)
        .unwrap();
    for (integration, sends_resolved) in *integrations {
        aims.push(Aim {
            key: (node.receiver, integration, place.to_owned(), labels.clone()),
            timing: node.timing,
            sends_resolved: *sends_resolved,
        });
    }
}

fn passes(tests: &[Test], labels: &Labels) -> bool {
    tests.iter().all(|test| match test {
        Test::Is(name, value) => labels.get(name) == Some(value),
        Test::Starts(name, start) => labels
            .get(name)
            .is_some_and(|value| value.starts_with(start)),
    })
}

/// How long an alert must not be told again, in milliseconds.
pub(crate) fn cooldown(labels: &Labels) -> i64 {
    let found = COOLDOWNS.iter().find(|(test, _)| passes(&[*test], labels));
    found.map_or(0, |(_, cooldown)| *cooldown)
}

/// The same table for the machine.
pub(crate) fn routing() -> Routing {
    let receiver = |(name, integrations): &(&str, &[(&str, bool)])| {
        let integrations = integrations.iter().map(|(name, send_resolved)| {
            let send_resolved = *send_resolved;
            ((*name).to_owned(), Integration { send_resolved })
        });
        let integrations = integrations.collect();
        ((*name).to_owned(), Receiver { integrations })
    };
    let cooldown = |(test, cooldown): &(Test, i64)| Cooldown {
        matchers: matchers(&[*test]),
        duration: millis(*cooldown),
    };
    Routing {
        root: route(&TREE),
        receivers: RECEIVERS.iter().map(receiver).collect::<BTreeMap<_, _>>(),
        cooldowns: COOLDOWNS.iter().map(cooldown).collect(),
    }
}

fn route(node: &Node) -> Route {
    let [group_wait, group_interval, repeat_interval] = node.timing.map(millis);
    Route {
        receiver: node.receiver.to_owned(),
        matchers: matchers(node.tests),
        continues: node.continues,
        group_by: match node.group_by {
            ["..."] => GroupBy::All,
            names => GroupBy::Labels(names.iter().map(|name| (*name).to_owned()).collect()),
        },
        timing: Timing {
            group_wait,
            group_interval,
            repeat_interval,
        },
        routes: node.routes.iter().map(route).collect(),
    }
}

fn matchers(tests: &[Test]) -> Vec<model::Matcher> {
    let text = |test: &Test| match test {
        Test::Is(name, value) => format!("{name}=\"{value}\""),
        Test::Starts(name, start) => format!("{name}=~\"{start}.*\""),
    };
    let texts: Vec<String> = tests.iter().map(text).collect();
    parse_matchers(&format!("{{{}}}", texts.join(","))).unwrap()
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}
