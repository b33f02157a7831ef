//! `campanile check rules` and `check alertmanager`, and whether promtool and amtool would say the same.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::peer::installed;
use crate::program::{directory, run};

/// Rule files, and whether they are good.
const RULES: [(&str, bool); 15] = [
    ("groups: []", true),
    ("groups: [{name: g}]", true),
    (
        "groups: [{name: g, interval: 1m, limit: 5, rules: [{record: 'a:b', expr: 'sum(up)', labels: {c: d}}]}]",
        true,
    ),
    (
        "groups: [{name: g, rules: [{alert: A, expr: up == 0, for: 5m, keep_firing_for: 1m, labels: {a: '{{ $value }}'}, annotations: {b: c}}]}]",
        true,
    ),
    (
        "groups: [{name: g, rules: [{alert: A, expr: '1'}]}, {name: h, rules: [{alert: B, expr: '1'}]}]",
        true,
    ),
    // The same rule twice is only a warning.
    (
        "groups: [{name: g, rules: [{record: a, expr: '1'}, {record: a, expr: '2'}]}]",
        true,
    ),
    ("groups: [{name: g}, {name: g}]", false),
    ("groups: [{rules: []}]", false),
    (
        "groups: [{name: g, rules: [{record: a, expr: 'sum('}]}]",
        false,
    ),
    ("groups: [{name: g, rules: [{record: a}]}]", false),
    ("groups: [{name: g, rules: [{expr: up}]}]", false),
    (
        "groups: [{name: g, rules: [{record: a, expr: up, for: 5m}]}]",
        false,
    ),
    (
        "groups: [{name: g, rules: [{alert: A, expr: up, labels: {a: '{{ nothing }}'}}]}]",
        false,
    ),
    ("groups: [{name: g, intervall: 5m}]", false),
    ("groups: [{name: g", false),
];

/// Alertmanager's files, and whether they are good.
const ROUTES: [(&str, bool); 13] = [
    ("{route: {receiver: a}, receivers: [{name: a}]}", true),
    (
        "{global: {resolve_timeout: 5m}, templates: ['*.tmpl'], route: {receiver: a, group_by: [b, c], group_wait: 10s}, receivers: [{name: a}]}",
        true,
    ),
    (
        "{route: {receiver: a, routes: [{receiver: b, matchers: ['c=\"d\"', 'e!~\"f|g\"'], continue: true}, {match: {h: i}, match_re: {j: k.*}}]}, receivers: [{name: a}, {name: b}]}",
        true,
    ),
    (
        "{route: {receiver: a, group_by: ['...']}, receivers: [{name: a}]}",
        true,
    ),
    ("{receivers: [{name: a}]}", false),
    ("{route: {group_by: [a]}, receivers: [{name: a}]}", false),
    ("{route: {receiver: b}, receivers: [{name: a}]}", false),
    (
        "{route: {receiver: a, routes: [{receiver: b}]}, receivers: [{name: a}]}",
        false,
    ),
    (
        "{route: {receiver: a}, receivers: [{name: a}, {name: a}]}",
        false,
    ),
    (
        "{route: {receiver: a, matchers: [b=\"c\"]}, receivers: [{name: a}]}",
        false,
    ),
    (
        "{route: {receiver: a, repeat_interval: 0s}, receivers: [{name: a}]}",
        false,
    ),
    (
        "{route: {receiver: a, routes: [{matchers: ['b=~\"(\"']}]}, receivers: [{name: a}]}",
        false,
    ),
    (
        "{route: {receiver: a}, receivers: [{name: a}], rout: {}}",
        false,
    ),
];

#[test]
fn good_rule_files_are_told_from_bad_ones_as_promtool_does() {
    let installed = installed("promtool");
    verdicts("rules", &RULES, |file| {
        let arguments = ["check", "rules"];
        installed.then(|| is_content("promtool", &arguments, file))
    });
}

#[test]
fn good_routes_are_told_from_bad_ones_as_amtool_does() {
    let installed = installed("amtool");
    verdicts("alertmanager", &ROUTES, |file| {
        installed.then(|| is_content("amtool", &["check-config"], file))
    });
}

#[test]
fn all_problems_of_all_files_are_named_with_their_places() {
    let directory = directory();
    let good = directory.path().join("good.yml");
    let bad = directory.path().join("bad.yml");
    let missing = directory.path().join("missing.yml");
    std::fs::write(&good, RULES[3].0).unwrap();
    let text = "groups:\n- name: g\n  rules:\n  - {record: a, expr: 'sum('}\n  - {expr: up}\n";
    std::fs::write(&bad, text).unwrap();
    let files = [&bad, &missing, &good].map(|file| file.to_str().unwrap());
    let output = run(&["check", "rules", files[0], files[1], files[2]]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    for part in [
        "bad.yml:4:28: groups[0].rules[0].expr: no PromQL expression",
        "bad.yml:5:5: groups[0].rules[1]: the rule needs a name",
        "2 problems in ",
        "missing.yml: this file does not exist",
    ] {
        assert!(errors.contains(part), "{part} is missing in:\n{errors}");
    }
    let expected = format!("{}: no problems found (1 group, 1 rule)\n", good.display());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn a_rule_that_stands_twice_in_a_file_is_a_warning() {
    let directory = directory();
    let file = directory.path().join("rules.yml");
    let text = "groups:\n- name: g\n  rules: [{alert: A, expr: '1', labels: {b: c}}, {alert: A, expr: '2'}]\n\
                - name: h\n  rules: [{alert: A, expr: '3', labels: {b: c}}]\n";
    std::fs::write(&file, text).unwrap();
    let output = run(&["check", "rules", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let warned = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "{}: warning: rule 1 of group \"g\", rule 1 of group \"h\" have the same name and labels, A{{b=\"c\"}}; give each its own\n",
        file.display()
    );
    assert_eq!(warned, expected);
}

#[test]
fn routes_are_counted() {
    let directory = directory();
    let file = directory.path().join("alertmanager.yml");
    std::fs::write(&file, ROUTES[2].0).unwrap();
    let output = run(&["check", "alertmanager", file.to_str().unwrap()]);
    let expected = format!(
        "{}: no problems found (2 receivers, 3 routes)\n",
        file.display()
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

/// Checks that each text gets its verdict from us and, if it is there, from the peer.
fn verdicts(kind: &str, texts: &[(&str, bool)], peer: impl Fn(&Path) -> Option<bool>) {
    let directory = directory();
    let file = directory.path().join("checked.yml");
    for (text, is_good) in texts {
        std::fs::write(&file, text).unwrap();
        let output = run(&["check", kind, file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), *is_good, "{text}\n{said}");
        if let Some(verdict) = peer(&file) {
            assert_eq!(verdict, *is_good, "the peer differs: {text}");
        }
    }
}

fn is_content(program: &str, arguments: &[&str], file: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).arg(file).stdin(Stdio::null());
    command.output().unwrap().status.success()
}
