//! What must be told, from the list of what was decided in each group and what became of it.
//!
//! Whether a receiver knows of an alert, which alerts are in their cooldown and when a group is due is not remembered,
//! but found by reading the decisions back from the last one. All times are milliseconds.

use std::collections::BTreeMap;

use alerts::Reason;
use model::{Alert, Labels, Timestamp};

use super::tree::{Aim, Key, aims, cooldown};
use crate::{DAY, SECOND};

/// Late by more than the machine is.
const SLACK: i64 = 10 * SECOND;
const HOPELESS: i64 = 5 * DAY;

/// All alerts and groups.
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) alerts: BTreeMap<Labels, Alert>,
    pub(crate) groups: BTreeMap<Key, Group>,
    /// Ends that could not be told for days, and will not be.
    pub(crate) hopeless: Vec<(Key, Labels)>,
    /// When the process began, or went on.
    disturbed_at: i64,
}

/// One group of one integration.
#[derive(Clone)]
pub(crate) struct Group {
    aim: Aim,
    /// Since when it has had alerts without a break, and which decision was the first since.
    opened_at: i64,
    first: usize,
    stays: BTreeMap<Labels, Stay>,
    decisions: Vec<Decision>,
    not_before: i64,
    /// When it is due, as far as is known.
    due: i64,
}

/// That an alert is in a group.
#[derive(Clone)]
struct Stay {
    since: i64,
    /// The first decision since.
    first: usize,
}

/// A notification.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) at: i64,
    pub(crate) reason: Reason,
    /// With whether they fired, in the order in which they must be shown.
    pub(crate) alerts: Vec<(Alert, bool)>,
    /// When it arrived, or was given up.
    outcome: Option<(i64, bool)>,
    pub(crate) id: u64,
}

impl Model {
    /// An alert is raised, raised again, or over.
    pub(crate) fn take(&mut self, mut alert: Alert, now: i64) {
        let labels = alert.labels.clone();
        let known = self.alerts.get(&labels);
        let fired = known.is_some_and(|known| fires(known, now));
        let (is_over, began) = (!fires(&alert, now), known.map(|known| known.starts_at));
        if is_over && !fired {
            self.leave_untold(&labels, now);
            return;
        }
        if let Some(began) = began.filter(|_| fired) {
            alert.starts_at = alert.starts_at.min(began);
        }
        self.alerts.insert(labels.clone(), alert);
        if is_over {
            self.leave_untold(&labels, now);
        }
        for aim in aims(&labels) {
            let group = self
                .groups
                .entry(aim.key.clone())
                .or_insert_with(|| Group::new(aim));
            if !fired {
                group.enter(&labels, now);
            }
            group.look(&self.alerts, now);
        }
    }

    /// It ended by word: who has not heard of it need not.
    fn leave_untold(&mut self, labels: &Labels, now: i64) {
        for aim in aims(labels) {
            let Some(group) = self.groups.get_mut(&aim.key) else {
                continue;
            };
            let is_on_its_way = group
                .on_its_way()
                .is_some_and(|decision| decision.about(labels).is_some());
            if !is_on_its_way && group.stays.contains_key(labels) && !group.is_told(labels) {
                let ended = self.alerts[labels].ends_at.as_millis();
                group.check_untold(labels, ended.min(now), self.disturbed_at);
                group.stays.remove(labels);
                group.look(&self.alerts, now);
            }
        }
    }

    /// When something must be told at the latest.
    pub(crate) fn due(&self) -> i64 {
        self.groups
            .values()
            .map(|group| group.due)
            .min()
            .unwrap_or(i64::MAX)
    }

    /// What must be told now.
    pub(crate) fn decide(&mut self, now: i64) -> Vec<(Key, Decision)> {
        let mut decided = Vec::new();
        for (key, group) in &mut self.groups {
            if group.due > now {
                continue;
            }
            group.look(&self.alerts, now);
            if group.due > now {
                continue;
            }
            let hopeless = group.let_go(&self.alerts, now, self.disturbed_at);
            let hopeless = hopeless.into_iter().map(|labels| (key.clone(), labels));
            self.hopeless.extend(hopeless);
            if let Some(decision) = group.decide(&self.alerts, now) {
                group.check_in_time(&decision, self.disturbed_at);
                group.decisions.push(decision.clone());
                decided.push((key.clone(), decision));
            }
            group.look(&self.alerts, now);
        }
        decided
    }

    /// What became of the notification of a group that is on its way.
    pub(crate) fn outcome(&mut self, key: &Key, id: u64, is_delivered: bool, now: i64) {
        let group = self.groups.get_mut(key).unwrap();
        let decision = group.decisions.last_mut().unwrap();
        assert_eq!((decision.id, decision.outcome), (id, None), "{key:?}");
        decision.outcome = Some((now, is_delivered));
        if is_delivered {
            let decision = decision.clone();
            for (alert, fired) in &decision.alerts {
                // It ended, that was told, and it has not come back meanwhile.
                if !fired && !fires(&self.alerts[&alert.labels], now) {
                    group.stays.remove(&alert.labels);
                }
            }
        }
        group.look(&self.alerts, now);
    }

    /// The number that was given to a decision.
    pub(crate) fn number(&mut self, key: &Key, id: u64) {
        self.groups
            .get_mut(key)
            .unwrap()
            .decisions
            .last_mut()
            .unwrap()
            .id = id;
    }

    /// What is on its way, by number.
    pub(crate) fn outstanding(&self) -> BTreeMap<u64, (Key, Decision)> {
        let groups = self.groups.iter();
        let outstanding =
            groups.filter_map(|(key, group)| Some((key.clone(), group.on_its_way()?.clone())));
        outstanding
            .map(|(key, decision)| (decision.id, (key, decision)))
            .collect()
    }

    /// The alerts that must be known.
    pub(crate) fn known(&self) -> Vec<&Alert> {
        let is_known = |alert: &&Alert| {
            self.groups
                .values()
                .any(|group| group.stays.contains_key(&alert.labels))
        };
        self.alerts.values().filter(is_known).collect()
    }

    /// The process was suspended until now.
    pub(crate) fn frozen(&mut self, now: i64) {
        self.disturbed_at = now;
    }

    /// The process starts again, with alerts as they were written down at a moment.
    pub(crate) fn restart(&mut self, alerts: BTreeMap<Labels, Alert>, saved_at: i64, now: i64) {
        self.disturbed_at = now;
        self.alerts = alerts;
        let away = now - saved_at;
        for alert in self.alerts.values_mut() {
            // Nobody could raise it again meanwhile.
            if fires(alert, saved_at) {
                let ends_at = alert.ends_at.as_millis().saturating_add(away);
                alert.ends_at = Timestamp::from_millis(ends_at);
            }
        }
        for group in self.groups.values_mut() {
            let wait = group.aim.timing[0];
            let is_held = group.not_before > saved_at && away <= 2 * wait;
            if !is_held {
                group.not_before = now + away.min(wait);
            }
            group.look(&self.alerts, now);
        }
    }
}

impl Group {
    fn new(aim: Aim) -> Self {
        Self {
            aim,
            opened_at: 0,
            first: 0,
            stays: BTreeMap::new(),
            decisions: Vec::new(),
            not_before: i64::MIN,
            due: i64::MAX,
        }
    }

    fn enter(&mut self, labels: &Labels, now: i64) {
        if self.stays.is_empty() {
            // What was told long ago says nothing any more, not even about cooldowns.
            self.decisions.retain(|decision| decision.at > now - DAY);
            self.opened_at = now;
            self.first = self.decisions.len();
        }
        let stay = Stay {
            since: now,
            first: self.decisions.len(),
        };
        self.stays.entry(labels.clone()).or_insert(stay);
    }

    fn on_its_way(&self) -> Option<&Decision> {
        self.decisions
            .last()
            .filter(|decision| decision.outcome.is_none())
    }

    /// The decisions since the group had its first alert.
    fn recent(&self) -> &[Decision] {
        &self.decisions[self.first..]
    }

    /// The last word about an alert that arrived since it came: when, and whether it fired.
    fn word(&self, labels: &Labels) -> Option<(i64, bool)> {
        let since = &self.decisions[self.stays[labels].first..];
        since
            .iter()
            .rev()
            .find_map(|decision| Some((decision.arrived()?, decision.about(labels)?)))
    }

    fn is_told(&self, labels: &Labels) -> bool {
        self.word(labels).is_some_and(|(_, fired)| fired)
    }

    /// Since when an alert waits to be told: since it came, or since its end arrived although it had come back.
    fn since(&self, labels: &Labels) -> i64 {
        self.word(labels)
            .map_or(self.stays[labels].since, |(arrived, _)| arrived)
    }

    /// Until when an alert must not be told again.
    fn cooled(&self, labels: &Labels) -> i64 {
        let cooldown = cooldown(labels);
        if cooldown == 0 {
            return i64::MIN;
        }
        let told = self.decisions.iter().rev().find_map(|decision| {
            let fired = decision.about(labels)?;
            decision.arrived().filter(|_| fired)
        });
        told.map_or(i64::MIN, |told| told + cooldown)
    }

    fn delivered(&self) -> Option<i64> {
        self.recent().iter().rev().find_map(Decision::arrived)
    }

    fn gave_up(&self) -> bool {
        let outcome = self
            .recent()
            .iter()
            .rev()
            .find_map(|decision| decision.outcome);
        outcome.is_some_and(|(_, is_delivered)| !is_delivered)
    }

    /// The first moment, not before another one, at which changes are told.
    fn point(&self, moment: i64) -> i64 {
        let [wait, interval, _] = self.aim.timing;
        let Some(last) = self.recent().last() else {
            return moment.max(self.opened_at + wait);
        };
        let mut point = last.at + interval;
        if moment > point {
            point += (moment - point) / interval * interval;
        }
        while point < moment {
            point += interval;
        }
        point
    }

    /// When what still fires is to be told again.
    fn repetition(&self, alerts: &BTreeMap<Labels, Alert>, now: i64) -> Option<i64> {
        let [wait, interval, repeat] = self.aim.timing;
        let told = self
            .stays
            .keys()
            .filter(|labels| self.is_told(labels) && fires(&alerts[*labels], now));
        let cooled = told.map(|labels| self.cooled(labels)).min()?;
        let usual = self
            .delivered()
            .map_or(self.opened_at + wait, |delivered| delivered + repeat);
        let patience = match self.recent().last() {
            Some(last) if self.gave_up() => last.at + interval,
            _ => i64::MIN,
        };
        Some(usual.max(cooled).max(patience))
    }

    /// Finds out when the group is due.
    fn look(&mut self, alerts: &BTreeMap<Labels, Alert>, now: i64) {
        self.due = i64::MAX;
        if self.on_its_way().is_some() {
            return;
        }
        for labels in self.stays.keys() {
            let ends_at = alerts[labels].ends_at.as_millis();
            let moment = if self.is_told(labels) {
                ends_at
            } else {
                // If it ends in its cooldown, it goes without a word.
                self.since(labels).max(self.cooled(labels).min(ends_at))
            };
            if moment < Timestamp::MAX.as_millis() {
                self.due = self.due.min(self.point(moment));
            }
        }
        if let Some(repetition) = self.repetition(alerts, now) {
            self.due = self.due.min(repetition);
        }
        self.due = self.due.max(self.not_before);
    }

    /// Alerts of which nothing is to be told any more leave; gives those whose end should have been told.
    fn let_go(
        &mut self,
        alerts: &BTreeMap<Labels, Alert>,
        now: i64,
        disturbed_at: i64,
    ) -> Vec<Labels> {
        let gave_up = self.gave_up();
        let mut hopeless = Vec::new();
        for labels in self.stays.keys().cloned().collect::<Vec<_>>() {
            let alert = &alerts[&labels];
            if fires(alert, now) {
                continue;
            }
            let ended = alert.ends_at.as_millis();
            let is_told = self.is_told(&labels);
            if !is_told {
                self.check_untold(&labels, ended, disturbed_at);
            }
            if !is_told || !self.aim.sends_resolved || gave_up && now - ended > HOPELESS {
                self.stays.remove(&labels);
                if is_told && self.aim.sends_resolved {
                    hopeless.push(labels);
                }
            }
        }
        hopeless
    }

    fn decide(&self, alerts: &BTreeMap<Labels, Alert>, now: i64) -> Option<Decision> {
        let (firing, ended): (Vec<&Labels>, Vec<&Labels>) = self
            .stays
            .keys()
            .partition(|labels| fires(&alerts[*labels], now));
        let is_shown = |labels: &&&Labels| self.is_told(labels) || self.cooled(labels) <= now;
        let firing: Vec<&Labels> = firing.iter().filter(is_shown).copied().collect();
        let is_news = firing.iter().any(|labels| !self.is_told(labels));
        let is_repeated = self.repetition(alerts, now).is_some_and(|due| due <= now);
        let reason = match (is_news, self.delivered().is_some(), ended.is_empty()) {
            (true, false, _) => Reason::First,
            (true, true, _) => Reason::NewAlerts,
            (false, _, false) => Reason::Resolved,
            _ if is_repeated => Reason::Repeat,
            _ => return None,
        };
        let shown = firing
            .into_iter()
            .map(|labels| (alerts[labels].clone(), true));
        let shown = shown.chain(
            ended
                .into_iter()
                .map(|labels| (alerts[labels].clone(), false)),
        );
        Some(Decision {
            at: now,
            reason,
            alerts: shown.collect(),
            outcome: None,
            id: 0,
        })
    }

    /// Since when nothing has held the group up.
    fn calm_since(&self, disturbed_at: i64) -> i64 {
        let outcome = match self.decisions.last() {
            None => i64::MIN,
            // What is on its way holds the group up still.
            Some(last) => last.outcome.map_or(i64::MAX, |(at, _)| at),
        };
        disturbed_at.max(outcome).max(self.not_before)
    }

    /// An alert that nobody hears of was there for a short time only.
    fn check_untold(&self, labels: &Labels, ended: i64, disturbed_at: i64) {
        let [wait, interval, _] = self.aim.timing;
        let since = self
            .since(labels)
            .max(self.cooled(labels))
            .max(self.calm_since(disturbed_at));
        let fired = ended.saturating_sub(since);
        assert!(
            fired <= wait + interval + SLACK,
            "{labels} fired for {fired} ms in {:?}, untold",
            self.aim
        );
    }

    /// What is news is told soon after it is.
    fn check_in_time(&self, decision: &Decision, disturbed_at: i64) {
        let [wait, interval, _] = self.aim.timing;
        for (alert, fired) in &decision.alerts {
            let labels = &alert.labels;
            let since = match (fired, self.is_told(labels)) {
                (true, true) => continue,
                (true, false) => self.since(labels).max(self.cooled(labels)),
                (false, _) => alert.ends_at.as_millis(),
            };
            let waited = decision.at - since.max(self.calm_since(disturbed_at));
            assert!(
                waited <= wait + interval + SLACK,
                "{labels} waited {waited} ms in {:?}",
                self.aim
            );
        }
    }
}

impl Decision {
    fn arrived(&self) -> Option<i64> {
        self.outcome
            .filter(|(_, is_delivered)| *is_delivered)
            .map(|(at, _)| at)
    }

    /// What it says about an alert, if it does.
    fn about(&self, labels: &Labels) -> Option<bool> {
        let mut alerts = self.alerts.iter();
        alerts
            .find(|(alert, _)| alert.labels == *labels)
            .map(|(_, fired)| *fired)
    }
}

fn fires(alert: &Alert, now: i64) -> bool {
    alert.ends_at.as_millis() > now
}
