//! Two hundred monitors, what they check, and a [`Watch`] that must do what the model of each says.

mod model;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::model::{Alert, Labels, Timestamp};
use model::{Change, Life, Plan, Setting, Trouble};
use uptime::{Action, Availability, Event, Memory, Outcome, Run, State, Transition, Watch};

use crate::random::Random;
use crate::{HOUR, MINUTE, SECOND};
use world::{Target, read, setting};

const COUNT: usize = 200;

/// The monitors of an installation, on both sides: the machine and the model.
pub(crate) struct Monitors {
    random: Random,
    watch: Watch,
    settings: Vec<Setting>,
    targets: BTreeMap<String, Target>,
    /// While it lasts, our own name server does not answer.
    blind_until: i64,
    lives: BTreeMap<Arc<str>, Life>,
    /// Removed, but what follows from it was not told yet.
    going: BTreeMap<Arc<str>, Life>,
    disk: BTreeMap<Arc<str>, Saved>,
    /// Checks by when they end.
    running: BTreeMap<(i64, u64), (Run, u8)>,
    serial: u64,
    /// What came out of the watch for the monitors of today.
    seen: BTreeMap<Arc<str>, Vec<Transition>>,
    /// Skipped in this process by monitors that are no more, or had another interval.
    skipped_before: u64,
    pub(crate) totals: Totals,
}

/// What was done, for the summary.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) checks: u64,
    pub(crate) transitions: u64,
    pub(crate) raised: u64,
    pub(crate) skipped: u64,
    pub(crate) windows: u64,
}

/// What is written down of a monitor.
struct Saved {
    memory: String,
    results: usize,
    slot: Option<i64>,
}

impl Monitors {
    pub(crate) fn new(mut random: Random, now: i64) -> Self {
        let settings: Vec<Setting> = (0..COUNT)
            .map(|index| setting(index, &mut random))
            .collect();
        let mut monitors = Self {
            random,
            watch: Watch::default(),
            settings: Vec::new(),
            targets: BTreeMap::new(),
            blind_until: now,
            lives: BTreeMap::new(),
            going: BTreeMap::new(),
            disk: BTreeMap::new(),
            running: BTreeMap::new(),
            serial: 0,
            seen: BTreeMap::new(),
            skipped_before: 0,
            totals: Totals::default(),
        };
        let raised = monitors.configure(settings, now);
        assert_eq!(raised, []);
        monitors
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<i64> {
        let due = self.watch.next_due().map(Timestamp::as_millis);
        let end = self.running.keys().next().map(|(end, _)| *end);
        [due, end].into_iter().flatten().min()
    }

    /// Does one thing that is due; gives the alerts that are to be told.
    pub(crate) fn act(&mut self, now: i64) -> Vec<Alert> {
        let due = self.watch.next_due().map(Timestamp::as_millis);
        let end = self.running.keys().next().copied();
        let alerts = match end {
            Some((end, serial)) if due.is_none_or(|due| end < due) => {
                let (run, mark) = self.running.remove(&(end, serial)).unwrap();
                self.finish(&run, mark, now)
            }
            _ => {
                self.tick(now);
                Vec::new()
            }
        };
        let expected = self.lives.values().filter_map(Life::due).min();
        let due = self.watch.next_due().map(Timestamp::as_millis);
        assert_eq!(due, expected, "the next check of all");
        if self.totals.checks.is_multiple_of(64) {
            self.check_skipped();
        }
        alerts
    }

    fn tick(&mut self, now: i64) {
        let mut runs = Vec::new();
        for action in self.watch.apply(Event::Tick, at(now)) {
            let Action::RunCheck(run) = action else {
                panic!("a tick only runs checks: {action:?}");
            };
            runs.push(run);
        }
        let mut expected = BTreeMap::new();
        for (name, life) in &mut self.lives {
            if let Some(run) = life.tick(now) {
                expected.insert(Arc::clone(name), run);
            }
        }
        assert_eq!(runs.len(), expected.len(), "{runs:?} {expected:?}");
        for run in runs {
            let (slot, attempt, due) = expected[&run.monitor];
            let predicted = (at(slot), attempt, at(due));
            assert_eq!((run.slot, run.attempt, run.due), predicted, "{run:?}");
            let is_running = |(other, _): &(Run, u8)| other.monitor == run.monitor;
            assert!(
                !self.running.values().any(is_running),
                "{run:?} twice at once"
            );
            self.totals.checks += 1;
            self.start_check(run, now);
        }
    }

    fn start_check(&mut self, run: Run, now: i64) {
        let name = &*run.monitor;
        if now >= self.blind_until && self.random.chance(1) && self.random.chance(30) {
            self.blind_until = now + self.random.long_tailed(20 * SECOND, 20 * MINUTE);
        }
        let is_blind = now < self.blind_until;
        let target = self.targets.get_mut(name).unwrap();
        let mark = if is_blind { b'?' } else { target.look(now) };
        let interval = self.lives[name].setting.interval;
        let random = &mut self.random;
        let length = match random.within(0, 999) {
            0..950 => random.within(5, 2 * SECOND),
            950..996 => random.within(2 * SECOND, interval),
            // The timeout did not work, or the machine is overloaded.
            _ => random.within(interval, (3 * interval).min(interval + 10 * MINUTE)),
        };
        self.serial += 1;
        self.running
            .insert((now + length, self.serial), (run, mark));
    }

    fn finish(&mut self, run: &Run, mark: u8, now: i64) -> Vec<Alert> {
        let outcome = match mark {
            b'+' => Outcome::Success,
            b'-' => Outcome::Failure(format!("the status is {}", 500 + now % 10)),
            _ => Outcome::OwnTrouble("no DNS server answers".to_owned()),
        };
        let event = Event::Finished {
            monitor: Arc::clone(&run.monitor),
            slot: run.slot,
            attempt: run.attempt,
            outcome,
        };
        let slot = run.slot.as_millis();
        let plan = Plan::Runs {
            slot,
            attempt: run.attempt,
        };
        let actions = self.watch.apply(event, at(now));
        let Some(life) = self
            .lives
            .get_mut(&run.monitor)
            .filter(|life| life.plan == plan)
        else {
            assert_eq!(actions, [], "nobody waits for {run:?}");
            return Vec::new();
        };
        let number = life.changes.len() as u64 + 1;
        let expected = life.finish(mark, now);
        let trouble = life.troubles.last().cloned();
        let cause = model::cause(life.results[life.results.len() - 1]);
        let mut wanted: Vec<Action> = Vec::new();
        if let Some(change) = &expected.change {
            wanted.push(Action::Transition(transition(
                &run.monitor,
                number,
                change,
                cause,
            )));
        }
        if let Some(trouble) = trouble {
            let alert = alert(&run.monitor, &trouble);
            if expected.raised {
                wanted.push(Action::Raise(alert.clone()));
            }
            if expected.resolved {
                wanted.push(Action::Resolve(alert));
            }
        }
        assert_eq!(
            actions,
            wanted,
            "after {run:?} ended with {}",
            char::from(mark)
        );
        self.check_memory(&run.monitor);

        let is_change = expected.change.is_some();
        let mut alerts = Vec::new();
        for action in actions {
            match action {
                Action::Transition(transition) => {
                    self.totals.transitions += 1;
                    let seen = self.seen.entry(Arc::clone(&run.monitor)).or_default();
                    seen.push(transition);
                }
                Action::Raise(alert) => {
                    assert_eq!(mark, b'-', "only a failure raises");
                    self.totals.raised += 1;
                    alerts.push(alert);
                }
                Action::Resolve(alert) => alerts.push(alert),
                Action::RunCheck(run) => panic!("{run:?}"),
            }
        }
        // A change is always written down before it is told, the rest now and then.
        if is_change || self.random.chance(250) {
            self.save(&run.monitor);
        }
        alerts
    }

    fn check_memory(&self, name: &Arc<str>) {
        let (_, memory) = self.watch.get(name).unwrap();
        let life = &self.lives[name];
        assert_eq!(memory.state, model::state_after(&life.results), "{name}");
        assert_eq!(memory.number, life.changes.len() as u64, "{name}");
        assert_eq!(memory.slot, life.slot.map(at), "{name}");
        let outage = memory.outage.as_ref();
        let outage = outage.map(|outage| (outage.started_at, outage.ended_at));
        let trouble = life.troubles.last();
        let trouble = trouble.map(|trouble| (at(trouble.started), trouble.ended.map(at)));
        assert_eq!(outage, trouble, "{name}");
    }

    fn check_skipped(&self) {
        let now: u64 = self.lives.values().map(Life::skipped).sum();
        assert_eq!(
            self.watch.skipped(),
            self.skipped_before + now,
            "skipped slots"
        );
    }

    fn save(&mut self, name: &Arc<str>) {
        let (_, memory) = self.watch.get(name).unwrap();
        let life = &self.lives[name];
        let saved = Saved {
            memory: serde_json::to_string(memory).unwrap(),
            results: life.results.len(),
            slot: life.slot,
        };
        self.disk.insert(Arc::clone(name), saved);
    }

    fn save_all(&mut self) {
        for name in self.lives.keys().cloned().collect::<Vec<_>>() {
            self.save(&name);
        }
    }

    /// What was given out is told, so what is gone may be forgotten.
    pub(crate) fn told(&mut self) {
        for name in std::mem::take(&mut self.going).into_keys() {
            if !self.lives.contains_key(&name) {
                self.disk.remove(&name);
            }
        }
    }

    /// Some monitors go, some come, some are set up anew.
    pub(crate) fn reconfigure(&mut self, now: i64) -> Vec<Alert> {
        let settings = self.other_settings();
        self.configure(settings, now)
    }

    fn other_settings(&mut self) -> Vec<Setting> {
        let mut settings = self.settings.clone();
        let random = &mut self.random;
        for _ in 0..random.within(1, 10) {
            let place = (random.next() % settings.len() as u64) as usize;
            match random.within(0, 3) {
                0 => {
                    settings.remove(place);
                }
                1 => {
                    let index = random.within(0, COUNT as i64 + 20) as usize;
                    let new = setting(index, random);
                    if settings.iter().all(|known| known.name != new.name) {
                        settings.push(new);
                    }
                }
                _ => {
                    let name = settings[place].name.clone();
                    let other = setting(place, random);
                    settings[place] = Setting { name, ..other };
                }
            }
        }
        settings
    }

    fn configure(&mut self, settings: Vec<Setting>, now: i64) -> Vec<Alert> {
        self.told();
        let actions = self
            .watch
            .apply(Event::Configured(read(&settings)), at(now));
        let mut before = std::mem::take(&mut self.lives);
        for setting in &settings {
            let name: Arc<str> = Arc::from(setting.name.as_str());
            self.meet(setting, now);
            let life = match before.remove(&name) {
                Some(mut life) => {
                    if life.setting.interval != setting.interval {
                        self.skipped_before += life.skipped();
                    }
                    life.reconfigure(setting.clone(), now);
                    life
                }
                None => {
                    self.seen.remove(&name);
                    Life::new(setting.clone(), now)
                }
            };
            self.lives.insert(name, life);
        }
        self.settings = settings;
        let mut expected = Vec::new();
        for (name, life) in before {
            self.skipped_before += life.skipped();
            let mut ended = life.clone();
            if ended.end_trouble(now) {
                let trouble = ended.troubles.last().unwrap();
                expected.push(Action::Resolve(alert(&name, trouble)));
            }
            self.going.insert(name, life);
        }
        assert_eq!(actions, expected, "what is not watched any more is over");
        self.save_all();
        self.check_skipped();
        told_by(actions)
    }

    fn meet(&mut self, setting: &Setting, now: i64) {
        let random = &mut self.random;
        let target = || Target::new(random.fork(), now);
        self.targets
            .entry(setting.name.clone())
            .or_insert_with(target);
    }

    /// The process is asked to stop, and writes everything down.
    pub(crate) fn stop(&mut self) {
        self.save_all();
    }

    /// The process starts again, from what is written down, perhaps with other settings.
    pub(crate) fn start(&mut self, is_changed: bool, now: i64) -> Vec<Alert> {
        self.check_skipped();
        self.totals.skipped += self.watch.skipped();
        self.skipped_before = 0;
        self.running.clear();
        let memories = self.disk.values();
        let memories = memories.map(|saved| serde_json::from_str::<Memory>(&saved.memory).unwrap());
        self.watch = Watch::restore(memories);
        self.lives.append(&mut self.going);
        let mut before = std::mem::take(&mut self.lives);
        if is_changed {
            self.settings = self.other_settings();
        }
        let settings = self.settings.clone();
        let actions = self
            .watch
            .apply(Event::Configured(read(&settings)), at(now));
        let mut alerts = Vec::new();
        for setting in &settings {
            let name: Arc<str> = Arc::from(setting.name.as_str());
            self.meet(setting, now);
            let life = match (before.remove(&name), self.disk.get(&name)) {
                (Some(mut life), Some(saved)) => {
                    life.results.truncate(saved.results);
                    life.slot = saved.slot;
                    life.restart(setting.clone(), now);
                    life
                }
                _ => {
                    self.seen.remove(&name);
                    Life::new(setting.clone(), now)
                }
            };
            let trouble = life.troubles.last();
            alerts.extend(trouble.map(|trouble| alert(&name, trouble)));
            self.lives.insert(Arc::clone(&name), life);
            self.check_memory(&name);
        }
        let mut expected = Vec::new();
        for (name, mut life) in before {
            if life.end_trouble(now) {
                expected.push(Action::Resolve(alert(&name, life.troubles.last().unwrap())));
            }
            self.going.insert(name, life);
        }
        assert_eq!(actions, expected, "what is not watched any more is over");
        alerts.sort_by(|left, right| left.labels.get("monitor").cmp(&right.labels.get("monitor")));
        assert_eq!(self.watch.alerts(), alerts, "all outages are told again");
        self.save_all();
        let mut told = told_by(actions);
        told.extend(alerts);
        told
    }

    /// Looks at a window of each monitor's past.
    pub(crate) fn check_availability(&mut self, now: i64) {
        for (name, seen) in &self.seen {
            let from = now - self.random.long_tailed(MINUTE, 48 * HOUR);
            let until = from + self.random.within(0, now - from);
            let parts = uptime::availability(seen, at(from), at(until));
            assert_eq!(
                parts,
                naive_availability(seen, from, until),
                "{name} {from} {until}"
            );
            self.totals.windows += 1;
        }
    }

    /// What is wrong stays wrong no longer, so that in the end all is well.
    pub(crate) fn heal(&mut self) {
        self.blind_until = 0;
        for target in self.targets.values_mut() {
            target.heal();
        }
    }

    /// Reads all histories again, from their first result.
    pub(crate) fn check_all(&mut self) {
        self.totals.skipped += self.watch.skipped();
        for (name, life) in &self.lives {
            let mut changes = Vec::new();
            // Only around a change can there be one, and the model looks back as far as it needs.
            for end in 1..=life.results.len() {
                changes.extend(model::change(&life.results[..end], &changes));
            }
            assert_eq!(changes, life.changes, "{name}");
            let Some(seen) = self.seen.get(name) else {
                assert_eq!(life.changes, []);
                continue;
            };
            assert_eq!(seen.len(), life.changes.len(), "{name}");
            let mut state = State::Pending;
            for (transition, number) in seen.iter().zip(1..) {
                assert_eq!(
                    (transition.number, transition.from),
                    (number, state),
                    "{name}"
                );
                state = transition.to;
            }
        }
    }
}

/// Each piece between two moments at which something changes belongs to the last transition that claims it.
fn naive_availability(seen: &[Transition], from: i64, until: i64) -> Availability {
    let moments = seen.iter().map(|transition| transition.since.as_millis());
    let mut moments: Vec<i64> = moments.filter(|at| (from..until).contains(at)).collect();
    moments.extend([from, until]);
    moments.sort_unstable();
    let mut parts = Availability::default();
    for piece in moments.windows(2) {
        let claims = |transition: &&Transition| transition.since.as_millis() <= piece[0];
        let part = match seen.iter().rev().find(claims).map(|claims| claims.to) {
            None => continue,
            Some(State::Up) => &mut parts.up,
            Some(State::Down) => &mut parts.down,
            Some(State::Unknown) => &mut parts.unknown,
            Some(State::Pending) => &mut parts.pending,
        };
        *part += at(piece[1]).since(at(piece[0]));
    }
    parts
}

fn told_by(actions: Vec<Action>) -> Vec<Alert> {
    let alert = |action| match action {
        Action::Resolve(alert) => alert,
        other => panic!("a configuration only resolves: {other:?}"),
    };
    actions.into_iter().map(alert).collect()
}

fn transition(name: &Arc<str>, number: u64, change: &Change, cause: String) -> Transition {
    Transition {
        monitor: Arc::clone(name),
        number,
        from: change.from,
        to: change.to,
        at: at(change.at),
        since: at(change.since),
        cause,
    }
}

fn alert(name: &str, trouble: &Trouble) -> Alert {
    let mut labels = trouble.labels.clone();
    labels.push(("alertname".to_owned(), "MonitorDown".to_owned()));
    labels.push(("monitor".to_owned(), name.to_owned()));
    let annotations = [
        ("summary", format!("{name} is down")),
        ("description", trouble.cause.clone()),
        ("url", format!("http://{name}.test/")),
    ];
    Alert {
        labels: Labels::from_pairs(labels).unwrap(),
        annotations: annotations
            .map(|(name, text)| (name.to_owned(), text))
            .into(),
        value: None,
        starts_at: at(trouble.started),
        ends_at: trouble.ended.map_or(Timestamp::MAX, at),
        generator_url: String::new(),
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
