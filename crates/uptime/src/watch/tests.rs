//! Stories of monitors, and a long random one against a naive model.

mod random;

use std::time::Duration;

use super::*;
use crate::read_monitors;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn monitor(name: &str, settings: &str) -> Monitor {
    let text = format!("[{{name: {name}, type: http, url: 'http://{name}.test/', {settings}}}]");
    let source = document::Source::new("test.yml", text);
    let options = document::Options::default();
    let document = document::Document::parse(&source, document::Syntax::Yaml, &options).unwrap();
    let mut list = read_monitors(document.root());
    assert_eq!(document.into_problems(), []);
    list.monitors.remove(0)
}

fn watch(monitors: Vec<Monitor>, now: Timestamp) -> Watch {
    let mut watch = Watch::default();
    assert_eq!(watch.apply(Event::Configured(monitors), now), []);
    watch
}

/// Waits for the next check.
fn next_run(watch: &mut Watch) -> Run {
    let due = watch.next_due().unwrap();
    match watch.apply(Event::Tick, due).as_slice() {
        [Action::RunCheck(run)] => run.clone(),
        other => panic!("one check is due: {other:?}"),
    }
}

fn finish(watch: &mut Watch, run: &Run, outcome: Outcome, now: Timestamp) -> Vec<Action> {
    let event = Event::Finished {
        monitor: Arc::clone(&run.monitor),
        slot: run.slot,
        attempt: run.attempt,
        outcome,
    };
    watch.apply(event, now)
}

fn outcome(mark: char) -> Outcome {
    match mark {
        '+' => Outcome::Success,
        '-' => Outcome::Failure("the status is 500".to_owned()),
        _ => Outcome::OwnTrouble("no route".to_owned()),
    }
}

/// What is done after each result: the first letter of a new state, `!` for a raised alert, `.` for a resolved one.
fn told(retries: u32, results: &str) -> String {
    let monitor = monitor("shop", &format!("interval: 30s, retries: {retries}"));
    let mut watch = watch(vec![monitor], at(0));
    let mut number = 0;
    let mut told = Vec::new();
    for mark in results.chars() {
        let run = next_run(&mut watch);
        let mut entry = String::new();
        for action in finish(&mut watch, &run, outcome(mark), run.due) {
            match action {
                Action::Transition(transition) => {
                    number += 1;
                    assert_eq!(transition.number, number, "numbers have no gaps");
                    entry.extend(transition.to.to_string().chars().next());
                }
                Action::Raise(_) => entry.push('!'),
                Action::Resolve(_) => entry.push('.'),
                Action::RunCheck(_) => panic!("only a tick runs checks"),
            }
        }
        told.push(if entry.is_empty() {
            "=".to_owned()
        } else {
            entry
        });
    }
    told.join(" ")
}

#[test]
fn states_follow_results() {
    for (retries, results, expected) in [
        (0, "+++", "U = ="),
        (0, "+-+", "U D! U."),
        (0, "-", "D!"),
        (1, "+-+", "U P U"),
        (1, "+--+", "U P D! U."),
        (1, "--+", "= D! U."),
        (1, "-+-", "= U P"),
        (2, "+----+", "U P = D! = U."),
        // Own trouble is no failure, and a row of failures that it breaks begins anew.
        (0, "?+?", "U U U"),
        (1, "+-?--", "U P U P D!"),
        (0, "+?????+", "U U = = = = U"),
        // It neither resolves an alert nor raises it again.
        (1, "--?-+", "= D! U D U."),
        (1, "--?+", "= D! U U."),
        (1, "--??--+", "= D! U = D = U."),
    ] {
        assert_eq!(told(retries, results), expected, "{retries} {results}");
    }
}

#[test]
fn an_alert_says_what_where_and_since_when() {
    let shop = monitor("shop", "interval: 30s, retries: 1, labels: {team: web}");
    let mut watch = watch(vec![shop], at(0));
    let first = next_run(&mut watch);
    finish(&mut watch, &first, outcome('-'), first.due);
    let second = next_run(&mut watch);
    assert_eq!(second.slot, first.slot, "a retry belongs to its slot");
    assert_eq!(second.attempt, 1);
    assert_eq!(second.due, first.due + Duration::from_secs(10));

    let actions = finish(&mut watch, &second, outcome('-'), second.due);
    let [Action::Transition(transition), Action::Raise(alert)] = actions.as_slice() else {
        panic!("a transition, then the alert: {actions:?}");
    };
    assert_eq!(transition.at, second.due);
    assert_eq!(transition.since, first.due, "down since the first failure");
    assert_eq!(
        alert.labels.to_string(),
        r#"{alertname="MonitorDown",monitor="shop",team="web"}"#
    );
    assert_eq!(alert.annotations["summary"], "shop is down");
    assert_eq!(alert.annotations["description"], "the status is 500");
    assert_eq!(alert.annotations["url"], "http://shop.test/");
    assert_eq!(
        (alert.starts_at, alert.ends_at),
        (first.due, Timestamp::MAX)
    );
    assert_eq!(watch.alerts(), std::slice::from_ref(alert));

    let third = next_run(&mut watch);
    let actions = finish(&mut watch, &third, outcome('+'), third.due);
    let [Action::Transition(_), Action::Resolve(resolved)] = actions.as_slice() else {
        panic!("a transition, then the end of the alert: {actions:?}");
    };
    assert_eq!(resolved.labels, alert.labels);
    assert_eq!(
        (resolved.starts_at, resolved.ends_at),
        (first.due, third.due)
    );
}

#[test]
fn a_hiccup_does_not_change_since_when_it_is_up() {
    let mut watch = watch(vec![monitor("shop", "interval: 30s, retries: 1")], at(0));
    let mut up_since = None;
    for mark in "+-+".chars() {
        let run = next_run(&mut watch);
        up_since.get_or_insert(run.due);
        finish(&mut watch, &run, outcome(mark), run.due);
    }
    let (_, memory) = watch.get("shop").unwrap();
    assert_eq!((memory.state, Some(memory.since)), (State::Up, up_since));
    assert_eq!(memory.number, 3);
}

#[test]
fn a_result_that_nobody_waits_for_changes_nothing() {
    let mut watch = watch(vec![monitor("shop", "interval: 30s")], at(0));
    let run = next_run(&mut watch);
    let other = Run {
        attempt: 1,
        ..run.clone()
    };
    assert_eq!(finish(&mut watch, &other, outcome('-'), run.due), []);
    assert_eq!(finish(&mut watch, &run, outcome('+'), run.due).len(), 1);
    assert_eq!(finish(&mut watch, &run, outcome('-'), run.due), []);
    assert_eq!(watch.get("shop").unwrap().1.state, State::Up);
}

#[test]
fn a_monitor_that_is_removed_ends_its_outage_also_after_a_restart() {
    let mut watch = watch(vec![monitor("shop", "interval: 30s, retries: 0")], at(0));
    let run = next_run(&mut watch);
    finish(&mut watch, &run, outcome('-'), run.due);
    let mut restored = Watch::restore(watch.memories());
    for watch in [&mut watch, &mut restored] {
        let actions = watch.apply(Event::Configured(Vec::new()), at(100));
        let [Action::Resolve(alert)] = actions.as_slice() else {
            panic!("the alert ends: {actions:?}");
        };
        assert_eq!(alert.ends_at, at(100));
        assert_eq!((watch.next_due(), watch.memories()), (None, Vec::new()));
    }
}

#[test]
fn a_changed_configuration_keeps_the_state_and_the_labels_of_the_alert() {
    let mut watch = watch(vec![monitor("shop", "interval: 30s, retries: 0")], at(0));
    let run = next_run(&mut watch);
    finish(&mut watch, &run, outcome('-'), run.due);
    let raised = watch.alerts();
    let changed = monitor("shop", "interval: 1h, labels: {team: web}");
    assert_eq!(watch.apply(Event::Configured(vec![changed]), run.due), []);
    assert_eq!(watch.alerts(), raised);
    assert_eq!(watch.get("shop").unwrap().1.state, State::Down);
    let run = next_run(&mut watch);
    let actions = finish(&mut watch, &run, outcome('+'), run.due);
    assert_eq!(actions.len(), 2);
    assert_eq!(watch.alerts()[0].labels, raised[0].labels);
}

#[test]
fn own_trouble_is_retried_as_often_as_a_slot_allows() {
    let mut watch = watch(vec![monitor("shop", "interval: 1h, retries: 2")], at(0));
    let attempts: Vec<u32> = (0..5)
        .map(|_| {
            let run = next_run(&mut watch);
            finish(&mut watch, &run, outcome('?'), run.due);
            run.attempt
        })
        .collect();
    assert_eq!(attempts, [0, 1, 2, 0, 1]);
}

#[test]
fn a_memory_comes_back_from_json() {
    let mut watch = watch(
        vec![monitor("shop", "interval: 30s, labels: {team: web}")],
        at(0),
    );
    for mark in "+--".chars() {
        let text = serde_json::to_string(&watch.memories()).unwrap();
        let memories: Vec<Memory> = serde_json::from_str(&text).unwrap();
        assert_eq!(memories, watch.memories());
        let run = next_run(&mut watch);
        finish(&mut watch, &run, outcome(mark), run.due);
    }
    let text = serde_json::to_string(&watch.memories()).unwrap();
    assert!(text.contains(r#""state":"down""#), "{text}");
}
