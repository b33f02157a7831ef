//! All monitors together: events go in, and what is to be done comes out.
//!
//! Whoever drives it carries out the actions in their order, and writes transitions and memories down before it tells
//! anybody of alerts. Nothing is lost then: a restart raises from [`Watch::alerts`] what it cannot know to have been told.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Alert, Timestamp};

use crate::{Memory, Monitor, Outage, Outcome, Run, Schedule, State, Transition, alert};

/// What happens to a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// These are the monitors from now on; those with a name that was there before keep their state.
    Configured(Vec<Monitor>),
    /// Time has passed.
    Tick,
    /// A check that was to be run has ended; every one must be reported, and only the one that runs counts.
    Finished {
        /// Of which monitor.
        monitor: Arc<str>,
        /// As [`Action::RunCheck`] said.
        slot: Timestamp,
        /// As [`Action::RunCheck`] said.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run a check, and report its end.
    RunCheck(Run),
    /// Keep and show a change of state.
    Transition(Transition),
    /// Raise an alert; it holds until it is resolved.
    Raise(Alert),
    /// Resolve an alert that was raised.
    Resolve(Alert),
}

/// All monitors, their states and their schedule.
#[derive(Debug, Default)]
pub struct Watch {
    monitors: BTreeMap<Arc<str>, Watched>,
    /// Memories of monitors that are not configured yet.
    restored: BTreeMap<Arc<str>, Memory>,
    schedule: Schedule,
}

#[derive(Debug)]
struct Watched {
    monitor: Arc<Monitor>,
    memory: Memory,
}

impl Watch {
    /// A watch that goes on where another has stopped; it waits for [`Event::Configured`].
    pub fn restore(memories: impl IntoIterator<Item = Memory>) -> Self {
        let restored = memories
            .into_iter()
            .map(|memory| (Arc::clone(&memory.monitor), memory))
            .collect();
        Self {
            restored,
            ..Self::default()
        }
    }

    /// Takes in an event, and says what follows from it.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Vec<Action> {
        match event {
            Event::Configured(monitors) => self.configure(monitors, now),
            Event::Tick => self.tick(now),
            Event::Finished {
                monitor,
                slot,
                attempt,
                outcome,
            } => self.finish(&monitor, slot, attempt, outcome, now),
        }
    }

    /// When [`Event::Tick`] has something to do; none if nothing waits. The wall clock may jump, so tick once in a second
    /// or two at least.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedule.next_due()
    }

    /// A monitor and what is known of it.
    pub fn get(&self, monitor: &str) -> Option<(&Arc<Monitor>, &Memory)> {
        let watched = self.monitors.get(monitor)?;
        Some((&watched.monitor, &watched.memory))
    }

    /// All monitors by name, and what is known of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Monitor>, &Memory)> {
        self.monitors
            .values()
            .map(|watched| (&watched.monitor, &watched.memory))
    }

    /// Everything that must survive a restart, for [`Watch::restore`].
    pub fn memories(&self) -> Vec<Memory> {
        let configured = self.monitors.values().map(|watched| &watched.memory);
        configured.chain(self.restored.values()).cloned().collect()
    }

    /// The alert of each monitor's last outage, resolved or not, for whoever may have missed it; telling it again is harmless.
    pub fn alerts(&self) -> Vec<Alert> {
        self.monitors
            .values()
            .filter_map(|watched| Some(watched.memory.outage.as_ref()?.alert()))
            .collect()
    }

    /// How many slots have passed without a check, since the start.
    pub fn skipped(&self) -> u64 {
        self.schedule.skipped()
    }

    fn configure(&mut self, monitors: Vec<Monitor>, now: Timestamp) -> Vec<Action> {
        let mut before = std::mem::take(&mut self.monitors);
        for monitor in monitors {
            let name = Arc::clone(&monitor.name);
            let memory = match before.remove(&name) {
                Some(watched) => watched.memory,
                None => self
                    .restored
                    .remove(&name)
                    .unwrap_or_else(|| Memory::new(Arc::clone(&name), now)),
            };
            let is_failing = memory.failures > 0 && memory.state == State::Pending;
            let retry_in = is_failing.then_some(monitor.retry_interval);
            self.schedule
                .insert(&name, monitor.interval, memory.slot, retry_in, now);
            let monitor = Arc::new(monitor);
            self.monitors.insert(name, Watched { monitor, memory });
        }
        for name in before.keys() {
            self.schedule.forget(name);
        }
        // Nobody will see the end of what is not watched any more.
        let gone = before.into_values().map(|watched| watched.memory);
        let gone = gone.chain(std::mem::take(&mut self.restored).into_values());
        gone.filter_map(|mut memory| {
            let resolved = alert::end(&mut memory.outage, now);
            let outage = memory.outage.filter(|_| resolved)?;
            Some(Action::Resolve(outage.alert()))
        })
        .collect()
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Action> {
        let runs = self.schedule.due(now);
        for run in &runs {
            if let Some(watched) = self.monitors.get_mut(&run.monitor) {
                watched.memory.slot = Some(run.slot);
            }
        }
        runs.into_iter().map(Action::RunCheck).collect()
    }

    fn finish(
        &mut self,
        name: &Arc<str>,
        slot: Timestamp,
        attempt: u32,
        outcome: Outcome,
        now: Timestamp,
    ) -> Vec<Action> {
        let is_current = self.schedule.is_running(name, slot, attempt);
        let Some(watched) = self.monitors.get_mut(name).filter(|_| is_current) else {
            return Vec::new();
        };
        let Watched { monitor, memory } = watched;
        let is_own_trouble = matches!(outcome, Outcome::OwnTrouble(_));
        let change = memory.apply(monitor, outcome, now);
        let alert = || memory.outage.as_ref().map(Outage::alert);
        let mut actions: Vec<Action> = change
            .transition
            .map(Action::Transition)
            .into_iter()
            .collect();
        if change.raised {
            actions.extend(alert().map(Action::Raise));
        }
        if change.resolved {
            actions.extend(alert().map(Action::Resolve));
        }
        // A row of failures ends by itself; own trouble may last, and has as many retries as a slot gives.
        let is_failing = memory.state == State::Pending && memory.failures > 0;
        let again = is_failing || is_own_trouble && attempt < monitor.retries;
        let retry_in = again.then_some(monitor.retry_interval);
        self.schedule.finish(name, retry_in, now);
        actions
    }
}
