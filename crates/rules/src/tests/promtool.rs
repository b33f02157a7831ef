//! Thirty rules and a made-up half hour, for which Debian's promtool has to expect just what we give out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use model::Labels;

use super::{World, definitions, labels, minutes};
use crate::{AlertState, Group, RuleKind};

const RULES: &str = include_str!("../../testdata/thirty.yml");
const LENGTH: i64 = 30;

/// Numbers that look random and are the same each time, below `bound`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A series and its value at each minute.
fn input(seed: u64) -> Vec<(Labels, Vec<Option<f64>>)> {
    let mut dice = Dice(seed);
    let mut input = Vec::new();
    let targets = [
        ("web", "web1.example.org:9100"),
        ("web", "web2.example.org:9100"),
        ("db", "10.0.0.1:9100"),
    ];
    for (job, instance) in targets {
        let with = |name| labels(&[("__name__", name), ("job", job), ("instance", instance)]);
        let mut is_up = true;
        let mut up = Vec::new();
        let (mut load, mut requests, mut total) = (Vec::new(), Vec::new(), 0);
        for _ in 0..=LENGTH {
            is_up ^= dice.roll(4) == 0;
            up.push((dice.roll(12) > 0).then_some(f64::from(u8::from(is_up))));
            load.push(Some(dice.roll(1000) as f64 / 10.0));
            total += dice.roll(150);
            requests.push(Some(total as f64));
        }
        input.extend([
            (with("up"), up),
            (with("load"), load),
            (with("requests_total"), requests),
        ]);
    }
    input
}

#[test]
fn the_file_uses_everything() {
    let definitions = definitions(RULES);
    let rules: Vec<_> = definitions.iter().flat_map(|group| &group.rules).collect();
    assert_eq!(rules.len(), 30);
    assert!(rules.iter().any(|rule| matches!(rule.kind, RuleKind::Alerting { keep_firing_for, .. } if !keep_firing_for.is_zero())));
}

#[test]
fn debians_promtool_predicts_the_same() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rules.yml"), RULES).unwrap();
    let mut tests = "rule_files: [rules.yml]\nevaluation_interval: 1m\ngroup_eval_order: [recorded, alerts]\ntests:\n".to_owned();
    for seed in 1..=4 {
        write_test(&mut tests, seed);
    }
    let file = directory.path().join("tests.yml");
    std::fs::write(&file, &tests).unwrap();
    let output = Command::new("promtool")
        .args(["test", "rules"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Where it must be (CI=true), its absence fails the test; elsewhere the test says that it was skipped.
fn is_installed() -> bool {
    let found = Command::new("promtool").arg("--version").output().is_ok();
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(
        found || !required,
        "promtool is not installed: `make test` as root installs it"
    );
    if !found {
        eprintln!("SKIPPED: promtool is not installed (`make test` as root installs it)");
    }
    found
}

/// What we give out, as what promtool shall expect.
fn write_test(tests: &mut String, seed: u64) {
    let mut world = World::new("groups: [{name: g}]");
    let mut groups: Vec<Group> = definitions(RULES).into_iter().map(Group::new).collect();
    let input = input(seed);
    let url = world.environment.external_url.clone();
    writeln!(tests, "- interval: 1m\n  external_labels: {{site: berlin}}\n  external_url: {url}\n  input_series:").unwrap();
    for (labels, values) in &input {
        let values: Vec<String> = values
            .iter()
            .map(|value| value.map_or("_".to_owned(), |value| value.to_string()))
            .collect();
        writeln!(
            tests,
            "  - {{series: {}, values: {}}}",
            quoted(&labels.to_string()),
            quoted(&values.join(" "))
        )
        .unwrap();
    }
    let (mut alerts, mut series) = (String::new(), String::new());
    for minute in 0..=LENGTH {
        let at = minutes(minute);
        for (labels, values) in &input {
            if let Some(value) = values[usize::try_from(minute).unwrap()] {
                world.store.insert(labels, at.as_millis(), value);
            }
        }
        for group in &mut groups {
            std::mem::swap(&mut world.group, group);
            let (evaluation, _) = world.step(at);
            assert_eq!(evaluation.errors, []);
            std::mem::swap(&mut world.group, group);
        }
        write_alerts(&mut alerts, &groups, minute);
        write_series(&mut series, &world, minute);
    }
    write!(
        tests,
        "  alert_rule_test:\n{alerts}  promql_expr_test:\n{series}"
    )
    .unwrap();
}

/// The alerts that fire; promtool knows the others only as series.
fn write_alerts(out: &mut String, groups: &[Group], minute: i64) {
    let rules = groups.iter().flat_map(Group::rules);
    for rule in rules.filter(|rule| !rule.records()) {
        let name = &rule.definition().name;
        writeln!(
            out,
            "  - eval_time: {minute}m\n    alertname: {name}\n    exp_alerts:"
        )
        .unwrap();
        let alerts = rule.active_alerts();
        for alert in alerts.filter(|alert| alert.state == AlertState::Firing) {
            let own: BTreeMap<&str, &str> = alert
                .labels
                .iter()
                .filter(|(name, _)| *name != "alertname")
                .collect();
            let own = serde_json::to_string(&own).unwrap();
            let annotations = serde_json::to_string(&alert.annotations).unwrap();
            writeln!(
                out,
                "    - {{exp_labels: {own}, exp_annotations: {annotations}}}"
            )
            .unwrap();
        }
    }
}

fn write_series(out: &mut String, world: &World, minute: i64) {
    for name in [
        "ALERTS",
        "ALERTS_FOR_STATE",
        "job:up:sum",
        "job:up:share",
        "load:highest",
        "constant",
        "load:busy",
    ] {
        writeln!(
            out,
            "  - expr: {name}\n    eval_time: {minute}m\n    exp_samples:"
        )
        .unwrap();
        let expr = promql::parse(name).unwrap();
        let answer = (world.environment.query)(&expr, minutes(minute)).unwrap();
        let promql::Value::Vector(vector) = answer.value else {
            panic!("{name}")
        };
        for sample in vector {
            let labels = quoted(&sample.labels.to_string());
            let value = sample.value.float().unwrap();
            writeln!(out, "    - {{labels: {labels}, value: {value}}}").unwrap();
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
