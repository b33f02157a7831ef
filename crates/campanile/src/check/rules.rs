//! A rule file: what the reader of rules says about it, and which rules stand in it twice.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use document::Problem;
use rules::{GroupDefinition, RuleDefinition};

use super::counted;
use crate::config;

/// How much a rule file holds.
pub(super) struct Summary {
    groups: usize,
    rules: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (groups, rules) = (counted(self.groups, "group"), counted(self.rules, "rule"));
        write!(formatter, "{groups}, {rules}")
    }
}

/// Reads a rule file: how much it holds, and what is allowed but seldom meant.
///
/// Errors: all problems of the file.
pub(super) fn check_rules(path: &Path) -> Result<(Summary, Vec<String>), Vec<Problem>> {
    let source = config::source(path).map_err(|problem| vec![problem])?;
    let groups = rules::parse(&source)?;
    let summary = Summary {
        groups: groups.len(),
        rules: groups.iter().map(|group| group.rules.len()).sum(),
    };
    Ok((summary, doubled(&groups)))
}

/// A warning for each name that several rules of the file give to the same labels, as promtool has it: their series
/// overwrite each other, their alerts are one to those who are told.
fn doubled(groups: &[GroupDefinition]) -> Vec<String> {
    let mut places: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for group in groups {
        for (index, rule) in group.rules.iter().enumerate() {
            let place = format!("rule {} of group {:?}", index + 1, group.name);
            places.entry(identity(rule)).or_default().push(place);
        }
    }
    places.retain(|_, places| places.len() > 1);
    let warning = |((name, labels), places): ((&str, Vec<_>), Vec<String>)| {
        format!(
            "{} have the same name and labels, {}; give each its own",
            places.join(", "),
            series(name, &labels)
        )
    };
    places.into_iter().map(warning).collect()
}

/// Name and labels as they are written.
fn identity(rule: &RuleDefinition) -> (&str, Vec<(&str, &str)>) {
    let labels = rule.labels.iter();
    let labels = labels.map(|(name, label)| (name.as_str(), label.text()));
    (&rule.name, labels.collect())
}

fn series(name: &str, labels: &[(&str, &str)]) -> String {
    let mut shown = format!("{name}{{");
    for (index, (name, value)) in labels.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(shown, "{comma}{name}={value:?}").expect("invariant: a string takes everything");
    }
    shown.push('}');
    shown
}
