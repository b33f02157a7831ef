//! Rule files, good and bad.

use document::Source;

use super::{definitions, shown};
use crate::{RuleKind, parse};

fn problems(text: &str) -> String {
    shown(&parse(&Source::new("r.yml", text)).unwrap_err())
}

#[test]
fn everything_that_prometheus_knows_is_read() {
    let groups = definitions(
        "groups:\n- name: g\n  interval: 15s\n  limit: 10\n  query_offset: 1m\n  labels: {a: b}\n  rules:\n  \
         - record: x\n    expr: 1\n    labels: {c: d}\n  - alert: Y\n    expr: |\n      up\n        == 0\n    for: 5m\n    \
         keep_firing_for: 1m\n    labels: {severity: 1}\n    annotations: {summary: hi}\n",
    );
    let group = &groups[0];
    assert_eq!((group.limit, group.rules.len()), (10, 2));
    assert_eq!(group.rules[0].kind, RuleKind::Recording);
    assert_eq!(group.rules[1].expr.to_string(), "up == 0");
    assert_eq!(group.rules[1].labels["severity"].text(), "1");
    assert_eq!(group.rules[1].labels["a"].text(), "b");
}

#[test]
fn all_mistakes_are_shown_at_once_each_at_its_place() {
    let text = r#"groups:
  - name: g
    rules:
      - alert: A
        expr: sum(up
        fro: 5m
      - record: r
        expr: |
          sum by (job) (
            rate(x)
          )
        for: 1m
      - alert: B
        expr: "up == on"
        annotations: {text: "{{ $lables.x }}"}
  - name: g
    rules:
      - expr: up
"#;
    let shown = problems(text);
    for place in [
        "r.yml:5:",
        "r.yml:6:9",
        "r.yml:10:",
        "r.yml:12:",
        "r.yml:14:",
        "r.yml:15:",
        "r.yml:16:",
        "r.yml:18:9",
    ] {
        assert!(shown.contains(place), "{place} is not in\n{shown}");
    }
}
