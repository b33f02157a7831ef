//! The loop around `uptime::Watch`: it runs checks when they are due, stores what they measured, and writes changes of
//! state down before it raises their alerts.
//!
//! Checks are tasks of their own; their results come back here in batches, so that many of them share one transaction
//! and one write to the store.

mod view;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Changes, MonitorTransition};
use collect::probe::{Probe, Prober, Series};
use model::{Alert, Clock, Labels, SampleSink, Timestamp};
use server::{Feed, LastCheck};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info, warn};
use uptime::{Action, Event, Memory, Monitor, Outcome, Run, State, Transition, Watch};

use super::measurements::Measurements;
use super::metrics::AlertingMetrics;
use super::routing::Inbox;
use super::turns::Turning;
use view::Past;

pub(crate) use view::{View, transition};

/// Where memories lie in the catalog.
const KIND: &str = "monitor";

/// The clock may jump, so it is looked at this often at least.
const LOOK: Duration = Duration::from_secs(1);

/// How often memories are written that changed without anything to tell, such as the slot that was begun last.
const REMEMBER: Duration = Duration::from_secs(30);

/// Changes of state that wait for a catalog that cannot be written; more are lost to the history, not to people.
const UNWRITTEN_MAX: usize = 10_000;

/// What the loop reaches.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) prober: Arc<Prober>,
    pub(crate) sink: Arc<dyn SampleSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalog: Catalog,
    pub(crate) feed: Feed,
    pub(crate) metrics: Arc<AlertingMetrics>,
}

/// The loop, before it runs.
pub(crate) struct Monitoring {
    around: Surroundings,
    watch: Watch,
    series: HashMap<Arc<str>, Named>,
    checks: JoinSet<Probe>,
    runs: HashMap<Id, Run>,
    /// Lets the prober's pulse beat as long as it is there.
    pulse: Option<DropGuard>,
    view: Arc<View>,
    /// What is shown of a monitor besides its memory.
    past: HashMap<Arc<str>, Past>,
    /// What the catalog holds.
    written: HashMap<Arc<str>, Memory>,
    /// Changes of state, with the memories that belong to them, that the catalog could not take yet.
    unwritten: Changes,
    remembered_at: Duration,
}

/// The series of a monitor, and the labels that they have in common.
struct Named {
    series: Arc<Series>,
    labels: Labels,
}

/// What a batch of events asks for besides checks.
#[derive(Default)]
struct Consequences {
    transitions: Vec<Transition>,
    alerts: Vec<Alert>,
    runs: Vec<Run>,
}

impl Monitoring {
    /// Reads the memories that the program left behind, and gives the alert of each last outage.
    ///
    /// Errors: the catalog cannot be read.
    pub(crate) async fn load(
        around: Surroundings,
        monitors: Vec<Monitor>,
    ) -> Result<(Self, Vec<Alert>), catalog::Error> {
        let mut memories: Vec<Memory> = Vec::new();
        for (name, bytes) in around.catalog.states(KIND).await? {
            match serde_json::from_slice(&bytes) {
                Ok(memory) => memories.push(memory),
                Err(error) => {
                    warn!(monitor = name, %error, "what is known of a monitor cannot be read: it begins anew");
                }
            }
        }
        let written = memories
            .iter()
            .map(|memory| (memory.monitor.clone(), memory.clone()));
        let written = written.collect();
        let mut watch = Watch::restore(memories);
        let now = around.clock.now();
        let ended = watch.apply(Event::Configured(monitors.clone()), now);
        let mut alerts = watch.alerts();
        alerts.extend(ended.into_iter().filter_map(|action| match action {
            Action::Raise(alert) | Action::Resolve(alert) => Some(alert),
            Action::RunCheck(_) | Action::Transition(_) => None,
        }));
        let view = View::new(around.feed.clone());
        let mut monitoring = Self {
            remembered_at: around.clock.monotonic(),
            around,
            watch,
            series: HashMap::new(),
            checks: JoinSet::new(),
            runs: HashMap::new(),
            pulse: None,
            view: Arc::new(view),
            past: HashMap::new(),
            written,
            unwritten: Changes::default(),
        };
        monitoring.name_series(&monitors);
        monitoring.past = Past::load_all(&monitoring.around.catalog, now).await?;
        let watch = &monitoring.watch;
        monitoring.past.retain(|name, _| watch.get(name).is_some());
        monitoring.show_all();
        Ok((monitoring, alerts))
    }

    /// What others see of the loop.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    /// Checks until `stop`.
    pub(crate) async fn run(
        mut self,
        inbox: Inbox,
        mut changes: mpsc::Receiver<Vec<Monitor>>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut storing = JoinSet::new();
        let (clock, sink) = (self.around.clock.clone(), self.around.sink.clone());
        let mut measurements = Measurements::start(clock, sink, &mut storing);
        loop {
            let turned = self.around.clock.monotonic();
            let turns = &self.around.metrics.turns;
            turns.turned(Turning::Monitoring, turned);
            self.keep_pulse(&mut storing);
            let gathered = measurements.due_in().unwrap_or(Duration::MAX);
            let wait = self.wait().min(gathered);
            let mut done = Vec::new();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(monitors) = changes.recv() => self.change(monitors, &inbox, &mut measurements).await,
                Some(ended) = self.checks.join_next_with_id() => done.push(ended),
                () = tokio::time::sleep(wait) => {}
            }
            while let Some(ended) = self.checks.try_join_next_with_id() {
                done.push(ended);
            }
            self.turn(done, &inbox, &mut measurements).await;
            measurements.hand_over_if_due();
        }
        // A check that is broken off has no result; its slot is over.
        self.checks.shutdown().await;
        self.remember(true).await;
        self.pulse.take();
        measurements.hand_over();
        drop(measurements);
        while storing.join_next().await.is_some() {}
        Ok(())
    }

    /// Lets the prober's pulse beat while there is anything to check; ten beats a second are a waste otherwise.
    fn keep_pulse(&mut self, tasks: &mut JoinSet<()>) {
        if self.series.is_empty() {
            self.pulse.take();
        } else if self.pulse.is_none() {
            let stop = CancellationToken::new();
            let (prober, ended) = (self.around.prober.clone(), stop.clone());
            tasks.spawn(async move { prober.pulse(ended).await });
            self.pulse = Some(stop.drop_guard());
        }
    }

    /// Takes in what has ended, starts what is due, and tells what follows.
    async fn turn(
        &mut self,
        done: Vec<Result<(Id, Probe), JoinError>>,
        inbox: &Inbox,
        measurements: &mut Measurements,
    ) {
        let now = self.around.clock.now();
        let mut consequences = Consequences::default();
        let mut touched = Vec::new();
        for ended in done {
            let (id, outcome, probe) = match ended {
                Ok((id, probe)) => (id, probe.outcome.clone(), Some(probe)),
                Err(error) => {
                    let cause = "the check itself failed: this is a mistake in the program";
                    warn!(%error, "a check ended in a panic");
                    (error.id(), Outcome::OwnTrouble(cause.to_owned()), None)
                }
            };
            let Some(run) = self.runs.remove(&id) else {
                continue;
            };
            if let (Some(probe), Some(named)) = (probe, self.series.get(&run.monitor)) {
                let past = self.past.entry(run.monitor.clone()).or_default();
                past.last_check = Some(LastCheck {
                    started: probe.started,
                    duration: probe.duration,
                    outcome: probe.outcome.clone(),
                });
                measurements.add(probe, named.series.clone());
            }
            let event = Event::Finished {
                monitor: run.monitor.clone(),
                slot: run.slot,
                attempt: run.attempt,
                outcome,
            };
            touched.push(run.monitor);
            let actions = self.watch.apply(event, now);
            consequences.add(actions);
        }
        let actions = self.watch.apply(Event::Tick, now);
        consequences.add(actions);
        for run in consequences.runs.drain(..) {
            self.start(run, now);
        }
        self.conclude(consequences, touched, inbox).await;
    }

    fn start(&mut self, run: Run, now: Timestamp) {
        let Some((monitor, _)) = self.watch.get(&run.monitor) else {
            return;
        };
        let (prober, monitor) = (self.around.prober.clone(), monitor.clone());
        self.around.metrics.check_began(now.since(run.due));
        let task = self
            .checks
            .spawn(async move { prober.check(&monitor).await });
        self.runs.insert(task.id(), run);
    }

    /// Writes what must not be lost, and then tells it.
    async fn conclude(
        &mut self,
        consequences: Consequences,
        touched: Vec<Arc<str>>,
        inbox: &Inbox,
    ) {
        let mut changes = Changes::default();
        for transition in &consequences.transitions {
            let Transition {
                monitor,
                number,
                from,
                to,
                cause,
                ..
            } = transition;
            match to {
                State::Up | State::Pending => {
                    info!(%monitor, number, %from, %to, cause, "monitor changed")
                }
                State::Down | State::Unknown => {
                    warn!(%monitor, number, %from, %to, cause, "monitor changed")
                }
            }
            changes.transition(row(transition));
            let past = self.past.entry(monitor.clone()).or_default();
            past.add(transition, self.around.clock.now());
        }
        self.show(
            touched.iter().chain(
                consequences
                    .transitions
                    .iter()
                    .map(|transition| &transition.monitor),
            ),
        );
        let mut written = Vec::new();
        for name in touched {
            let Some((_, memory)) = self.watch.get(&name) else {
                continue;
            };
            // A row of failures that is no outage yet must go on where it was; a slot alone can wait.
            let known = self.written.get(&name);
            let is_known = known.is_some_and(|known| {
                let counts = memory.state == State::Pending;
                known.number == memory.number && (!counts || known.failures == memory.failures)
            });
            if !is_known {
                changes.put_state(KIND, &name, bytes(memory));
                written.push((name, memory.clone()));
            }
        }
        if !changes.is_empty() {
            match self.write(&changes).await {
                Ok(()) => self.written.extend(written),
                // It is written with the next ones; a person must be told all the same.
                Err(error) if self.unwritten.len() < UNWRITTEN_MAX => {
                    warn!(%error, "the state of monitors cannot be written");
                    self.unwritten.extend(changes);
                }
                Err(error) => {
                    warn!(%error, "too much could not be written: the history of monitors loses changes");
                    self.unwritten = Changes::default();
                }
            }
            self.count_states();
        }
        inbox.raise(consequences.alerts).await;
        self.remember(false).await;
    }

    /// Writes changes, and before them those that could not be written yet.
    async fn write(&mut self, changes: &Changes) -> Result<(), catalog::Error> {
        let mut all = self.unwritten.clone();
        all.extend(changes.clone());
        match self.around.catalog.commit(all.clone()).await {
            // It would be refused again, and must not take the others with it.
            Err(catalog::Error::Refused(_)) => {
                for change in all.apart() {
                    match self.around.catalog.commit(change).await {
                        Err(catalog::Error::Refused(reason)) => {
                            warn!(reason, "the catalog refuses what a monitor has to keep");
                        }
                        other => other?,
                    }
                }
            }
            other => other?,
        }
        self.unwritten = Changes::default();
        Ok(())
    }

    /// Writes all memories that are others than those written, if it is time to.
    async fn remember(&mut self, now: bool) {
        let at = self.around.clock.monotonic();
        if !now && at.saturating_sub(self.remembered_at) < REMEMBER {
            return;
        }
        self.remembered_at = at;
        self.show_all();
        let mut changes = Changes::default();
        let memories = self.watch.memories();
        for memory in &memories {
            if self.written.get(&memory.monitor) != Some(memory) {
                changes.put_state(KIND, &memory.monitor, bytes(memory));
            }
        }
        // Not before here: by now routing has heard that what is not watched any more is over.
        let names: HashSet<&Arc<str>> = memories.iter().map(|memory| &memory.monitor).collect();
        for gone in self.written.keys().filter(|name| !names.contains(name)) {
            changes.delete_state(KIND, gone).delete_transitions(gone);
        }
        if changes.is_empty() && self.unwritten.is_empty() {
            return;
        }
        match self.write(&changes).await {
            Ok(()) => {
                let memories = memories.into_iter();
                self.written = memories
                    .map(|memory| (memory.monitor.clone(), memory))
                    .collect();
                debug!("the state of monitors is written");
            }
            Err(error) => warn!(%error, "the state of monitors cannot be written"),
        }
    }

    /// Lets other monitors hold from now on; those with the name of an earlier one keep its state.
    async fn change(
        &mut self,
        monitors: Vec<Monitor>,
        inbox: &Inbox,
        measurements: &mut Measurements,
    ) {
        // One that was removed a moment ago and comes back begins anew, also in the catalog.
        self.remember(true).await;
        let now = self.around.clock.now();
        let actions = self.watch.apply(Event::Configured(monitors.clone()), now);
        for series in self.name_series(&monitors) {
            measurements.end(series, now);
        }
        let mut consequences = Consequences::default();
        consequences.add(actions);
        for run in consequences.runs.drain(..) {
            self.start(run, now);
        }
        self.past.retain(|name, _| self.watch.get(name).is_some());
        self.conclude(consequences, Vec::new(), inbox).await;
        self.show_all();
    }

    /// Makes the series of all monitors, and gives those that end.
    fn name_series(&mut self, monitors: &[Monitor]) -> Vec<Arc<Series>> {
        let mut before = std::mem::take(&mut self.series);
        let mut ended = Vec::new();
        for monitor in monitors {
            let labels = monitor.series_labels();
            let named = match before.remove(&monitor.name) {
                Some(named) if named.labels == labels => named,
                other => {
                    ended.extend(other.map(|named| named.series));
                    let series = Arc::new(Series::of(monitor));
                    Named { series, labels }
                }
            };
            self.series.insert(monitor.name.clone(), named);
        }
        ended.extend(before.into_values().map(|named| named.series));
        ended
    }

    /// Lets others see these monitors as they are now.
    fn show<'a>(&self, names: impl Iterator<Item = &'a Arc<str>>) {
        let shown = names.filter_map(|name| {
            let (monitor, memory) = self.watch.get(name)?;
            Some((monitor, memory, self.past.get(name)))
        });
        self.view.update(shown, self.around.clock.now());
    }

    /// Lets others see all monitors as they are now, and no others.
    fn show_all(&self) {
        let all = self.watch.iter();
        let all = all.map(|(monitor, memory)| (monitor, memory, self.past.get(&monitor.name)));
        self.view.replace(all, self.around.clock.now());
        self.count_states();
    }

    fn count_states(&self) {
        let states = self.watch.iter().map(|(_, memory)| memory.state);
        self.around
            .metrics
            .set_monitors(states, self.watch.skipped());
    }

    fn wait(&self) -> Duration {
        let now = self.around.clock.now();
        let next = self.watch.next_due().map(|due| due.since(now));
        let look = if self.series.is_empty() {
            REMEMBER
        } else {
            LOOK
        };
        next.map_or(look, |next| next.min(look))
    }
}

impl Consequences {
    fn add(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::RunCheck(run) => self.runs.push(run),
                Action::Transition(transition) => self.transitions.push(transition),
                Action::Raise(alert) | Action::Resolve(alert) => self.alerts.push(alert),
            }
        }
    }
}

fn row(transition: &Transition) -> MonitorTransition {
    MonitorTransition {
        monitor: transition.monitor.to_string(),
        number: transition.number,
        from: transition.from.to_string(),
        to: transition.to.to_string(),
        at: transition.at,
        since: transition.since,
        cause: transition.cause.clone(),
    }
}

fn bytes(memory: &Memory) -> Vec<u8> {
    serde_json::to_vec(memory).expect("invariant: a memory holds only texts and numbers")
}

#[cfg(test)]
mod tests;
