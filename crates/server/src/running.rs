//! The queries that run: who asked what and since when. Each can be ended from outside.
//!
//! A query is in the list from the moment at which it came until its last thread has let go of it. While it is evaluated it
//! also stands in a small file, so that after a crash one knows what ran (see [`left_behind`]). When it ends it is
//! counted, it adds to what is known of its expression, and if it was slow it is logged.

mod left_behind;
mod slow;
mod top;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Clock, Timestamp};
use promql::{EvalError, Interrupt, Progress, QueryLimit, Stop};
use tokio_util::sync::CancellationToken;

use crate::metrics::QueryMetrics;
use left_behind::{Slot, SlotFile};
use slow::SlowLog;
use top::TopQueries;
pub(crate) use top::{Order, Totals};

/// Bytes of an expression that are kept: what one reads of it anyway. The rest is cut off.
const EXPRESSION_BYTES_MAX: usize = 800;

/// Bytes of what a client says of itself.
const USER_AGENT_BYTES_MAX: usize = 160;

/// The queries that run; a clone is another handle on the same list.
#[derive(Clone)]
pub struct RunningQueries(Arc<Shared>);

/// A query in the list; it leaves when the last clone is dropped.
#[derive(Clone)]
pub struct RunningQuery(Arc<Ticket>);

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueryKind {
    /// For one moment, over HTTP.
    Instant,
    /// For a range, over HTTP.
    Range,
    /// For its plan.
    Explain,
    /// Kept evaluated for the live feed.
    Live,
    /// Remote read.
    Read,
    /// Federation.
    Federate,
    /// From a rule.
    Rule,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// The address from which it came; empty if it came from the program itself.
    pub address: String,
    /// What the client says of itself.
    pub user_agent: String,
}

/// A query as it is now.
#[derive(Clone, Debug)]
pub(crate) struct ActiveQuery {
    pub(crate) id: u64,
    pub(crate) kind: QueryKind,
    pub(crate) expression: String,
    pub(crate) asker: Asker,
    pub(crate) started: Timestamp,
    pub(crate) duration: Duration,
    /// Whether it still waits for its turn.
    pub(crate) is_waiting: bool,
    pub(crate) progress: Progress,
}

struct Shared {
    clock: Arc<dyn Clock>,
    list: Mutex<List>,
    top: Mutex<TopQueries>,
    slow: SlowLog,
    file: Option<SlotFile>,
    metrics: QueryMetrics,
}

#[derive(Default)]
struct List {
    last: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
}

/// What is known of a query from its beginning.
struct Entry {
    id: u64,
    kind: QueryKind,
    expression: String,
    asker: Asker,
    started: Timestamp,
    /// The same on the monotonic clock.
    started_at: Duration,
    is_waiting: AtomicBool,
    interrupt: Interrupt,
    cancelled: CancellationToken,
}

/// The place of a query in the list.
struct Ticket {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    running: Mutex<Ending>,
}

/// What is needed at the end.
struct Ending {
    slot: Option<Slot>,
    /// One that nobody has told the outcome of was left by its client.
    outcome: &'static str,
    is_counted: bool,
}

impl RunningQueries {
    /// No queries yet, and none of a file.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, None)
    }

    /// Logs what ran when the program ended the last time, and keeps what runs from now on in `queries.active` in the
    /// directory. Without that file, which is told, everything else works.
    pub fn open(clock: Arc<dyn Clock>, directory: &Path) -> Self {
        Self::with(clock, SlotFile::open(directory))
    }

    fn with(clock: Arc<dyn Clock>, file: Option<SlotFile>) -> Self {
        Self(Arc::new(Shared {
            clock,
            list: Mutex::default(),
            top: Mutex::default(),
            slow: SlowLog::default(),
            file,
            metrics: QueryMetrics::default(),
        }))
    }

    /// Queries that took longer are logged from now on; zero logs none.
    pub fn set_log_slower_than(&self, duration: Duration) {
        self.0.slow.set_slower_than(duration);
    }

    /// Puts a query into the list. It waits until [`RunningQuery::begin`].
    pub fn start(&self, kind: QueryKind, expression: &str, asker: Asker) -> RunningQuery {
        let shared = &self.0;
        let (started, started_at) = (shared.clock.now(), shared.clock.monotonic());
        let mut list = shared.list();
        list.last += 1;
        let entry = Arc::new(Entry {
            id: list.last,
            kind,
            expression: shortened(expression, EXPRESSION_BYTES_MAX),
            asker,
            started,
            started_at,
            is_waiting: AtomicBool::new(true),
            interrupt: Interrupt::new(),
            cancelled: CancellationToken::new(),
        });
        list.entries.insert(entry.id, entry.clone());
        drop(list);
        let running = Mutex::new(Ending {
            slot: None,
            outcome: "canceled",
            is_counted: false,
        });
        RunningQuery(Arc::new(Ticket {
            shared: shared.clone(),
            entry,
            running,
        }))
    }

    /// All queries in the list, the oldest first.
    pub(crate) fn list(&self) -> Vec<ActiveQuery> {
        let now = self.0.clock.monotonic();
        let entries: Vec<Arc<Entry>> = self.0.list().entries.values().cloned().collect();
        let active = entries.iter().map(|entry| ActiveQuery {
            id: entry.id,
            kind: entry.kind,
            expression: entry.expression.clone(),
            asker: entry.asker.clone(),
            started: entry.started,
            duration: now.saturating_sub(entry.started_at),
            is_waiting: entry.is_waiting.load(Relaxed),
            progress: entry.interrupt.progress(),
        });
        active.collect()
    }

    /// Ends a query; whether there is one of that number.
    pub(crate) fn cancel(&self, id: u64) -> bool {
        let entry = self.0.list().entries.get(&id).cloned();
        let Some(entry) = entry else {
            return false;
        };
        // First what the answer says, then what makes it come.
        entry.cancelled.cancel();
        entry.interrupt.stop(Stop::Cancelled);
        true
    }

    /// The expressions of the most queries, or of those that took the most time.
    pub(crate) fn top(&self, order: Order, count: usize) -> Vec<(QueryKind, String, Totals)> {
        let top = self.0.top.lock().unwrap_or_else(PoisonError::into_inner);
        top.first(order, count)
    }

    pub(crate) fn metrics(&self) -> &QueryMetrics {
        &self.0.metrics
    }
}

impl RunningQuery {
    /// What the evaluation polls.
    pub fn interrupt(&self) -> &Interrupt {
        &self.0.entry.interrupt
    }

    /// It is its turn.
    pub fn begin(&self) {
        let Ticket { shared, entry, .. } = &*self.0;
        entry.is_waiting.store(false, Relaxed);
        if let Some(file) = &shared.file {
            let slot = file.put(entry.kind, entry.started, &entry.expression);
            self.0.ending().slot = slot;
        }
    }

    /// It has ended without an answer; a limit that was reached is counted.
    pub fn fail(&self, error: &EvalError) {
        let (outcome, reason) = match error {
            EvalError::TimedOut => ("timeout", None),
            EvalError::Cancelled => ("canceled", None),
            EvalError::BadQuery { .. } => ("bad_data", None),
            EvalError::Unsupported { .. } | EvalError::Execution { .. } => ("execution", None),
            EvalError::Limit { limit, .. } => ("execution", Some(reason(*limit))),
            EvalError::Source(model::SourceError::Limit(_)) => ("execution", Some("memory")),
            EvalError::Source(model::SourceError::Busy(_)) => ("unavailable", Some("busy")),
            EvalError::Source(model::SourceError::Storage(_)) => ("internal", None),
        };
        if let Some(reason) = reason {
            self.0.shared.metrics.count_refused(reason);
        }
        self.end(outcome);
    }

    /// It has ended like that: `success`, or the type of its error.
    pub fn end(&self, outcome: &'static str) {
        let mut ending = self.0.ending();
        if !ending.is_counted {
            ending.outcome = outcome;
        }
    }

    /// Counts it as it is, since nobody waits for it any more; its last thread may not have noticed yet.
    pub(crate) fn settle(&self) {
        self.0.settle();
    }

    /// Waits until somebody wants it to end.
    pub(crate) async fn cancelled(&self) {
        self.0.entry.cancelled.cancelled().await;
    }
}

impl QueryKind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Instant,
        Self::Range,
        Self::Explain,
        Self::Live,
        Self::Read,
        Self::Federate,
        Self::Rule,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Range => "range",
            Self::Explain => "explain",
            Self::Live => "live",
            Self::Read => "read",
            Self::Federate => "federate",
            Self::Rule => "rule",
        }
    }
}

impl Asker {
    /// A client at an address.
    pub(crate) fn client(address: String, user_agent: &str) -> Self {
        Self {
            address,
            user_agent: shortened(user_agent, USER_AGENT_BYTES_MAX),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Self { shared, entry, .. } = &*self;
        shared.list().entries.remove(&entry.id);
        let (outcome, took) = self.settle();
        let slot = self.ending().slot.take();
        if let (Some(file), Some(slot)) = (&shared.file, slot) {
            file.clear(slot);
        }
        let (now, progress) = (shared.clock.monotonic(), entry.interrupt.progress());
        let mut top = shared.top.lock().unwrap_or_else(PoisonError::into_inner);
        top.add(entry.kind, &entry.expression, took, now);
        drop(top);
        let Some(left_out) = shared.slow.admit(took, now) else {
            return;
        };
        tracing::info!(
            expression = entry.expression,
            kind = entry.kind.as_str(),
            client = entry.asker.address,
            user_agent = entry.asker.user_agent,
            duration_ms = took.as_secs_f64() * 1000.0,
            samples = progress.samples_read,
            series = progress.series,
            bytes_peak = progress.bytes_peak,
            outcome,
            left_out,
            "slow query"
        );
    }
}

impl Ticket {
    /// Counts it once; how it ended, and how long it took so far.
    fn settle(&self) -> (&'static str, Duration) {
        let Self { shared, entry, .. } = self;
        let took = shared.clock.monotonic().saturating_sub(entry.started_at);
        let mut ending = self.ending();
        let outcome = ending.outcome;
        if !std::mem::replace(&mut ending.is_counted, true) {
            let progress = entry.interrupt.progress();
            shared.metrics.observe(entry.kind, outcome, took, progress);
            if outcome == "timeout" {
                shared.metrics.count_refused("timeout");
            }
        }
        (outcome, took)
    }

    fn ending(&self) -> MutexGuard<'_, Ending> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn reason(limit: QueryLimit) -> &'static str {
    match limit {
        QueryLimit::Samples => "max_samples",
        QueryLimit::Series => "max_series",
        QueryLimit::Memory => "max_memory",
        QueryLimit::Source => "memory",
    }
}

/// The beginning of a text on one line.
fn shortened(text: &str, bytes_max: usize) -> String {
    let mut short = String::with_capacity(text.len().min(bytes_max));
    for letter in text.chars() {
        let letter = if letter.is_control() { ' ' } else { letter };
        if short.len() + letter.len_utf8() > bytes_max {
            short.push('…');
            break;
        }
        short.push(letter);
    }
    short
}
