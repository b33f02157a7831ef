//! Who is told what: alerts go into a [`State`], notifications to receivers that do not always work, and all of it must
//! be what the model says.

mod model;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use ::model::{Alert, Labels, Timestamp};
use alerts::{Action, Event, GroupId, Notification, Outcome, Reason, State, Status};
use model::{Decision, Model};
use tree::{Key, cooldown};

use crate::random::Random;
use crate::{MINUTE, SECOND};

/// What is given out of alerts, on both sides: the machine and the model.
pub(crate) struct Told {
    random: Random,
    state: State,
    model: Model,
    /// What is written down: the state, the alerts that the model must know after a restart, and when.
    disk: (State, BTreeMap<Labels, Alert>, i64),
    /// The names of groups, each of which must stand for one group of the model.
    names: BTreeMap<GroupId, Key>,
    keys: BTreeMap<Key, GroupId>,
    last_id: u64,
    /// What happens to notifications that are being sent, by when.
    sending: BTreeMap<(i64, u64), (Notification, Step)>,
    serial: u64,
    heard: BTreeMap<Key, Heard>,
    /// The numbers that arrived, and in which process.
    arrived: BTreeMap<u64, u64>,
    processes: u64,
    /// Until when one of the receivers does not work at all.
    broken: (i64, i64),
    /// Whether something was decided or has arrived, of which nothing else is known yet.
    is_delicate: bool,
    pub(crate) totals: Totals,
}

/// What was done, for the summary.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) alerts: u64,
    pub(crate) notifications: u64,
    pub(crate) repeats: u64,
    pub(crate) failed: u64,
    pub(crate) given_up: u64,
    pub(crate) doubles: u64,
    pub(crate) hopeless: u64,
}

/// A step on the way of a notification.
#[derive(Clone, Copy, Debug)]
enum Step {
    Try { attempt: u32 },
    Report(Outcome),
}

/// What a receiver knows of a group.
#[derive(Default)]
struct Heard {
    /// When it heard last that an alert fires; the moment is that of the outcome, which cooldowns count from.
    firing: BTreeSet<Labels>,
    told_at: BTreeMap<Labels, i64>,
    last_at: Option<i64>,
}

impl Told {
    pub(crate) fn new(random: Random, now: i64, until: i64) -> Self {
        let state = State::new(tree::routing(), 1);
        let length = until - now;
        Self {
            random,
            disk: (state.clone(), BTreeMap::new(), now),
            state,
            model: Model::default(),
            names: BTreeMap::new(),
            keys: BTreeMap::new(),
            last_id: 0,
            sending: BTreeMap::new(),
            serial: 0,
            heard: BTreeMap::new(),
            arrived: BTreeMap::new(),
            processes: 0,
            broken: (now + length / 10, now + length * 35 / 100),
            is_delicate: false,
            totals: Totals::default(),
        }
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<i64> {
        let wake = self.state.next_wake().map(Timestamp::as_millis);
        let step = self.sending.keys().next().map(|(due, _)| *due);
        [wake, step].into_iter().flatten().min()
    }

    /// Does one thing that is due.
    pub(crate) fn act(&mut self, now: i64) {
        let wake = self.state.next_wake().map(Timestamp::as_millis);
        let step = self.sending.keys().next().copied();
        match step {
            Some((due, serial)) if wake.is_none_or(|wake| due < wake) => {
                let (notification, step) = self.sending.remove(&(due, serial)).unwrap();
                self.step(notification, step, now);
            }
            _ => self.apply(Event::Tick, now),
        }
    }

    /// An alert is raised, raised again, or over.
    pub(crate) fn take(&mut self, alert: Alert, now: i64) {
        self.totals.alerts += 1;
        self.model.take(alert.clone(), now);
        self.apply(Event::Alert(alert), now);
    }

    /// Hands an event that the model knows already to the machine, and compares what follows.
    fn apply(&mut self, event: Event, now: i64) {
        let before = self.state.revision();
        let actions = self.state.apply(event, at(now));
        let expected = self.model.decide(now);
        for (key, labels) in self.model.hopeless.drain(..) {
            // The receiver goes on believing that it fires, until it hears of it again.
            self.totals.hopeless += 1;
            if let Some(heard) = self.heard.get_mut(&key) {
                heard.firing.remove(&labels);
            }
        }
        let mut expected: BTreeMap<Key, Decision> = expected.into_iter().collect();
        let mut notifications = Vec::new();
        for action in actions {
            let Action::Notify(notification) = action else {
                panic!("{action:?}");
            };
            self.last_id += 1;
            assert_eq!(notification.id, self.last_id, "numbers have no gaps");
            let key = self.key(&notification, &expected);
            let decision = expected.remove(&key).unwrap();
            check_content(&notification, &key, &decision);
            self.model.number(&key, notification.id);
            self.totals.notifications += 1;
            self.totals.repeats += u64::from(notification.reason == Reason::Repeat);
            notifications.push(notification);
        }
        assert!(expected.is_empty(), "untold at {now}: {expected:?}");
        let wake = self
            .state
            .next_wake()
            .map_or(i64::MAX, Timestamp::as_millis);
        assert!(wake > now, "what is due is done");
        assert!(
            wake <= self.model.due(),
            "{wake} is after {}",
            self.model.due()
        );
        // First it is written down, then it is sent.
        if self.state.revision() != before {
            self.disk = (self.state.clone(), self.model.alerts.clone(), now);
        }
        for notification in notifications {
            self.is_delicate = true;
            self.send(notification, now);
        }
    }

    /// Whether this would be a bad moment to die; asked once.
    pub(crate) fn is_delicate(&mut self) -> bool {
        std::mem::take(&mut self.is_delicate)
    }

    /// The group of the model for which a notification stands: the same one each time.
    fn key(&mut self, notification: &Notification, expected: &BTreeMap<Key, Decision>) -> Key {
        if let Some(key) = self.names.get(&notification.group) {
            assert!(
                expected.contains_key(key),
                "not to be told: {notification:?}"
            );
            return key.clone();
        }
        let group = &notification.group;
        let is_it = |(key, decision): &(&Key, &Decision)| {
            let (receiver, integration, _, labels) = key;
            let told = decision.alerts.iter().map(|(alert, _)| &alert.labels);
            (*receiver, *integration) == (&*group.receiver, &*group.integration)
                && *labels == notification.group_labels
                && told.eq(notification.alerts.iter().map(|told| &told.alert.labels))
                && !self.keys.contains_key(key)
        };
        let found = expected.iter().find(is_it);
        let (key, _) =
            found.unwrap_or_else(|| panic!("not to be told: {notification:?} {expected:?}"));
        self.names.insert(group.clone(), key.clone());
        self.keys.insert(key.clone(), group.clone());
        key.clone()
    }

    fn send(&mut self, notification: Notification, now: i64) {
        let due = now + self.delay();
        self.plan(notification, Step::Try { attempt: 0 }, due);
    }

    /// Mostly an instant, seldom minutes.
    fn delay(&mut self) -> i64 {
        match self.random.within(0, 99) {
            0..90 => self.random.within(20, 800),
            90..98 => self.random.within(SECOND, 30 * SECOND),
            _ => self.random.long_tailed(30 * SECOND, 12 * MINUTE),
        }
    }

    fn plan(&mut self, notification: Notification, step: Step, due: i64) {
        self.serial += 1;
        self.sending
            .insert((due, self.serial), (notification, step));
    }

    fn step(&mut self, notification: Notification, step: Step, now: i64) {
        match step {
            Step::Try { attempt } => {
                let (from, until) = self.broken;
                let is_broken =
                    notification.group.receiver == "broken" && (from..until).contains(&now);
                // What has arrived in an earlier process arrives again.
                let was_there = self.arrived.contains_key(&notification.id);
                let fails = !was_there && (is_broken || self.random.chance(60));
                if !fails {
                    self.arrive(&notification);
                    self.is_delicate = true;
                    let due = now + self.random.within(1, 400);
                    self.plan(notification, Step::Report(Outcome::Delivered), due);
                } else if attempt >= 3 || is_broken || self.random.chance(200) {
                    self.plan(notification, Step::Report(Outcome::GaveUp), now + SECOND);
                } else {
                    self.totals.failed += 1;
                    self.report(&notification, Outcome::Failed, now);
                    let due = now + ((5 * SECOND) << attempt);
                    self.plan(
                        notification,
                        Step::Try {
                            attempt: attempt + 1,
                        },
                        due,
                    );
                }
            }
            Step::Report(outcome) => self.report(&notification, outcome, now),
        }
    }

    fn report(&mut self, notification: &Notification, outcome: Outcome, now: i64) {
        let key = self.names[&notification.group].clone();
        let is_delivered = outcome == Outcome::Delivered;
        if outcome != Outcome::Failed {
            self.model.outcome(&key, notification.id, is_delivered, now);
            self.totals.given_up += u64::from(!is_delivered);
        }
        if is_delivered {
            let heard = self.heard.get_mut(&key).unwrap();
            heard.last_at = Some(now);
            for told in &notification.alerts {
                if told.status == Status::Firing {
                    heard.told_at.insert(told.alert.labels.clone(), now);
                }
            }
        }
        let event = Event::Sent {
            group: notification.group.clone(),
            id: notification.id,
            outcome,
        };
        self.apply(event, now);
        // An outcome that is reported twice changes nothing.
        if outcome == Outcome::Delivered && self.random.chance(20) {
            let event = Event::Sent {
                group: notification.group.clone(),
                id: notification.id,
                outcome: Outcome::GaveUp,
            };
            self.apply(event, now);
        }
    }

    /// A receiver hears a notification, and checks what it may hear.
    fn arrive(&mut self, notification: &Notification) {
        let id = notification.id;
        if let Some(process) = self.arrived.insert(id, self.processes) {
            assert!(
                process < self.processes,
                "{id} is heard twice, and nothing has crashed"
            );
            self.totals.doubles += 1;
            return;
        }
        let key = self.names[&notification.group].clone();
        let heard = self.heard.entry(key).or_default();
        let decided_at = notification.decided_at.as_millis();
        let (mut news, mut ends, mut may_repeat) = (0, 0, false);
        for told in &notification.alerts {
            let labels = &told.alert.labels;
            let told_at = heard.told_at.get(labels);
            let is_cooled = told_at.is_none_or(|told_at| told_at + cooldown(labels) <= decided_at);
            match told.status {
                Status::Firing if heard.firing.insert(labels.clone()) => {
                    news += 1;
                    assert!(is_cooled, "{labels} is told in its cooldown");
                }
                Status::Firing => may_repeat |= is_cooled,
                Status::Resolved => {
                    ends += 1;
                    assert!(heard.firing.remove(labels), "{labels} was not told to fire");
                }
            }
        }
        // Who is not told of ends hears of an alert that has come back as of a new one.
        let is_silent = matches!(&*notification.group.integration, "email[0]")
            || notification.group.receiver == "audit";
        let is_right = match notification.reason {
            Reason::First | Reason::NewAlerts => news > 0 || is_silent,
            Reason::Resolved => news == 0 && ends > 0,
            Reason::Repeat => news == 0 && ends == 0 && may_repeat && heard.last_at.is_some(),
        };
        assert!(is_right, "{notification:?} tells {news} and {ends}");
        assert!(!is_silent || ends == 0, "{notification:?} is told of ends");
    }

    /// The process was suspended until now.
    pub(crate) fn frozen(&mut self, now: i64) {
        self.model.frozen(now);
    }

    /// The process starts again from what is written down; what was being sent is lost, unless it has arrived.
    pub(crate) fn start(&mut self, now: i64) {
        self.processes += 1;
        self.sending.clear();
        let (state, alerts, saved_at) = self.disk.clone();
        let snapshot = state.snapshot();
        self.state = State::restore(&snapshot, tree::routing(), at(now)).unwrap();
        self.model.restart(alerts, saved_at, now);
        let outstanding: Vec<Notification> = self.state.outstanding().cloned().collect();
        let mut expected = self.model.outstanding();
        for notification in &outstanding {
            let (key, decision) = expected.remove(&notification.id).unwrap();
            assert_eq!(self.names[&notification.group], key);
            check_content(notification, &key, &decision);
        }
        assert!(expected.is_empty(), "forgotten on its way: {expected:?}");
        self.disk = (self.state.clone(), self.model.alerts.clone(), now);
        for notification in outstanding {
            self.send(notification, now);
        }
        self.apply(Event::Tick, now);
        self.check_known();
    }

    /// The machine knows the alerts that are in some group, each with its latest words.
    pub(crate) fn check_known(&self) {
        let known: Vec<&Alert> = self.state.alerts().collect();
        assert_eq!(known, self.model.known());
    }

    /// In the end nothing fires, and everyone knows.
    pub(crate) fn check_end(&self) {
        self.check_known();
        assert_eq!(self.state.alerts().next(), None, "all is over");
        assert_eq!(self.state.outstanding().next(), None);
        for (key, heard) in &self.heard {
            let (receiver, integration, ..) = key;
            let is_silent = *integration == "email[0]" || *receiver == "audit";
            assert!(
                is_silent || heard.firing.is_empty(),
                "{key:?} believes {:?}",
                heard.firing
            );
        }
    }
}

fn check_content(notification: &Notification, key: &Key, decision: &Decision) {
    let status = |fires| {
        if fires {
            Status::Firing
        } else {
            Status::Resolved
        }
    };
    assert_eq!(notification.decided_at, at(decision.at), "{key:?}");
    assert_eq!(notification.reason, decision.reason, "{key:?}");
    assert_eq!(notification.group_labels, key.3, "{key:?}");
    let told = notification
        .alerts
        .iter()
        .map(|told| (&told.alert, told.status));
    let expected = decision
        .alerts
        .iter()
        .map(|(alert, fires)| (alert, status(*fires)));
    assert!(told.eq(expected), "{key:?} {notification:?} {decision:?}");
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
