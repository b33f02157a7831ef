//! A hundred rules in ten groups, what they ask about, and [`Group`]s that must do what the model of each says.

mod model;
mod signals;

use std::fmt::Write as _;
use std::sync::Arc;

use ::model::{Alert, Labels, Timestamp};
use ::rules::{Environment, Group, GroupDefinition, GroupSnapshot, Rule};
use model::{EXTERNAL_URL, GroupModel, GroupSetting, Kind, RuleSetting};
use signals::Signals;

use crate::random::Random;
use crate::{MINUTE, SECOND};

const GROUPS: usize = 10;
const RULES: usize = 10;

/// The groups of an installation, on both sides: the machine and the model.
pub(crate) struct Rules {
    random: Random,
    signals: Arc<Signals>,
    environment: Environment,
    groups: Vec<Place>,
    pub(crate) totals: Totals,
}

/// A group that may be removed and come back.
struct Place {
    next: i64,
    group: Option<Group>,
    model: GroupModel,
    /// What is written down, and what the model must know if it is read again.
    disk: Option<(String, GroupModel)>,
}

/// What was done, for the summary.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) evaluations: u64,
    pub(crate) failures: u64,
    pub(crate) samples: u64,
    pub(crate) given_out: u64,
    pub(crate) ended: u64,
}

impl Rules {
    /// The series end before `until`, so that all alerts do.
    pub(crate) fn new(mut random: Random, now: i64, until: i64) -> Self {
        let signals = Arc::new(Signals::new(GROUPS * RULES, now, until, &mut random));
        let asked = Arc::clone(&signals);
        let mut environment = Environment::new(Arc::new(move |expr, at| asked.answer(expr, at)));
        EXTERNAL_URL.clone_into(&mut environment.external_url);
        let place = |index| {
            let setting = group(index, &mut random);
            Place {
                next: now + random.within(0, setting.interval),
                group: Some(Group::new(read(&setting))),
                model: GroupModel::new(setting),
                disk: None,
            }
        };
        let groups = (0..GROUPS).map(place).collect();
        Self {
            random,
            signals,
            environment,
            groups,
            totals: Totals::default(),
        }
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<i64> {
        self.groups.iter().map(|place| place.next).min()
    }

    /// Evaluates the group that is due first; gives the alerts that are to be told.
    pub(crate) fn act(&mut self, now: i64) -> Vec<Alert> {
        let due = (0..GROUPS)
            .min_by_key(|index| self.groups[*index].next)
            .unwrap();
        let place = &mut self.groups[due];
        let interval = place.model.setting.interval;
        while place.next <= now {
            place.next += interval;
        }
        let Some(group) = &mut place.group else {
            return Vec::new();
        };
        let mut samples = Vec::new();
        let mut evaluation = group.evaluate(at(now), &self.environment, &mut |appended| {
            let bits = |(labels, sample): &(Labels, ::model::Sample)| {
                (
                    labels.clone(),
                    sample.timestamp.as_millis(),
                    sample.value.to_bits(),
                )
            };
            samples.extend(appended.iter().map(bits));
        });
        let mut expected = place.model.evaluate(now, &self.signals);
        let errors = evaluation.errors.into_iter();
        let errors: Vec<_> = errors.map(|error| (error.rule, error.message)).collect();
        let name = group.name();
        assert_eq!(errors, expected.errors, "{name} at {now}");
        samples.sort();
        expected.samples.sort();
        assert_eq!(samples, expected.samples, "{name} at {now}");
        // Those of rules that are no more come last, in no order.
        let ended = evaluation
            .alerts
            .split_off(expected.alerts.len().min(evaluation.alerts.len()));
        assert_eq!(evaluation.alerts, expected.alerts, "{name} at {now}");
        let by_labels = |mut alerts: Vec<Alert>| {
            alerts.sort_by(|left, right| left.labels.cmp(&right.labels));
            alerts
        };
        let (ended, expected_ended) = (by_labels(ended), by_labels(expected.ended));
        assert_eq!(ended, expected_ended, "{name} at {now}");
        check_active(group, &place.model);

        self.totals.evaluations += group.rules().len() as u64;
        self.totals.failures += errors.len() as u64;
        self.totals.samples += samples.len() as u64;
        self.totals.given_out += evaluation.alerts.len() as u64;
        self.totals.ended += ended.len() as u64;
        // Whether the process dies before this is written down, nobody knows.
        if self.random.chance(200) {
            self.save(due);
        }
        evaluation.alerts.extend(ended);
        evaluation.alerts
    }

    fn save(&mut self, index: usize) {
        let place = &mut self.groups[index];
        place.disk = place.group.as_ref().map(|group| {
            let snapshot = serde_json::to_string(&group.snapshot()).unwrap();
            (snapshot, place.model.clone())
        });
    }

    /// Some rules go, some come, some are changed; now and then a whole group goes or comes.
    pub(crate) fn reconfigure(&mut self, now: i64) -> Vec<Alert> {
        let index = self.random.within(0, GROUPS as i64 - 1) as usize;
        let is_removed = self.random.chance(200);
        let place = &mut self.groups[index];
        let mut setting = place.model.setting.clone();
        change(&mut setting, index, &mut self.random);
        let Some(group) = place.group.take() else {
            place.group = Some(Group::new(read(&setting)));
            place.model = GroupModel::new(setting);
            place.disk = None;
            return Vec::new();
        };
        if is_removed {
            setting.rules.clear();
            place.model.reconfigure(setting.clone());
            let expected = place.model.evaluate(now, &self.signals);
            let mut samples = Vec::new();
            let mut ended = group.end(at(now), &self.environment, &mut |appended| {
                samples.extend(appended.iter().map(|(labels, _)| labels.clone()));
            });
            samples.sort();
            let mut stale: Vec<Labels> = expected
                .samples
                .into_iter()
                .map(|(labels, ..)| labels)
                .collect();
            stale.sort();
            assert_eq!(samples, stale);
            let mut expected = expected.ended;
            ended.sort_by(|left, right| left.labels.cmp(&right.labels));
            expected.sort_by(|left, right| left.labels.cmp(&right.labels));
            assert_eq!(ended, expected);
            place.disk = None;
            return ended;
        }
        let mut new = Group::new(read(&setting));
        new.adopt(group);
        place.model.reconfigure(setting);
        check_active(&new, &place.model);
        place.group = Some(new);
        // Also now somebody may write it down.
        if self.random.chance(500) {
            self.save(index);
        }
        Vec::new()
    }

    /// The process is asked to stop, and writes everything down.
    pub(crate) fn stop(&mut self) {
        for index in 0..GROUPS {
            self.save(index);
        }
    }

    /// The process starts again, from what is written down, perhaps with other rules.
    pub(crate) fn start(&mut self, is_changed: bool, now: i64) {
        for (index, place) in self.groups.iter_mut().enumerate() {
            if place.group.is_none() {
                continue;
            }
            let mut setting = place.model.setting.clone();
            if is_changed && self.random.chance(300) {
                change(&mut setting, index, &mut self.random);
            }
            let mut group = Group::new(read(&setting));
            place.model = match &place.disk {
                None => GroupModel::new(setting),
                Some((snapshot, model)) => {
                    let snapshot: GroupSnapshot = serde_json::from_str(snapshot).unwrap();
                    group.restore(snapshot, at(now), &self.environment);
                    let mut model = model.clone();
                    model.reconfigure(setting);
                    model.restart(now);
                    model
                }
            };
            check_active(&group, &place.model);
            place.group = Some(group);
            place.next = now + self.random.within(0, place.model.setting.interval);
        }
    }
}

/// Every alert is where the model has it.
fn check_active(group: &Group, model: &GroupModel) {
    for (index, rule) in group.rules().iter().enumerate() {
        let name = &rule.definition().name;
        let expected = model.active(index);
        let alerts: Vec<_> = Rule::active_alerts(rule).collect();
        assert_eq!(alerts.len(), expected.len(), "{name}");
        for (alert, (labels, verdict)) in alerts.into_iter().zip(expected) {
            assert_eq!((&alert.labels, alert.state), (labels, verdict.state));
            assert_eq!(alert.active_at, at(verdict.active_at), "{labels}");
            assert_eq!(alert.fired_at, verdict.fired_at.map(at), "{labels}");
            assert_eq!(alert.resolved_at, verdict.resolved_at.map(at), "{labels}");
            assert_eq!(
                alert.keep_firing_since,
                verdict.kept_since.map(at),
                "{labels}"
            );
            assert_eq!(alert.value.to_bits(), verdict.value.to_bits(), "{labels}");
        }
    }
}

fn group(index: usize, random: &mut Random) -> GroupSetting {
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

fn change(setting: &mut GroupSetting, index: usize, random: &mut Random) {
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
fn read(setting: &GroupSetting) -> GroupDefinition {
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

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
