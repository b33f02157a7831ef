//! What is watched, what is alarming, and who is told: the sections that belong to crates of their own.
//!
//! Each crate reads its own section and notes what is wrong; here they are put together, and the files that they
//! name are read. The rules of a host go with the host, unless others are given.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerts::{Cooldown, Route, Routing};
use document::{Document, Options, Problem, Section, Source, Syntax, Value};
use model::{MatchKind, Matcher};
use notify::Receivers;
use rules::{GroupDefinition, Thresholds};
use uptime::Monitor;

use super::file::source;

/// Files that the patterns of `rule_files` may name together.
const RULE_FILES_MAX: usize = 10_000;

/// The labels by which a rule's alerts are known.
const ALERT_NAME: &str = "alertname";

/// Monitors, rules, routes and receivers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alerting {
    pub(crate) monitors: Vec<Monitor>,
    /// The groups of all rule files in their order, or those of `thresholds`, or the host's own.
    pub(crate) groups: Vec<GroupDefinition>,
    pub(crate) routing: Routing,
    pub(crate) receivers: Receivers,
}

/// What was read, and what was said about it.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) alerting: Alerting,
    /// What is wrong in other files than the configuration itself.
    pub(super) problems: Vec<Problem>,
    /// What is allowed, but should be thought over.
    pub(super) warnings: Vec<Problem>,
    has_own_rules: bool,
}

impl Default for Alerting {
    /// Nothing is watched, nobody is told.
    fn default() -> Self {
        Self {
            monitors: Vec::new(),
            groups: Vec::new(),
            routing: Routing {
                root: Route::to(""),
                receivers: [].into(),
                cooldowns: Vec::new(),
            },
            receivers: Receivers::default(),
        }
    }
}

impl Read {
    /// Adds the rules that a host has when nobody gives others.
    pub(super) fn complete(mut self, is_host_watched: bool) -> Self {
        if is_host_watched && !self.has_own_rules {
            self.alerting.groups = vec![rules::host_rules()];
        }
        self
    }
}

/// Reads the sections; `directory` is where their relative paths begin.
pub(super) fn read(root: &mut Section<'_>, directory: &Path) -> Read {
    let mut read = Read::default();
    if let Some(list) = root.value("monitors") {
        let list = uptime::read_monitors(list);
        read.alerting.monitors = list.monitors;
        read.warnings.extend(list.warnings);
    }
    let rule_files = root.value("rule_files");
    let thresholds = root.value("thresholds").and_then(Value::section);
    read.has_own_rules = rule_files.is_some() || thresholds.is_some();
    if let Some(patterns) = rule_files {
        read_rule_files(patterns, directory, &mut read);
    }
    let inline = root.value("alerting");
    let file = root.value("alertmanager_config");
    if let (Some(_), Some(file)) = (&inline, &file) {
        file.refuse("the section alerting says the same; remove one of the two");
    }
    if let Some(mut section) = inline.and_then(Value::section) {
        read_alertmanager(&mut section, directory, &mut read.alerting);
        section.finish();
    } else if let Some(file) = file {
        read_alertmanager_file(file, directory, &mut read);
    }
    if let Some(section) = thresholds {
        let thresholds = Thresholds::read(section);
        let group = thresholds.group();
        let cooldown = cooldown(&thresholds, &group);
        read.alerting.routing.cooldowns.extend(cooldown);
        read.alerting.groups.push(group);
    }
    read
}

/// Reads a file in Alertmanager's format, for a look at it alone.
///
/// Errors: all its problems.
pub(crate) fn load_alertmanager(path: &Path) -> Result<Alerting, Vec<Problem>> {
    let mut alerting = Alerting::default();
    let problems = alertmanager_document(path, &mut alerting);
    if problems.is_empty() {
        Ok(alerting)
    } else {
        Err(problems)
    }
}

fn read_alertmanager_file(value: Value<'_>, directory: &Path, read: &mut Read) {
    if let Some(path) = value.file_path(directory) {
        let problems = alertmanager_document(&path, &mut read.alerting);
        read.problems.extend(problems);
    }
}

fn alertmanager_document(path: &Path, alerting: &mut Alerting) -> Vec<Problem> {
    let source = match source(path) {
        Ok(source) => source,
        Err(problem) => return vec![problem],
    };
    let syntax = Syntax::of_file(source.name());
    let document = match Document::parse(&source, syntax, &Options::default()) {
        Ok(document) => document,
        Err(problems) => return problems,
    };
    let mut section = document.section();
    let directory = path.parent().unwrap_or(Path::new(""));
    read_alertmanager(&mut section, directory, alerting);
    section.finish();
    document.into_problems()
}

/// Reads a section in Alertmanager's format, all but its unknown keys.
fn read_alertmanager(section: &mut Section<'_>, directory: &Path, alerting: &mut Alerting) {
    if let Some(routing) = alerts::config::read(section) {
        alerting.routing = routing;
    }
    alerting.receivers = Receivers::read(section, directory);
}

/// The time in which a threshold's alert is not told again.
fn cooldown(thresholds: &Thresholds, group: &GroupDefinition) -> Option<Cooldown> {
    let names: Vec<&str> = group.rules.iter().map(|rule| &*rule.name).collect();
    if thresholds.cooldown.is_zero() || names.is_empty() {
        return None;
    }
    let matcher = Matcher::new(MatchKind::Regex, ALERT_NAME, names.join("|"))
        .expect("invariant: the names of the house's own rules are plain words");
    Some(Cooldown {
        matchers: vec![matcher],
        duration: thresholds.cooldown,
    })
}

fn read_rule_files(patterns: Value<'_>, directory: &Path, read: &mut Read) {
    let mut paths: Vec<PathBuf> = Vec::new();
    for pattern in patterns.items().unwrap_or_default() {
        for path in matching_files(&pattern, directory, &mut read.warnings) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        if paths.len() > RULE_FILES_MAX {
            pattern.refuse(format!("these are more than {RULE_FILES_MAX} files"));
            return;
        }
    }
    for path in paths {
        let groups = source(&path)
            .map_err(|problem| vec![problem])
            .and_then(|source: Arc<Source>| rules::parse(&source));
        match groups {
            Ok(groups) => read.alerting.groups.extend(groups),
            Err(problems) => read.problems.extend(problems),
        }
    }
}

/// The files that a pattern names, sorted; one without a wildcard names itself, whether it is there or not.
fn matching_files(
    pattern: &Value<'_>,
    directory: &Path,
    warnings: &mut Vec<Problem>,
) -> Vec<PathBuf> {
    let Some(path) = pattern.clone().file_path(directory) else {
        return Vec::new();
    };
    let Some(text) = path.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return vec![path];
    };
    let found = match glob::glob(text) {
        Ok(found) => found,
        Err(error) => {
            pattern.refuse(format!("this is no pattern of file names: {error}"));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in found.take(RULE_FILES_MAX + 1) {
        match entry {
            Ok(path) if path.is_dir() => {}
            Ok(path) => paths.push(path),
            Err(error) => {
                pattern.refuse(format!(
                    "{} cannot be read: {}",
                    error.path().display(),
                    error.error()
                ));
            }
        }
    }
    if paths.is_empty() {
        warnings.push(pattern.problem("no file has such a name, so it adds no rules"));
    }
    paths
}
