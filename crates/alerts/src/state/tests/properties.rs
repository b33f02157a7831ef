//! Random histories: against a model that looks at the clock every second, and against what receivers may see.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::event::Reason;

const NAMES: [&str; 5] = ["a", "b", "c,group=x", "d,group=x,page=yes", "e,page=yes"];

/// Something that happens in a random history.
#[derive(Debug, Clone)]
enum Op {
    Raise(usize),
    /// Fires for so many seconds unless it is raised again.
    Lease(usize, u64),
    End(usize),
    Advance(u64),
    /// What becomes of the notification on its way, if there is one.
    Outcome(Outcome),
    /// The program dies and is away for so many seconds.
    Kill(u64),
    Reconfigure(usize),
}

fn calm() -> impl Strategy<Value = Op> {
    let name = || 0..NAMES.len();
    prop_oneof![
        3 => name().prop_map(Op::Raise),
        2 => (name(), 1..600u64).prop_map(|(name, seconds)| Op::Lease(name, seconds)),
        3 => name().prop_map(Op::End),
        4 => (0..400u64).prop_map(Op::Advance),
        1 => (0..5000u64).prop_map(Op::Advance),
    ]
}

fn wild() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Delivered),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::GaveUp),
    ];
    prop_oneof![
        8 => calm(),
        5 => outcome.prop_map(Op::Outcome),
        2 => prop_oneof![0..40u64, 0..10_000u64].prop_map(Op::Kill),
        1 => (0..3usize).prop_map(Op::Reconfigure),
    ]
}

/// A group as a person would describe it, looked at every second.
#[derive(Default)]
struct Naive {
    opened_at: u64,
    told_at: Option<u64>,
    /// By name: when it ends, and whether it was told.
    alerts: BTreeMap<&'static str, (u64, bool)>,
}

impl Naive {
    fn set(&mut self, name: &'static str, ends_at: u64, now: u64) {
        if ends_at <= now {
            let Some((ends, told)) = self.alerts.get_mut(name) else {
                return;
            };
            *ends = now.min(*ends);
            if !*told {
                self.alerts.remove(name);
            }
            return;
        }
        if self.alerts.is_empty() {
            self.opened_at = now;
            self.told_at = None;
        }
        self.alerts.entry(name).or_insert((0, false)).0 = ends_at;
    }

    /// What is told in this second.
    fn second(&mut self, now: u64, timing: &Timing) -> Option<String> {
        let wait = timing.group_wait.as_secs();
        let interval = timing.group_interval.as_secs();
        let repeat = timing.repeat_interval.as_secs();
        let is_point = match self.told_at {
            None => now == self.opened_at + wait,
            Some(told_at) => now > told_at && (now - told_at).is_multiple_of(interval),
        };
        let fires = |ends_at: u64| ends_at > now;
        let is_repeat = self.told_at.is_some_and(|told_at| now >= told_at + repeat)
            && self
                .alerts
                .values()
                .any(|(ends_at, told)| *told && fires(*ends_at));
        if !is_point && !is_repeat {
            return None;
        }
        self.alerts
            .retain(|_, (ends_at, told)| *told || fires(*ends_at));
        let has_new = self.alerts.values().any(|(_, told)| !told);
        let has_ended = self.alerts.values().any(|(ends_at, _)| !fires(*ends_at));
        let reason = match () {
            () if has_new && self.told_at.is_none() => "First",
            () if has_new => "NewAlerts",
            () if has_ended => "Resolved",
            () if is_repeat => "Repeat",
            () => return None,
        };
        let mut firing = String::new();
        let mut ended = String::new();
        for (name, (ends_at, told)) in &mut self.alerts {
            let short = &name[..1];
            if fires(*ends_at) {
                *told = true;
                firing.push_str(&format!(" +{short}"));
            } else {
                ended.push_str(&format!(" -{short}"));
            }
        }
        self.alerts.retain(|_, (ends_at, _)| fires(*ends_at));
        self.told_at = Some(now);
        Some(format!("{reason}{firing}{ended}"))
    }
}

fn naively(ops: &[Op], until: u64) -> Vec<String> {
    let routing = routing();
    let page = routing.root.routes[0].timing;
    let mut told = Vec::new();
    // By receiver and label; each page is a group of its own.
    let mut groups: Vec<(&str, Timing, Naive, Vec<&'static str>)> = vec![
        (
            "one",
            routing.root.timing,
            Naive::default(),
            vec![NAMES[0], NAMES[1], NAMES[4]],
        ),
        (
            "one",
            routing.root.timing,
            Naive::default(),
            vec![NAMES[2], NAMES[3]],
        ),
        ("two", page, Naive::default(), vec![NAMES[3]]),
        ("two", page, Naive::default(), vec![NAMES[4]]),
    ];
    let mut now = 0;
    let mut ops = ops.iter();
    let mut busy_until = 0;
    while now <= until {
        let mut second = |groups: &mut Vec<(&str, Timing, Naive, Vec<&'static str>)>| {
            for (receiver, timing, group, _) in groups {
                if let Some(text) = group.second(now, timing) {
                    told.push(format!("{now} {receiver} {text}"));
                }
            }
        };
        second(&mut groups);
        while now == busy_until {
            let (name, ends_at) = match ops.next() {
                None => {
                    busy_until = u64::MAX;
                    break;
                }
                Some(Op::Advance(seconds)) => {
                    busy_until = now + seconds;
                    continue;
                }
                Some(Op::Raise(name)) => (NAMES[*name], u64::MAX),
                Some(Op::Lease(name, seconds)) => (NAMES[*name], now + seconds),
                Some(Op::End(name)) => (NAMES[*name], now),
                Some(_) => continue,
            };
            for (_, _, group, names) in &mut groups {
                if names.contains(&name) {
                    group.set(name, ends_at, now);
                }
            }
            second(&mut groups);
        }
        now += 1;
    }
    told.sort();
    told
}

/// The world around a state: what is on disk, what fires in truth, what receivers have seen.
struct World {
    state: State,
    saved: Vec<u8>,
    now: Timestamp,
    /// When the state was last asked, which is when it was saved.
    asked_at: Timestamp,
    delivers_at_once: bool,
    truth: BTreeMap<Labels, Timestamp>,
    /// By receiver and alert: when it was last told to fire.
    told: BTreeMap<(String, Labels), Timestamp>,
    /// By receiver and alert: until when it must not be told to fire again; unknown once the routes were changed.
    cooling: Option<BTreeMap<(String, Labels), Timestamp>>,
    transcript: Vec<String>,
    last_id: u64,
}

impl World {
    fn new(routing: Routing, delivers_at_once: bool) -> Self {
        let state = State::new(routing, 7);
        Self {
            saved: state.snapshot(),
            state,
            now: at(0),
            asked_at: at(0),
            delivers_at_once,
            truth: BTreeMap::new(),
            told: BTreeMap::new(),
            cooling: Some(BTreeMap::new()),
            transcript: Vec::new(),
            last_id: 6,
        }
    }

    fn apply(&mut self, event: Event) {
        let actions = self.state.apply(event, self.now);
        self.saved = self.state.snapshot();
        self.asked_at = self.now;
        for action in actions {
            let Action::Notify(notification) = action else {
                panic!("{action:?}");
            };
            assert_eq!(
                notification.id,
                self.last_id + 1,
                "numbers have no gaps and no doubles"
            );
            self.last_id += 1;
            let seconds = self.now.since(at(0)).as_secs();
            self.transcript
                .push(format!("{seconds} {}", shown(&notification)));
            if self.delivers_at_once {
                self.sent(&notification, Outcome::Delivered);
            }
        }
        let next = self.state.next_wake();
        assert!(
            next.is_none_or(|next| next > self.now),
            "{next:?} at {:?}",
            self.now
        );
    }

    fn sent(&mut self, notification: &Notification, outcome: Outcome) {
        if outcome == Outcome::Delivered {
            self.see(notification);
        }
        let (group, id) = (notification.group.clone(), notification.id);
        self.apply(Event::Sent { group, id, outcome });
    }

    /// What a receiver may see: nothing twice within the repeat interval, no end of what it never heard of.
    fn see(&mut self, notification: &Notification) {
        let mut news = BTreeSet::new();
        let mut is_cooled = false;
        for notified in &notification.alerts {
            let key = (
                notification.group.receiver.clone(),
                notified.alert.labels.clone(),
            );
            let said = shown(notification);
            match notified.status {
                Status::Firing => {
                    let cooldown = self.state.routing().cooldown(&notified.alert.labels);
                    let before = self.told.insert(key.clone(), self.now);
                    if let Some(cooling) = &mut self.cooling {
                        let until = cooling.insert(key, self.now + cooldown);
                        let cooled = until.is_none_or(|until| until <= notification.decided_at);
                        assert!(cooled || before.is_some(), "{said} in its cooldown");
                        is_cooled |= cooled;
                    }
                    if before.is_none() {
                        news.insert("new");
                    } else if notification.reason == Reason::Repeat {
                        let repeat = self.state.routing().root.timing.repeat_interval;
                        let passed = before.map(|before| notification.decided_at.since(before));
                        assert!(passed >= Some(repeat), "{said} after {passed:?}");
                    }
                }
                Status::Resolved => {
                    news.insert("ended");
                    assert!(
                        self.told.remove(&key).is_some(),
                        "{said}: it was not told to fire"
                    );
                }
            }
        }
        let expected = match notification.reason {
            Reason::First | Reason::NewAlerts => news.contains("new"),
            Reason::Resolved => news.contains("ended") && !news.contains("new"),
            Reason::Repeat => news.is_empty() && (is_cooled || self.cooling.is_none()),
        };
        assert!(expected, "{} tells {news:?}", shown(notification));
    }

    fn advance(&mut self, to: Timestamp) {
        while let Some(wake) = self.state.next_wake().filter(|wake| *wake <= to) {
            self.now = self.now.max(wake);
            self.apply(Event::Tick);
        }
        self.now = to;
    }

    fn raise(&mut self, name: usize, ends_at: Timestamp) {
        let labels = labels(NAMES[name]);
        let truth = self.truth.entry(labels.clone()).or_insert(Timestamp::MIN);
        *truth = if ends_at <= self.now {
            ends_at.min(*truth)
        } else {
            ends_at
        };
        self.apply(Event::Alert(alert(labels, self.now, ends_at)));
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Raise(name) => self.raise(*name, at(1 << 30)),
            Op::Lease(name, seconds) => self.raise(*name, self.now + Duration::from_secs(*seconds)),
            Op::End(name) => self.raise(*name, self.now),
            Op::Advance(seconds) => self.advance(self.now + Duration::from_secs(*seconds)),
            Op::Outcome(outcome) => {
                let oldest = self.state.outstanding().min_by_key(|sent| sent.id).cloned();
                if let Some(notification) = oldest {
                    self.sent(&notification, *outcome);
                }
            }
            Op::Kill(seconds) => self.restart(Duration::from_secs(*seconds)),
            Op::Reconfigure(which) => {
                self.cooling = None;
                self.apply(Event::Reconfigured(routings(*which)));
            }
        }
    }

    fn restart(&mut self, away: Duration) {
        let outstanding: Vec<Notification> = self.state.outstanding().cloned().collect();
        self.now = self.now + away;
        for ends_at in self
            .truth
            .values_mut()
            .filter(|ends_at| **ends_at > self.asked_at)
        {
            *ends_at = *ends_at + self.now.since(self.asked_at);
        }
        let routing = self.state.routing().clone();
        self.state = State::restore(&self.saved, routing, self.now).unwrap();
        let again: Vec<Notification> = self.state.outstanding().cloned().collect();
        assert_eq!(again, outstanding);
        self.apply(Event::Tick);
    }

    /// In the end everything was told: what fires, to fire, and what is over, to be over.
    fn settle(&mut self) {
        self.delivers_at_once = true;
        for notification in self.state.outstanding().cloned().collect::<Vec<_>>() {
            self.sent(&notification, Outcome::Delivered);
        }
        self.advance(self.now + Duration::from_secs(4 * 3600));
        let mut expected = BTreeSet::new();
        for (labels, _) in self
            .truth
            .iter()
            .filter(|(_, ends_at)| **ends_at > self.now)
        {
            expected.insert(("one".to_owned(), labels.clone()));
            if labels.get("page").is_some() {
                expected.insert(("two".to_owned(), labels.clone()));
            }
        }
        let told: BTreeSet<_> = self.told.keys().cloned().collect();
        assert_eq!(told, expected);
        let firing = self
            .truth
            .values()
            .filter(|ends_at| **ends_at > self.now)
            .count();
        assert_eq!(
            self.state.alerts().count(),
            firing,
            "what is over is forgotten"
        );
    }
}

/// Trees in which the same receivers hear of the same alerts, in other groups.
fn routings(which: usize) -> Routing {
    let mut routing = routing();
    match which {
        0 => {}
        1 => routing.root.routes[1].group_by = GroupBy::All,
        _ => {
            routing.root.routes[0].matchers = parse_matchers("page=~.+").unwrap();
            routing.root.routes[0].group_by = GroupBy::Labels(Vec::new());
            routing.root.routes[1].group_by = GroupBy::Labels(Vec::new());
        }
    }
    routing
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_told_is_what_a_look_at_every_second_would_tell(
        ops in prop::collection::vec(calm(), 0..40),
    ) {
        let mut world = World::new(routing(), true);
        for op in &ops {
            world.run(op);
        }
        let until = world.now.since(at(0)).as_secs();
        world.transcript.sort();
        prop_assert_eq!(world.transcript, naively(&ops, until));
    }

    #[test]
    fn nothing_is_told_twice_and_nothing_is_forgotten(
        ops in prop::collection::vec(wild(), 0..120),
        cooldown in prop_oneof![Just(0u64), 0..3000u64],
        reconfigures: bool,
    ) {
        let routing = if cooldown == 0 { routing() } else { with_cooldown(cooldown) };
        let mut world = World::new(routing, false);
        for op in &ops {
            if reconfigures || !matches!(op, Op::Reconfigure(_)) {
                world.run(op);
            }
        }
        world.settle();
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..64), cut in 0..2000usize) {
        prop_assert!(State::restore(&bytes, routing(), at(0)).is_err());
        let mut world = World::new(routing(), false);
        for op in [Op::Raise(0), Op::Raise(3), Op::Advance(30)] {
            world.run(&op);
        }
        let cut = &world.saved[..cut.min(world.saved.len() - 1)];
        prop_assert!(State::restore(cut, routing(), at(0)).is_err());
    }
}
