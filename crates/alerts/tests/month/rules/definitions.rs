//! How rules are set up, and how that changes.

use std::fmt::Write as _;

use ::rules::GroupDefinition;

use super::RULES;
use super::model::{GroupSetting, Kind, RuleSetting};
use crate::random::Random;
use crate::{MINUTE, SECOND};

/// A group of ten rules.
pub(crate) fn group(index: usize, random: &mut Random) -> GroupSetting {
    GroupSetting {
        name: format!("group-{index}"),
        interval: interval(index),
        offset: if index == 4 { 30 * SECOND } else { 0 },
        limit: if index == 7 { 2 } else { 0 },
        rules: (0..RULES)
            .map(|rule| new_rule(index * RULES + rule, random))
            .collect(),
    }
}

/// Few are quick, since those make most of the evaluations.
fn interval(index: usize) -> i64 {
    SECOND
        * match index {
            0 => 15,
            1 | 2 => 30,
            3 => 45,
            _ => 60,
        }
}

fn new_rule(index: usize, random: &mut Random) -> RuleSetting {
    let records = index % RULES == 9;
    // The second of two rules has the name and signal of the first, with another severity.
    let number = if index % RULES == 1 { index - 1 } else { index };
    let name = if records { "record" } else { "Rule" };
    RuleSetting {
        name: format!("{name}{number}"),
        records,
        signal: number,
        threshold: if index % RULES == 1 {
            70
        } else {
            random.pick(&[0, 20, 40])
        },
        hold: random.pick(&[0, 0, 20, 60, 120, 300, 900]) * SECOND,
        keep: random.pick(&[0, 0, 0, 30, 120, 600]) * SECOND,
        kind: match index % RULES {
            2 => Kind::Where,
            3 => Kind::Level,
            4 => Kind::One,
            _ => Kind::Plain,
        },
        is_roundabout: false,
    }
}

/// Changes some rules, removes or adds some.
pub(crate) fn change(setting: &mut GroupSetting, index: usize, random: &mut Random) {
    for _ in 0..random.within(1, 4) {
        let count = setting.rules.len();
        let place = random.within(0, (count as i64 - 1).max(0)) as usize;
        match random.within(0, 5) {
            0 if count > 5 => {
                setting.rules.remove(place);
            }
            1 if count > 1 => {
                let rule = setting.rules.remove(place);
                setting.rules.insert(place / 2, rule);
            }
            2 if count > 0 => {
                let rule = &mut setting.rules[place];
                rule.hold = random.pick(&[0, 60, 600]) * SECOND;
                rule.keep = random.pick(&[0, 60, 600]) * SECOND;
            }
            3 if count > 0 => setting.rules[place].is_roundabout ^= true,
            4 => setting.interval = random.pick(&[interval(index), MINUTE]),
            _ => {
                let number = index * RULES + random.within(0, RULES as i64 - 1) as usize;
                let new = new_rule(number, random);
                // Two rules that give the same alerts are a mistake of whoever writes them.
                let is_there = |rule: &RuleSetting| {
                    let class = |rule: &RuleSetting| (rule.name.clone(), rule.threshold >= 50);
                    class(rule) == class(&new)
                };
                if !setting.rules.iter().any(is_there) {
                    setting.rules.push(new);
                }
            }
        }
    }
}

/// The definition of a group, by the way of a rule file.
pub(crate) fn read(setting: &GroupSetting) -> GroupDefinition {
    let mut text = String::new();
    let GroupSetting {
        name,
        interval,
        offset,
        limit,
        ..
    } = setting;
    let (interval, offset) = (interval / SECOND, offset / SECOND);
    writeln!(
        text,
        "groups:\n- name: {name}\n  interval: {interval}s\n  query_offset: {offset}s\n  limit: {limit}\n  rules:"
    )
    .unwrap();
    if setting.rules.is_empty() {
        text = text.replace("rules:", "rules: []");
    }
    for rule in &setting.rules {
        let kind = if rule.records { "record" } else { "alert" };
        writeln!(text, "  - {kind}: {}\n    expr: {}", rule.name, rule.expr()).unwrap();
        let (hold, keep) = (rule.hold / SECOND, rule.keep / SECOND);
        if !rule.records {
            writeln!(text, "    for: {hold}s\n    keep_firing_for: {keep}s").unwrap();
            writeln!(
                text,
                "    annotations: {{summary: '{{{{ $labels.instance }}}} is at {{{{ $value }}}}'}}"
            )
            .unwrap();
        }
        writeln!(text, "    labels:").unwrap();
        for (name, value) in rule.label_texts() {
            writeln!(text, "      {name}: '{value}'").unwrap();
        }
    }
    let definitions = ::rules::parse(&document::Source::new("rules.yml", text));
    definitions
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .remove(0)
}
