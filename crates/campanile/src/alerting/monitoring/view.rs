//! What others see of the monitors: how each is, how it was, and the outages that last.
//!
//! It is changed after each check, one entry at a time, and read as a whole now and then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog::{Catalog, MonitorTransition};
use model::{Alert, Timestamp};
use server::{LastCheck, MonitorStatus, WatchedMonitor};
use uptime::{History, Memory, Monitor, Outage, State, Transition};

/// Transitions that are read for a monitor at the start: more than a healthy one has in a month.
const TRANSITIONS_MAX: u32 = 4_096;

/// The monitors as they are now.
#[derive(Default)]
pub(crate) struct View(Mutex<BTreeMap<Arc<str>, Shown>>);

struct Shown {
    monitor: WatchedMonitor,
    outage: Option<Alert>,
}

/// What is shown of a monitor besides its memory.
#[derive(Default)]
pub(super) struct Past {
    history: Arc<History>,
    cause: Arc<str>,
    pub(super) last_check: Option<LastCheck>,
}

impl View {
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
    ) {
        let mut shown = self.shown();
        shown.extend(monitors.map(entry));
    }

    /// Shows these monitors and no others.
    pub(super) fn replace<'a>(
        &self,
        monitors: impl Iterator<Item = (&'a Arc<Monitor>, &'a Memory, Option<&'a Past>)>,
    ) {
        *self.shown() = monitors.map(entry).collect();
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Shown>> {
        // Entries are whole at any time, so a panic of another thread has spoilt nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry((monitor, memory, past): (&Arc<Monitor>, &Memory, Option<&Past>)) -> (Arc<str>, Shown) {
    let outage = memory.outage.as_ref().filter(|outage| outage.lasts());
    let status = MonitorStatus {
        monitor: monitor.clone(),
        state: memory.state,
        since: memory.since,
        cause: past.map(|past| past.cause.clone()).unwrap_or_default(),
        last_check: past.and_then(|past| past.last_check.clone()),
    };
    let shown = Shown {
        monitor: WatchedMonitor {
            status: Arc::new(status),
            history: past.map(|past| past.history.clone()).unwrap_or_default(),
        },
        outage: outage.map(Outage::alert),
    };
    (monitor.name.clone(), shown)
}

impl Past {
    /// What the catalog knows of a monitor.
    ///
    /// Errors: the catalog cannot be read.
    pub(super) async fn load(
        catalog: &Catalog,
        monitor: &str,
        now: Timestamp,
    ) -> Result<Self, catalog::Error> {
        let rows = catalog.transitions(monitor, Timestamp::MIN, Timestamp::MAX, TRANSITIONS_MAX);
        let mut past = Self::default();
        for transition in rows.await?.iter().rev().filter_map(transition) {
            past.add(&transition, now);
        }
        Ok(past)
    }

    pub(super) fn add(&mut self, transition: &Transition, now: Timestamp) {
        let history = Arc::make_mut(&mut self.history);
        history.push(transition.since, transition.to);
        history.forget_before(oldest_shown(now));
        self.cause = transition.cause.as_str().into();
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
