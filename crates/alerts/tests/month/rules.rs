//! A hundred rules in ten groups, what they ask about, and [`Group`]s that must do what the model of each says.

mod definitions;
mod model;
mod signals;

use std::sync::Arc;

use ::model::{Alert, Labels, Timestamp};
use ::rules::{Environment, Group, GroupSnapshot, Rule};
use definitions::{change, group, read};
use model::{EXTERNAL_URL, GroupModel};
use promql::VectorSample;
use signals::Signals;

use crate::random::Random;

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
            let bits = |sample: &VectorSample| {
                let value = sample.value.float().expect("no signal is a histogram");
                (
                    sample.labels.clone(),
                    sample.timestamp.as_millis(),
                    value.to_bits(),
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
        if self.random.chance(100) {
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
                samples.extend(appended.iter().map(|sample| sample.labels.clone()));
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

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
