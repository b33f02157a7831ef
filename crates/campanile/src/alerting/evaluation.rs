//! The loop around `rules::Group`: each group is evaluated in slots at whole multiples of its interval, moved by a phase
//! that follows from its name, on threads that may block.
//!
//! A group is never evaluated twice at once; a slot that passes meanwhile is skipped and counted. After an evaluation
//! the group's state is written, then its alerts go to routing.

mod news;
mod once;
mod queries;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use catalog::{Catalog, Changes};
use model::{Alert, Clock, SampleSink, SeriesSource, Timestamp};
use rules::{Environment, Group, GroupDefinition, GroupSnapshot, RuleError};
use server::{Feed, RuleGroup, RunningQueries};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::metrics::AlertingMetrics;
use super::routing::Inbox;
use super::turns::Turning;
use once::{Done, Job};
use queries::Queries;

/// Where the states of groups lie in the catalog.
const KIND: &str = "rules";

/// Groups that are evaluated at once; the rest of the processors belongs to ingestion and queries.
const AT_ONCE: usize = 2;

/// Queries that run are looked at this often, whether they take too long.
const LOOK: Duration = Duration::from_millis(500);

/// The clock may jump, so it is looked at this often at least.
const IDLE_LOOK: Duration = Duration::from_secs(5);

/// What is evaluated, and how far a query may go.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) groups: Vec<GroupDefinition>,
    pub(crate) external_url: String,
    pub(crate) limits: promql::Limits,
    pub(crate) query_timeout: Duration,
}

/// A group is known by its file and name.
type Key = (String, String);

/// What the loop reaches.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) source: Arc<dyn SeriesSource>,
    pub(crate) queries: RunningQueries,
    pub(crate) sink: Arc<dyn SampleSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalog: Catalog,
    pub(crate) feed: Feed,
    pub(crate) metrics: Arc<AlertingMetrics>,
}

/// The groups as they were after their last evaluation.
#[derive(Default)]
pub(crate) struct View(ArcSwap<Vec<Arc<RuleGroup>>>);

impl View {
    /// All groups in the order of their files.
    pub(crate) fn groups(&self) -> Vec<Arc<RuleGroup>> {
        self.0.load().as_ref().clone()
    }
}

/// The loop, before it runs.
pub(crate) struct Evaluator {
    around: Surroundings,
    settings: Settings,
    environment: Environment,
    queries: Arc<Queries>,
    slots: BTreeMap<Key, Slot>,
    /// The keys in the order of the files.
    order: Vec<Key>,
    running: JoinSet<Done>,
    view: Arc<View>,
}

struct Slot {
    /// None while it is evaluated.
    group: Option<Group>,
    interval: Duration,
    due: Timestamp,
    shown: Arc<RuleGroup>,
    written: Option<GroupSnapshot>,
}

impl Evaluator {
    /// Reads the states that the program left behind, and gives the alerts that fire by them.
    ///
    /// Errors: the catalog cannot be read.
    pub(crate) async fn load(
        around: Surroundings,
        settings: Settings,
    ) -> Result<(Self, Vec<Alert>), catalog::Error> {
        let mut snapshots = BTreeMap::new();
        for (key, bytes) in around.catalog.states(KIND).await? {
            match serde_json::from_slice::<GroupSnapshot>(&bytes) {
                Ok(snapshot) => {
                    snapshots.insert((snapshot.file.clone(), snapshot.name.clone()), snapshot);
                }
                Err(error) => {
                    warn!(key, %error, "the state of a group of rules cannot be read: it begins anew")
                }
            }
        }
        let queries = Arc::new(Queries::new(&around, &settings));
        let environment = environment(&queries, &settings);
        let mut evaluator = Self {
            environment,
            queries,
            slots: BTreeMap::new(),
            order: Vec::new(),
            running: JoinSet::new(),
            view: Arc::default(),
            around,
            settings,
        };
        let now = evaluator.around.clock.now();
        let mut firing = Vec::new();
        let mut groups = Vec::new();
        for definition in std::mem::take(&mut evaluator.settings.groups) {
            let mut group = Group::new(definition);
            if let Some(snapshot) = snapshots.remove(&key(&group)) {
                group.restore(snapshot, now, &evaluator.environment);
                firing.extend(group.firing(now, &evaluator.environment));
            }
            groups.push(group);
        }
        // Alerts of groups that are gone end in routing when their time has come.
        let mut gone = Changes::default();
        for (file, name) in snapshots.keys() {
            gone.delete_state(KIND, &catalog_key(file, name));
        }
        if !gone.is_empty()
            && let Err(error) = evaluator.around.catalog.commit(gone).await
        {
            // They are removed by the next start; that a disk is full is what this one may have to tell.
            warn!(%error, "the states of groups that are gone cannot be removed");
        }
        evaluator.install(groups);
        Ok((evaluator, firing))
    }

    /// What others see of the loop.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    /// Evaluates until `stop`.
    pub(crate) async fn run(
        mut self,
        inbox: Inbox,
        mut changes: mpsc::Receiver<Settings>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            self.turned();
            let now = self.around.clock.now();
            self.start_due(now);
            self.queries.stop_overdue();
            let idle = self.slots.values().filter(|slot| slot.group.is_some());
            let next = idle.map(|slot| slot.due.since(now)).min();
            let is_full = self.running.len() >= AT_ONCE;
            let look = if self.running.is_empty() {
                IDLE_LOOK
            } else {
                LOOK
            };
            let wait = next
                .filter(|_| !is_full)
                .map_or(look, |next| next.min(look));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(settings) = changes.recv() => self.change(settings, &inbox).await,
                Some(done) = self.running.join_next() => match done {
                    Ok(done) => self.finish(done, &inbox).await,
                    Err(error) => return Err(error.into()),
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.queries.stop_all();
        while let Some(Ok(done)) = self.next_done().await {
            self.finish(done, &inbox).await;
        }
        Ok(())
    }

    /// Waits for the next evaluation to end; queries that take too long are stopped meanwhile.
    async fn next_done(&mut self) -> Option<Result<Done, JoinError>> {
        loop {
            self.turned();
            tokio::select! {
                biased;
                done = self.running.join_next() => return done,
                () = tokio::time::sleep(LOOK) => self.queries.stop_overdue(),
            }
        }
    }

    fn turned(&self) {
        let now = self.around.clock.monotonic();
        self.around.metrics.turns.turned(Turning::Evaluation, now);
    }

    fn start_due(&mut self, now: Timestamp) {
        for (key, slot) in &mut self.slots {
            // The clock was set back: nobody waits longer than an interval for that.
            if slot.due.since(now) > slot.interval {
                slot.due = next_slot(key, slot.interval, now);
            }
        }
        let mut due: Vec<(Timestamp, Key)> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.group.is_some() && slot.due <= now)
            .map(|(key, slot)| (slot.due, key.clone()))
            .collect();
        due.sort();
        for (at, key) in due {
            if self.running.len() >= AT_ONCE {
                return;
            }
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            let Some(group) = slot.group.take() else {
                continue;
            };
            let next = next_slot(&key, slot.interval, now);
            let passed = next.since(at).as_millis() / slot.interval.as_millis().max(1);
            let missed = u64::try_from(passed.saturating_sub(1)).unwrap_or(u64::MAX);
            self.around.metrics.missed(missed);
            slot.due = next;
            // What was slept through is looked at as it is now, not as it was.
            let at = if missed > 0 { now } else { at };
            let job = Job {
                key,
                before: slot.shown.clone(),
                group,
                at,
                around: self.around.clone(),
                environment: self.environment.clone(),
                queries: self.queries.clone(),
            };
            self.running.spawn_blocking(move || job.run());
        }
    }

    async fn finish(&mut self, done: Done, inbox: &Inbox) {
        let Done {
            key,
            group,
            evaluation,
            panicked,
            refused,
            took,
            rule_times,
        } = done;
        let errors = match panicked {
            true => group.rules().len(),
            false => evaluation.errors.len(),
        };
        if panicked {
            error!(
                group = key.1,
                "an evaluation ended in a panic: this is a mistake in the program; what fires goes on"
            );
        }
        self.around.metrics.evaluated(
            took,
            group.rules().len() - errors.min(group.rules().len()),
            errors,
        );
        for RuleError { rule, message } in &evaluation.errors {
            let name = group
                .rules()
                .get(*rule)
                .map(|rule| &*rule.definition().name);
            warn!(group = key.1, rule = name, error = message, "rule failed");
        }
        if let Some(reason) = refused {
            warn!(group = key.1, reason, "the store refuses samples of a rule");
        }
        debug!(
            group = key.1,
            took_ms = took.as_millis() as u64,
            "rules evaluated"
        );
        self.write(&key, &group).await;
        inbox.raise(evaluation.alerts).await;
        let at = group.evaluated_at();
        let at = at.unwrap_or_else(|| self.around.clock.now());
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let after = Arc::new(RuleGroup {
            group: group.clone(),
            interval: slot.interval,
            evaluation_time: took,
            rule_times,
        });
        slot.group = Some(group);
        let before = std::mem::replace(&mut slot.shown, after.clone());
        self.show();
        self.publish(Some(&before.group), Some(&after.group), at);
    }

    /// Tells the live feed what has become of a group's alerts. They have to be shown as they are by then: whoever hears of
    /// a change may fetch them, and whoever begins to listen only now fetches what he has missed.
    fn publish(&self, before: Option<&Group>, after: Option<&Group>, at: Timestamp) {
        let feed = &self.around.feed;
        if feed.wants_alerts() {
            let changes = news::changes(before, after, at);
            changes.into_iter().for_each(|change| feed.alert(change));
        }
    }

    /// Writes a group's state if it holds something that would be missed.
    async fn write(&mut self, key: &Key, group: &Group) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let snapshot = group.snapshot();
        let has_alerts = snapshot.rules.iter().any(|rule| !rule.alerts.is_empty());
        let is_written = slot
            .written
            .as_ref()
            .is_some_and(|written| written.rules == snapshot.rules);
        // The age of alerts follows from when the group was evaluated last.
        if is_written && !has_alerts {
            return;
        }
        let bytes = serde_json::to_vec(&snapshot)
            .expect("invariant: a snapshot holds only texts, numbers and lists");
        let mut changes = Changes::default();
        changes.put_state(KIND, &catalog_key(&key.0, &key.1), bytes);
        match self.around.catalog.commit(changes).await {
            Ok(()) => slot.written = Some(snapshot),
            Err(error) => warn!(group = key.1, %error, "the state of a group cannot be written"),
        }
    }

    /// Lets other rules hold from now on; those with the name of an earlier one keep its alerts.
    async fn change(&mut self, settings: Settings, inbox: &Inbox) {
        while let Some(done) = self.next_done().await {
            match done {
                Ok(done) => self.finish(done, inbox).await,
                Err(error) => warn!(%error, "an evaluation ended in a panic"),
            }
        }
        self.settings = settings;
        self.queries = Arc::new(Queries::new(&self.around, &self.settings));
        self.environment = environment(&self.queries, &self.settings);
        let now = self.around.clock.now();
        let mut before = std::mem::take(&mut self.slots);
        let shown = before.iter();
        let shown: Vec<_> = shown
            .map(|(key, slot)| (key.clone(), slot.shown.clone()))
            .collect();
        let mut groups = Vec::new();
        for definition in std::mem::take(&mut self.settings.groups) {
            let mut group = Group::new(definition);
            let slot = before.remove(&key(&group));
            if let Some(old) = slot.and_then(|slot| slot.group) {
                group.adopt(old);
            }
            groups.push(group);
        }
        self.install(groups);
        // Alerts of rules and groups that are gone.
        for (key, was) in shown {
            let is = self.slots.get(&key).map(|slot| &slot.shown.group);
            self.publish(Some(&was.group), is, now);
        }
        let mut changes = Changes::default();
        for ((file, name), slot) in before {
            changes.delete_state(KIND, &catalog_key(&file, &name));
            let Some(group) = slot.group else { continue };
            let mut ended = Vec::new();
            let alerts = group.end(now, &self.environment, &mut |samples| {
                ended.extend_from_slice(samples);
            });
            if let Some(reason) = once::store(&*self.around.sink, &ended) {
                warn!(
                    group = name,
                    reason, "the store refuses the ends of a group's series"
                );
            }
            inbox.raise(alerts).await;
        }
        if !changes.is_empty()
            && let Err(error) = self.around.catalog.commit(changes).await
        {
            warn!(%error, "the states of groups that are gone cannot be removed");
        }
    }

    fn install(&mut self, groups: Vec<Group>) {
        let now = self.around.clock.now();
        self.order.clear();
        for group in groups {
            let key = key(&group);
            let interval = group
                .interval(&self.environment)
                .max(Duration::from_millis(1));
            let slot = Slot {
                due: next_slot(&key, interval, now),
                interval,
                shown: Arc::new(RuleGroup {
                    group: group.clone(),
                    interval,
                    evaluation_time: Duration::ZERO,
                    rule_times: Vec::new(),
                }),
                group: Some(group),
                written: None,
            };
            self.order.push(key.clone());
            self.slots.insert(key, slot);
        }
        self.show();
    }

    fn show(&self) {
        let slots = self.order.iter().filter_map(|key| self.slots.get(key));
        let shown = slots.map(|slot| slot.shown.clone()).collect();
        self.view.0.store(Arc::new(shown));
    }
}

fn key(group: &Group) -> Key {
    (group.file().to_owned(), group.name().to_owned())
}

/// The key of a group's state, as Prometheus writes it.
fn catalog_key(file: &str, name: &str) -> String {
    format!("{file};{name}")
}

/// The first slot of a group after `now`.
fn next_slot((file, name): &Key, interval: Duration, now: Timestamp) -> Timestamp {
    let interval = i64::try_from(interval.as_millis())
        .unwrap_or(i64::MAX)
        .max(1);
    let mut hasher = DefaultHasher::new();
    (file, name).hash(&mut hasher);
    let phase = (hasher.finish() % interval.unsigned_abs()).cast_signed();
    let passed = (now.as_millis() - phase).div_euclid(interval);
    Timestamp::from_millis((passed + 1) * interval + phase)
}

fn environment(queries: &Arc<Queries>, settings: &Settings) -> Environment {
    let queries = queries.clone();
    let query = Arc::new(move |expr: &promql::Expr, at: Timestamp| queries.evaluate(expr, at));
    let mut environment = Environment::new(query);
    environment.external_url.clone_from(&settings.external_url);
    environment
}

#[cfg(test)]
mod tests;
