//! Random results, own trouble, restarts and jumps of the clock, against a model that looks at the whole history.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Waits for whatever is due next.
    Next,
    /// Lets milliseconds pass.
    Wait(i64),
    /// One of the checks that are run ends, as a mark says.
    Finish(prop::sample::Index, char),
    /// The process is killed, checks and all, and starts again.
    Restart,
    /// Somebody sets the clock, by seconds.
    Jump(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mark = prop_oneof![3 => Just('+'), 5 => Just('-'), 1 => Just('?')];
    let finish =
        (any::<prop::sample::Index>(), mark).prop_map(|(which, mark)| Step::Finish(which, mark));
    let step = prop_oneof![
        10 => Just(Step::Next),
        3 => (0i64..20_000).prop_map(Step::Wait),
        12 => finish,
        1 => Just(Step::Restart),
        1 => (-200_000i64..200_000).prop_map(Step::Jump),
    ];
    prop::collection::vec(step, 1..400)
}

/// The model: nothing is remembered but the marks of all results, and everything is counted from them anew.
#[derive(Default)]
struct History {
    marks: String,
}

impl History {
    /// An outage is what lies between two successes if somewhere in it enough failures stand in a row.
    fn has_outage(&self, part: &str, retries: u32) -> bool {
        part.split('?').any(|row| row.len() > retries as usize)
    }

    fn state(&self, retries: u32) -> State {
        let since_success = self.marks.rsplit('+').next().unwrap();
        match self.marks.chars().last() {
            Some('+') => State::Up,
            Some('?') => State::Unknown,
            Some(_) if self.has_outage(since_success, retries) => State::Down,
            _ => State::Pending,
        }
    }

    fn raised(&self, retries: u32) -> usize {
        let parts = self.marks.split('+');
        parts.filter(|part| self.has_outage(part, retries)).count()
    }

    fn resolved(&self, retries: u32) -> usize {
        let ended = self.marks.rsplit_once('+').map_or("", |(ended, _)| ended);
        let parts = ended.split('+');
        parts.filter(|part| self.has_outage(part, retries)).count()
    }
}

/// What came out for one monitor.
#[derive(Default)]
struct Seen {
    history: History,
    transitions: Vec<Transition>,
    raised: usize,
    resolved: usize,
    last: Option<(Timestamp, u32)>,
}

struct World {
    monitors: Vec<Monitor>,
    watch: Watch,
    now: Timestamp,
    running: Vec<Run>,
    seen: BTreeMap<Arc<str>, Seen>,
}

impl World {
    fn new() -> Self {
        let monitors = vec![
            monitor("quick", "interval: 10s, retries: 0"),
            monitor("usual", "interval: 30s, retries: 1"),
            monitor("slow", "interval: 2h, retries: 3, retry_interval: 45s"),
        ];
        let now = at(1_800_000_000);
        Self {
            watch: watch(monitors.clone(), now),
            monitors,
            now,
            running: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Next => {
                self.now = self.watch.next_due().unwrap_or(self.now).max(self.now);
                self.tick();
            }
            Step::Wait(millis) => {
                self.now = Timestamp::from_millis(self.now.as_millis() + millis);
                self.tick();
            }
            Step::Jump(seconds) => {
                self.now = Timestamp::from_millis(self.now.as_millis() + seconds * 1000);
                if seconds < 0 {
                    self.seen.values_mut().for_each(|seen| seen.last = None);
                }
                self.tick();
            }
            Step::Restart => self.restart(),
            Step::Finish(which, mark) => {
                if !self.running.is_empty() {
                    let run = self.running.remove(which.index(self.running.len()));
                    self.finish(&run, mark);
                }
            }
        }
    }

    fn tick(&mut self) {
        for action in self.watch.apply(Event::Tick, self.now) {
            let Action::RunCheck(run) = action else {
                panic!("a tick only runs checks: {action:?}");
            };
            let is_running = self
                .running
                .iter()
                .any(|other| other.monitor == run.monitor);
            assert!(!is_running, "{run:?} is run twice at once");
            assert!(run.due <= self.now, "{run:?}");
            let seen = self.seen.entry(Arc::clone(&run.monitor)).or_default();
            let order = (run.slot, run.attempt);
            assert!(
                seen.last.is_none_or(|last| last < order),
                "{run:?} is run again"
            );
            // A retry may belong to a slot from before the clock was set back, which says nothing of later ones.
            seen.last = (run.slot <= self.now).then_some(order);
            self.running.push(run);
        }
    }

    fn finish(&mut self, run: &Run, mark: char) {
        let actions = finish(&mut self.watch, run, outcome(mark), self.now);
        let seen = self.seen.get_mut(&run.monitor).unwrap();
        seen.history.marks.push(mark);
        for action in actions {
            match action {
                Action::Transition(transition) => seen.transitions.push(transition),
                Action::Raise(alert) => {
                    assert!(!alert.is_resolved(self.now));
                    seen.raised += 1;
                }
                Action::Resolve(alert) => {
                    assert!(alert.ends_at >= alert.starts_at);
                    seen.resolved += 1;
                }
                Action::RunCheck(run) => panic!("only a tick runs checks: {run:?}"),
            }
        }
    }

    fn restart(&mut self) {
        let text = serde_json::to_string(&self.watch.memories()).unwrap();
        let memories: Vec<Memory> = serde_json::from_str(&text).unwrap();
        self.watch = Watch::restore(memories);
        let configured = Event::Configured(self.monitors.clone());
        assert_eq!(
            self.watch.apply(configured, self.now),
            [],
            "nothing is told again"
        );
        self.running.clear();
        // The retry that was waited for, or run, begins anew.
        for seen in self.seen.values_mut() {
            seen.last = seen.last.map(|(slot, _)| (slot, 0));
        }
    }

    fn check(&self) {
        for monitor in &self.monitors {
            let (_, memory) = self.watch.get(&monitor.name).unwrap();
            let Some(seen) = self.seen.get(&monitor.name) else {
                assert_eq!((memory.state, memory.number), (State::Pending, 0));
                continue;
            };
            let history = &seen.history;
            let retries = monitor.retries;
            assert_eq!(memory.state, history.state(retries), "{}", history.marks);
            assert_eq!(seen.raised, history.raised(retries), "{}", history.marks);
            assert_eq!(
                seen.resolved,
                history.resolved(retries),
                "{}",
                history.marks
            );
            let lasts = memory.outage.as_ref().is_some_and(Outage::lasts);
            assert_eq!(lasts, seen.raised > seen.resolved);
            assert_eq!(memory.number as usize, seen.transitions.len());
        }
        for seen in self.seen.values() {
            let mut state = State::Pending;
            for (index, transition) in seen.transitions.iter().enumerate() {
                assert_eq!(transition.number as usize, index + 1);
                assert_eq!(transition.from, state);
                assert_ne!(transition.to, state);
                state = transition.to;
            }
        }
    }

    /// Whoever is not being checked will be soon: no jump and no restart makes a monitor wait for long.
    fn check_liveness(&mut self) {
        while let Some(run) = self.running.pop() {
            self.finish(&run, '+');
        }
        // A slot that was run before the clock was set back is not run again, so its monitor waits for the one after it.
        let patience = Duration::from_secs(60);
        for monitor in &self.monitors {
            let until = self.now + 2 * monitor.interval + patience;
            let due = self.watch.schedule.next_due_of(&monitor.name).unwrap();
            assert!(
                due <= until,
                "{} waits until {due}, now is {}",
                monitor.name,
                self.now
            );
        }
    }
}

proptest! {
    #[test]
    fn a_watch_tells_what_the_whole_history_says(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        world.check_liveness();
    }
}
