//! What others see of the monitors: how each is, how it was, and the outages that last.
//!
//! It is changed after each check, one entry at a time, and read as a whole now and then.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog::{Catalog, MonitorTransition};
use model::{Alert, Timestamp};
use server::{AlertChange, AlertPhase, Feed, LastCheck, MonitorStatus, WatchedMonitor};
use uptime::{History, Memory, Monitor, Outage, State, Transition};

/// Transitions that are read at once at the start, so that not all of a month are in memory.
const PAGE: u32 = 10_000;

/// The monitors as they are now. What changes in it, the live feed tells.
pub(crate) struct View {
    shown: Mutex<BTreeMap<Arc<str>, Shown>>,
    feed: Feed,
}

struct Shown {
    monitor: WatchedMonitor,
    outage: Option<Alert>,
}

/// What is shown of a monitor besides its memory.
#[derive(Default)]
pub(super) struct Past {
    history: Arc<History>,
    last_transition: Option<Arc<Transition>>,
    pub(super) last_check: Option<LastCheck>,
}

impl View {
    /// Shows no monitors yet.
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            shown: Mutex::default(),
            feed,
        }
    }

    /// All monitors, by name.
    pub(crate) fn monitors(&self) -> Vec<WatchedMonitor> {
        let shown = self.shown();
        shown.values().map(|shown| shown.monitor.clone()).collect()
    }

    /// The alerts of outages that last.
    pub(crate) fn outages(&self) -> Vec<Alert> {
        let shown = self.shown();
        shown
            .values()
            .filter_map(|shown| shown.outage.clone())
            .collect()
    }

    /// Shows these monitors as they are now; the others stay as they were.
    pub(super) fn update<'a>(
        &self,
        monitors: impl Iterator<Item = (&'a Arc<Monitor>, &'a Memory, Option<&'a Past>)>,
        now: Timestamp,
    ) {
        let mut shown = self.shown();
        for (name, new) in monitors.map(entry) {
            self.publish(shown.get(&name), Some(&new), now);
            shown.insert(name, new);
        }
    }

    /// Shows these monitors and no others.
    pub(super) fn replace<'a>(
        &self,
        monitors: impl Iterator<Item = (&'a Arc<Monitor>, &'a Memory, Option<&'a Past>)>,
        now: Timestamp,
    ) {
        let mut shown = self.shown();
        let before = std::mem::replace(&mut *shown, monitors.map(entry).collect());
        for (name, new) in &*shown {
            self.publish(before.get(name), Some(new), now);
        }
        for (_, gone) in before.iter().filter(|(name, _)| !shown.contains_key(*name)) {
            self.publish(Some(gone), None, now);
        }
    }

    /// Tells what differs: each check, each change, each outage that begins or ends.
    fn publish(&self, before: Option<&Shown>, after: Option<&Shown>, now: Timestamp) {
        let old = before.map(|shown| &shown.monitor.status);
        match (old, after.map(|shown| &shown.monitor.status)) {
            (Some(gone), None) => self.feed.monitor_removed(gone.monitor.name.clone()),
            (old, Some(new)) if old != Some(new) => self.feed.monitor(new.clone()),
            _ => {}
        }
        let (old, new) = (outage(before), outage(after));
        let began = |outage: Option<&Alert>| outage.map(|outage| outage.starts_at);
        if began(old) == began(new) {
            return;
        }
        let ended = old.map(|outage| change(outage, AlertPhase::Resolved, Some(now)));
        let begun = new.map(|outage| change(outage, AlertPhase::Firing, None));
        for change in ended.into_iter().chain(begun) {
            self.feed.alert(change);
        }
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Shown>> {
        // Entries are whole at any time, so a panic of another thread has spoilt nothing.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outage(shown: Option<&Shown>) -> Option<&Alert> {
    shown.and_then(|shown| shown.outage.as_ref())
}

fn change(outage: &Alert, phase: AlertPhase, resolved_at: Option<Timestamp>) -> AlertChange {
    AlertChange {
        labels: outage.labels.clone(),
        annotations: outage.annotations.clone(),
        phase,
        active_at: outage.starts_at,
        // As `/api/v1/alerts` shows it.
        value: 1.0,
        rule: None,
        resolved_at,
    }
}

fn entry((monitor, memory, past): (&Arc<Monitor>, &Memory, Option<&Past>)) -> (Arc<str>, Shown) {
    let outage = memory.outage.as_ref().filter(|outage| outage.lasts());
    let last_transition = past.and_then(|past| past.last_transition.clone());
    let status = MonitorStatus {
        monitor: monitor.clone(),
        state: memory.state,
        since: memory.since,
        cause: last_transition
            .as_ref()
            .map_or_else(Arc::default, |last| last.cause.as_str().into()),
        last_check: past.and_then(|past| past.last_check.clone()),
    };
    let shown = Shown {
        monitor: WatchedMonitor {
            status: Arc::new(status),
            history: past.map(|past| past.history.clone()).unwrap_or_default(),
            last_transition,
        },
        outage: outage.map(Outage::alert),
    };
    (monitor.name.clone(), shown)
}

impl Past {
    /// What the catalog knows of all monitors, by name.
    ///
    /// Errors: the catalog cannot be read.
    pub(super) async fn load_all(
        catalog: &Catalog,
        now: Timestamp,
    ) -> Result<HashMap<Arc<str>, Self>, catalog::Error> {
        let mut all: HashMap<Arc<str>, Self> = HashMap::new();
        let (mut monitor, mut number) = (String::new(), 0);
        loop {
            let rows = catalog.all_transitions(&monitor, number, PAGE).await?;
            for transition in rows.iter().filter_map(transition) {
                let past = all.entry(transition.monitor.clone()).or_default();
                past.add(&transition, now);
            }
            match rows.into_iter().next_back() {
                Some(last) => (monitor, number) = (last.monitor, last.number),
                None => return Ok(all),
            }
        }
    }

    pub(super) fn add(&mut self, transition: &Transition, now: Timestamp) {
        let history = Arc::make_mut(&mut self.history);
        history.push(transition.since, transition.to);
        history.forget_before(oldest_shown(now));
        self.last_transition = Some(Arc::new(transition.clone()));
    }
}

/// The begin of the longest window that is shown.
fn oldest_shown(now: Timestamp) -> Timestamp {
    let windows = WatchedMonitor::WINDOWS.iter().map(|(_, length)| *length);
    let longest = windows.max().unwrap_or(Duration::ZERO);
    let millis = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(millis))
}

/// A transition as the catalog holds it; none if a later version of the program has written a state that is unknown here.
pub(crate) fn transition(row: &MonitorTransition) -> Option<Transition> {
    Some(Transition {
        monitor: row.monitor.as_str().into(),
        number: row.number,
        from: State::from_name(&row.from)?,
        to: State::from_name(&row.to)?,
        at: row.at,
        since: row.since,
        cause: row.cause.clone(),
    })
}
