//! Groups over time.

use super::{World, labels, minutes};
use crate::{AlertState, Group, RuleHealth};

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
fn native_histograms_are_recorded_and_alarm_with_their_text_and_the_value_zero() {
    let mut world = World::new(
        "groups: [{name: g, rules: [{record: 'all:latency:sum', expr: 'sum(latency)', labels: {team: a}}, \
         {record: observed, expr: 'histogram_count(all:latency:sum)'}, \
         {alert: Any, expr: 'all:latency:sum', annotations: {is: '{{ $value }}'}}]}]",
    );
    let series = |i| labels(&[("__name__", "latency"), ("i", i)]);
    let mut histogram = promql::FloatHistogram::empty(0);
    (histogram.count, histogram.sum, histogram.zero_count) = (3.0, 7.5, 3.0);
    histogram.zero_threshold = 0.5;
    let at = minutes(1).as_millis();
    for i in ["1", "2"] {
        let store = &world.store;
        store.insert_histogram(&series(i), at, histogram.to_model());
    }
    let (evaluation, samples) = world.step(minutes(1));
    assert_eq!(evaluation.errors, []);
    let sum = "{count:6, sum:15, [-0.5,0.5]:6}";
    assert_eq!(
        samples,
        [
            r#"ALERTS_FOR_STATE{alertname="Any",team="a"} 60"#.to_owned(),
            r#"ALERTS{alertname="Any",alertstate="firing",team="a"} 1"#.to_owned(),
            format!(r#"all:latency:sum{{team="a"}} {sum}"#),
            r#"observed{team="a"} 6"#.to_owned(),
        ]
    );
    let alert = &evaluation.alerts[0];
    assert_eq!((alert.value, &*alert.annotations["is"]), (Some(0.0), sum));

    for i in ["1", "2"] {
        let stale = model::stale_marker();
        world
            .store
            .insert(&series(i), minutes(2).as_millis(), stale);
    }
    let (evaluation, samples) = world.step(minutes(2));
    assert!(evaluation.alerts[0].is_resolved(minutes(2)));
    assert_eq!(samples.len(), 4, "{samples:?}");
    assert!(
        samples.iter().all(|sample| sample.ends_with(" stale")),
        "{samples:?}"
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

#[test]
fn after_a_restart_what_fired_can_be_given_out_before_anything_is_evaluated() {
    let mut world = World::new(DOWN);
    let series = |instance: &'static str| [("__name__", "up"), ("instance", instance)];
    for minute in 0..=9 {
        world.set(&series("fires"), minutes(minute), 0.0);
        let is_up = f64::from(u8::from(minute > 3));
        world.set(&series("over"), minutes(minute), is_up);
        world.set(
            &series("pends"),
            minutes(minute),
            f64::from(u8::from(minute < 9)),
        );
        world.step(minutes(minute));
    }
    let snapshot = world.group.snapshot();
    world.group = Group::new(super::definitions(DOWN).remove(0));
    assert_eq!(world.group.firing(minutes(9), &world.environment), []);

    let now = minutes(90);
    world.group.restore(snapshot, now, &world.environment);
    let firing = world.group.firing(now, &world.environment);
    assert_eq!(firing.len(), 1, "{firing:?}");
    assert_eq!(firing[0].labels.get("instance"), Some("fires"));
    assert_eq!(firing[0].starts_at, minutes(2));
    assert_eq!(firing[0].ends_at, minutes(94));
    assert_eq!(world.group.evaluated_at(), Some(minutes(9)));

    // The first evaluation gives it out in the same words.
    world.set(&series("fires"), now, 0.0);
    let (evaluation, _) = world.step(now);
    let mut again = evaluation.alerts;
    again.retain(|alert| !alert.is_resolved(now));
    assert_eq!(again, firing);
}

#[test]
fn what_a_reload_takes_away_ends_and_what_it_changes_goes_on() {
    let mut world = World::new(
        "groups: [{name: g, rules: [{alert: Kept, expr: up == 0, for: 5m}, {alert: Gone, expr: up == 0}, \
         {record: r, expr: up}]}]",
    );
    world.set(&[("__name__", "up")], minutes(1), 0.0);
    world.step(minutes(1));
    let later = World::new("groups: [{name: g, rules: [{alert: Kept, expr: up == 0, for: 1m}]}]");
    let old = std::mem::replace(&mut world.group, later.group);
    world.group.adopt(old);
    let (evaluation, samples) = world.step(minutes(2));
    let alerts: Vec<(&str, bool)> = evaluation
        .alerts
        .iter()
        .map(|alert| {
            let name = alert.labels.get("alertname").unwrap();
            (name, alert.is_resolved(minutes(2)))
        })
        .collect();
    assert_eq!(alerts, [("Kept", false), ("Gone", true)]);
    assert!(samples.contains(&"r stale".to_owned()), "{samples:?}");
    let gone = r#"ALERTS{alertname="Gone",alertstate="firing"} stale"#;
    assert!(samples.contains(&gone.to_owned()), "{samples:?}");

    let mut stored = 0;
    let environment = world.environment.clone();
    let resolved = world.group.end(minutes(3), &environment, &mut |samples| {
        stored += samples.len()
    });
    assert_eq!((resolved.len(), resolved[0].ends_at), (1, minutes(3)));
    assert_eq!(stored, 2);
}

#[test]
fn what_a_reload_takes_away_ends_also_if_the_process_stops_before_the_next_evaluation() {
    let mut world = World::new(DOWN);
    let series = [("__name__", "up"), ("instance", "a")];
    for minute in 1..=3 {
        world.set(&series, minutes(minute), 0.0);
        world.step(minutes(minute));
    }
    const NOTHING: &str = "groups: [{name: sites, rules: []}]";
    let mut reloaded = World::new(NOTHING).group;
    reloaded.adopt(world.group.clone());
    let kept = serde_json::to_string(&reloaded.snapshot()).unwrap();
    world.group = World::new(NOTHING).group;
    let kept = serde_json::from_str(&kept).unwrap();
    world
        .group
        .restore(kept, minutes(4), &world.environment.clone());

    let (evaluation, samples) = world.step(minutes(4));
    assert_eq!(evaluation.alerts.len(), 1);
    assert!(evaluation.alerts[0].is_resolved(minutes(4)));
    assert_eq!(samples.len(), 2, "{samples:?}");
    assert!(
        samples.iter().all(|sample| sample.ends_with(" stale")),
        "{samples:?}"
    );
}

#[test]
fn a_rule_that_fails_keeps_its_alerts_and_says_why() {
    let mut world = World::new(DOWN);
    world.set(&[("__name__", "up"), ("instance", "a")], minutes(1), 0.0);
    world.step(minutes(1));
    let good = world.environment.query.clone();
    world.environment.query =
        std::sync::Arc::new(|_, _| Err(model::SourceError::Limit("too much".to_owned()).into()));
    let (evaluation, samples) = world.step(minutes(2));
    assert_eq!(evaluation.errors[0].message, "too much");
    assert_eq!(samples, [""; 0]);
    let rule = &world.group.rules()[0];
    assert_eq!(*rule.health(), RuleHealth::Bad("too much".to_owned()));
    world.environment.query = good;
    let (evaluation, _) = world.step(minutes(3));
    assert_eq!(evaluation.alerts.len(), 1);
    assert_eq!(*world.group.rules()[0].health(), RuleHealth::Good);
}

#[test]
fn a_query_offset_looks_and_writes_in_the_past() {
    let mut world =
        World::new("groups: [{name: g, query_offset: 1m, rules: [{record: r, expr: time()}]}]");
    world.step(minutes(10));
    let expr = promql::parse("timestamp(r)").unwrap();
    let answer = (world.environment.query)(&expr, minutes(9)).unwrap();
    let promql::Value::Vector(vector) = answer.value else {
        panic!("{answer:?}")
    };
    assert_eq!(vector[0].value.float(), Some(540.0));
}

#[test]
fn an_alert_that_fires_on_is_given_out_again_after_the_delay_and_a_resolved_one_for_a_while() {
    let mut world =
        World::new("groups: [{name: g, interval: 10s, rules: [{alert: A, expr: up == 0}]}]");
    let mut given_out = Vec::new();
    for seconds in (0..1_300).step_by(10) {
        let at = model::Timestamp::from_millis(seconds * 1000);
        let value = if seconds < 200 { 0.0 } else { 1.0 };
        world.set(&[("__name__", "up")], at, value);
        for alert in world.step(at).0.alerts {
            given_out.push((seconds, alert.is_resolved(at)));
        }
    }
    let firing: Vec<i64> = given_out.iter().filter(|it| !it.1).map(|it| it.0).collect();
    let resolved: Vec<i64> = given_out.iter().filter(|it| it.1).map(|it| it.0).collect();
    assert_eq!(firing, [0, 70, 140]);
    assert_eq!(resolved[..3], [200, 270, 340]);
    assert_eq!(resolved.last(), Some(&1040));
}

#[test]
fn after_the_clock_was_set_back_what_fires_is_given_out_and_what_is_pending_gets_older() {
    let mut world = World::new(DOWN);
    let [first, second] = ["a", "b"].map(|name| [("__name__", "up"), ("instance", name)]);
    for minute in 100..=103 {
        world.set(&first, minutes(minute), 0.0);
        world.set(
            &second,
            minutes(minute),
            if minute < 103 { 1.0 } else { 0.0 },
        );
        world.step(minutes(minute));
    }
    let mut states = Vec::new();
    for minute in 10..=12 {
        world.set(&first, minutes(minute), 0.0);
        world.set(&second, minutes(minute), 0.0);
        let (evaluation, _) = world.step(minutes(minute));
        let fires = |name: &str| {
            let mut alerts = evaluation.alerts.iter();
            alerts.any(|alert| alert.labels.get("instance") == Some(name))
        };
        states.push((fires("a"), fires("b")));
    }
    assert_eq!(states, [(true, false), (false, false), (true, true)]);
}
