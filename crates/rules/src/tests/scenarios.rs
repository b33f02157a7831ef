//! Groups over time.

use super::{World, labels, minutes};
use crate::{AlertState, Group};

const DOWN: &str = r#"
groups:
  - name: sites
    interval: 1m
    rules:
      - alert: SiteDown
        expr: up == 0
        for: 2m
        keep_firing_for: 3m
        labels: {severity: page, where: '{{ $labels.instance }}'}
        annotations: {summary: '{{ $labels.instance }} is down'}
"#;

#[test]
fn an_alert_is_pending_then_fires_then_fires_on_then_ends() {
    let mut world = World::new(DOWN);
    let series = [("__name__", "up"), ("instance", "a")];
    let states = [
        (0, 1.0, AlertState::Inactive, 0),
        (1, 0.0, AlertState::Pending, 0),
        (2, 0.0, AlertState::Pending, 0),
        (3, 0.0, AlertState::Firing, 1),
        (4, 1.0, AlertState::Firing, 0),
        (5, 1.0, AlertState::Firing, 1),
        (6, 1.0, AlertState::Firing, 0),
        (7, 1.0, AlertState::Inactive, 1),
    ];
    for (minute, value, state, given_out) in states {
        world.set(&series, minutes(minute), value);
        let (evaluation, _) = world.step(minutes(minute));
        assert_eq!(evaluation.errors, []);
        assert_eq!(world.group.rules()[0].state(), state, "minute {minute}");
        assert_eq!(evaluation.alerts.len(), given_out, "minute {minute}");
        if minute == 7 {
            assert_eq!(evaluation.alerts[0].ends_at, minutes(7));
            assert_eq!(evaluation.alerts[0].starts_at, minutes(3));
            assert!(evaluation.alerts[0].is_resolved(minutes(7)));
        }
    }
}

#[test]
fn alerts_are_series_that_end_with_stale_markers() {
    let mut world = World::new(DOWN);
    let series = [("__name__", "up"), ("instance", "a")];
    world.set(&series, minutes(1), 0.0);
    let (_, samples) = world.step(minutes(1));
    let rest = r#"alertname="SiteDown""#;
    let own = r#"instance="a",severity="page",where="a"}"#;
    assert_eq!(
        samples,
        [
            format!(r#"ALERTS_FOR_STATE{{{rest},{own} 60"#),
            format!(r#"ALERTS{{{rest},alertstate="pending",{own} 1"#),
        ]
    );
    world.step(minutes(2));
    let (_, samples) = world.step(minutes(3));
    assert_eq!(
        samples,
        [
            format!(r#"ALERTS_FOR_STATE{{{rest},{own} 60"#),
            format!(r#"ALERTS{{{rest},alertstate="firing",{own} 1"#),
            format!(r#"ALERTS{{{rest},alertstate="pending",{own} stale"#),
        ]
    );
    world.set(&series, minutes(4), 1.0);
    world.step(minutes(4));
    let (_, samples) = world.step(minutes(7));
    assert_eq!(
        samples,
        [
            format!(r#"ALERTS_FOR_STATE{{{rest},{own} stale"#),
            format!(r#"ALERTS{{{rest},alertstate="firing",{own} stale"#),
        ]
    );
}

#[test]
fn a_recorded_series_has_the_rules_name_and_labels_and_ends_with_its_source() {
    let mut world = World::new(
        "groups: [{name: g, labels: {team: a, kind: group}, rules: [{record: 'job:up:sum', expr: 'sum by (job) (up)', \
         labels: {kind: own, job: ''}}, {record: twice, expr: 'job:up:sum * 2'}]}]",
    );
    world.set(&[("__name__", "up"), ("job", "x")], minutes(1), 1.0);
    let (evaluation, samples) = world.step(minutes(1));
    assert_eq!(evaluation.errors, []);
    assert_eq!(
        samples,
        [
            r#"job:up:sum{kind="own",team="a"} 1"#,
            r#"twice{kind="group",team="a"} 2"#
        ]
    );
    world.store.insert(
        &labels(&[("__name__", "up"), ("job", "x")]),
        minutes(2).as_millis(),
        model::stale_marker(),
    );
    let (_, samples) = world.step(minutes(2));
    assert_eq!(
        samples,
        [
            r#"job:up:sum{kind="own",team="a"} stale"#,
            r#"twice{kind="group",team="a"} stale"#
        ]
    );
}

#[test]
fn a_breached_limit_is_an_error_and_clears_the_alerts() {
    let mut world = World::new(
        "groups: [{name: g, limit: 1, rules: [{alert: A, expr: up}, {record: r, expr: up}]}]",
    );
    world.set(&[("__name__", "up"), ("i", "1")], minutes(1), 1.0);
    let (evaluation, samples) = world.step(minutes(1));
    assert_eq!((evaluation.errors.len(), samples.len()), (0, 3));
    world.set(&[("__name__", "up"), ("i", "2")], minutes(2), 1.0);
    let (evaluation, samples) = world.step(minutes(2));
    let messages: Vec<&str> = evaluation
        .errors
        .iter()
        .map(|error| &*error.message)
        .collect();
    assert_eq!(
        messages,
        [
            "exceeded limit of 1 with 2 alerts",
            "exceeded limit of 1 with 2 series"
        ]
    );
    assert_eq!(samples, [""; 0]);
    assert_eq!(world.group.rules()[0].active_alerts().count(), 0);
}

#[test]
fn series_that_become_one_are_an_error() {
    let mut world = World::new(
        "groups: [{name: g, rules: [{alert: A, expr: up, labels: {i: same}}, {record: r, expr: up, labels: {i: same}}]}]",
    );
    world.set(&[("__name__", "up"), ("i", "1")], minutes(1), 1.0);
    world.set(&[("__name__", "up"), ("i", "2")], minutes(1), 1.0);
    let (evaluation, _) = world.step(minutes(1));
    let messages: Vec<&str> = evaluation
        .errors
        .iter()
        .map(|error| &*error.message)
        .collect();
    assert_eq!(
        messages,
        [
            "vector contains metrics with the same labelset after applying alert labels",
            "vector contains metrics with the same labelset after applying rule labels"
        ]
    );
}

#[test]
fn a_restart_continues_what_fires_and_what_is_pending() {
    let mut world = World::new(DOWN);
    let series = [("__name__", "up"), ("instance", "a")];
    world.set(&series, minutes(1), 0.0);
    world.step(minutes(1));
    let written = serde_json::to_string(&world.group.snapshot()).unwrap();
    let restarted = |minute: i64| {
        let mut world = World::new(DOWN);
        world.set(&series, minutes(minute), 0.0);
        let snapshot = serde_json::from_str(&written).unwrap();
        world
            .group
            .restore(snapshot, minutes(minute), &world.environment);
        world.step(minutes(minute));
        world.group
    };
    let active_at = |group: &Group| group.rules()[0].active_alerts().next().unwrap().active_at;
    assert_eq!(active_at(&restarted(2)), minutes(1));
    // Nine minutes passed of which one is an interval.
    let late = restarted(10);
    assert_eq!(active_at(&late), minutes(9));
    assert_eq!(late.rules()[0].state(), AlertState::Pending);
}
