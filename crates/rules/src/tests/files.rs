//! Rule files, good and bad.

use document::Source;

use super::definitions;
use crate::{RuleKind, parse};

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

const BAD: &str = r#"groups:
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
        expr: "up{a=\"b\"} == on"
        annotations:
          text: "{{ $lables.x }}"
          two: |
            line
            and {{ humanise $value }}
          three: 'that''s {{ end }}'
          four: '{{ if }}'
        labels: {__name__: x}
  - name: g
    rules:
      - expr: 'up[5m]'
      - {alert: x, record: y, expr: up}
      - {record: 'a{b="c"}', expr: 'up or "x"', annotations: {}}
  - {interval: soon, limit: -1}
"#;

const PROBLEMS: [&str; 20] = [
    r##"5:21 groups[0].rules[0].expr: no PromQL expression: unclosed left parenthesis"##,
    r##"6:9 groups[0].rules[0].fro: unknown key "fro"; did you mean "for"?"##,
    r##"10:18 groups[0].rules[1].expr: no PromQL expression: expected type range vector in call to function "rate", got instant vector"##,
    r##"12:14 groups[0].rules[1].for: for belongs to alerts only; remove it from this recording rule"##,
    r##"14:33 groups[0].rules[2].expr: no PromQL expression: unexpected end of input in grouping opts, expected "(""##,
    r##"16:21 groups[0].rules[2].annotations.text: no template: undefined variable "$lables""##,
    r##"19:20 groups[0].rules[2].annotations.two: no template: function "humanise" not defined"##,
    r##"20:27 groups[0].rules[2].annotations.three: no template: unexpected {{end}}"##,
    r##"21:26 groups[0].rules[2].annotations.four: no template: empty command"##,
    r##"22:28 groups[0].rules[2].labels.__name__: __name__ is no label that a rule may set; the rule's name stands in record: or alert:"##,
    r##"23:11 groups[1].name: a group "g" stands in this file already; give each its own name"##,
    r##"25:9 groups[1].rules[0]: the rule needs a name: write record: for a series, or alert: for an alert"##,
    r##"25:16 groups[1].rules[0].expr: a rule needs an instant vector or a scalar, not a range vector"##,
    r##"26:17 groups[1].rules[1].alert: a rule records or alerts, not both; make two rules of it"##,
    r##"27:18 groups[1].rules[2].record: "a{b=\"c\"}" is no metric name; what stands in braces belongs into labels:, or the whole into expr:"##,
    r##"27:43 groups[1].rules[2].expr: no PromQL expression: binary expression must contain only scalar and instant vector types"##,
    r##"27:62 groups[1].rules[2].annotations: annotations belongs to alerts only; remove it from this recording rule"##,
    r##"28:5 groups[2].name: the key "name" is missing here"##,
    r##"28:16 groups[2].interval: "soon" is no duration: a whole number and a unit are needed, for example 30s or 1h30m"##,
    r##"28:29 groups[2].limit: "-1" is too small; the least is 0 (allowed: 0 to 4294967295)"##,
];

#[test]
fn all_mistakes_are_shown_at_once_each_at_its_place() {
    let found = parse(&Source::new("r.yml", BAD)).unwrap_err();
    let found: Vec<String> = found
        .iter()
        .map(|problem| {
            let (line, column) = problem.position().unwrap();
            format!("{line}:{column} {}: {}", problem.path(), problem.message())
        })
        .collect();
    assert_eq!(found, PROBLEMS);
}
