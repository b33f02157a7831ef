//! The queries of rules: each can be stopped, and the time of each is known.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Clock, SeriesSource, Timestamp};
use promql::{Interrupt, Stop};
use server::{Asker, QueryKind, RunningQueries};

use super::{Settings, Surroundings};

/// The queries of rules, and how long those that run have been at it.
pub(super) struct Queries {
    source: Arc<dyn SeriesSource>,
    /// All queries that run, others than those of rules too.
    list: RunningQueries,
    clock: Arc<dyn Clock>,
    limits: promql::Limits,
    timeout: Duration,
    /// By number, each with its start.
    running: Mutex<BTreeMap<u64, (Duration, Interrupt)>>,
    /// Whether the program ends: those that begin now end at once.
    is_stopped: AtomicBool,
}

/// A query that runs, until it is dropped.
struct Running<'q>(&'q Queries, u64);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running().remove(&self.1);
    }
}

thread_local! {
    /// How long the queries of the rule that is being evaluated on this thread took so far.
    static SPENT: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

impl Queries {
    pub(super) fn new(around: &Surroundings, settings: &Settings) -> Self {
        Self {
            source: around.source.clone(),
            list: around.queries.clone(),
            clock: around.clock.clone(),
            limits: settings.limits.clone(),
            timeout: settings.query_timeout,
            running: Mutex::default(),
            is_stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn evaluate(
        &self,
        expr: &promql::Expr,
        at: Timestamp,
    ) -> Result<promql::Answer, promql::EvalError> {
        // They pass no gate: nobody who asks may keep alerts from being evaluated.
        let query = self
            .list
            .start(QueryKind::Rule, &expr.to_string(), Asker::default());
        query.begin();
        let interrupt = query.interrupt().clone();
        let started = self.clock.monotonic();
        let running = {
            let mut running = self.running();
            let number = running.last_key_value().map_or(0, |(last, _)| last + 1);
            running.insert(number, (started, interrupt.clone()));
            Running(self, number)
        };
        if self.is_stopped.load(Ordering::SeqCst) {
            interrupt.stop(Stop::Cancelled);
        }
        let answer = promql::evaluate_instant(&*self.source, expr, at, &self.limits, &interrupt);
        match &answer {
            Ok(_) => query.end("success"),
            Err(error) => query.fail(error),
        }
        drop((running, query));
        let took = self.clock.monotonic().saturating_sub(started);
        SPENT.set(SPENT.get() + took);
        answer
    }

    /// The time that this thread spent on queries since it was last asked.
    pub(super) fn take_time(&self) -> Duration {
        SPENT.replace(Duration::ZERO)
    }

    pub(super) fn stop_overdue(&self) {
        let now = self.clock.monotonic();
        for (started, interrupt) in self.running().values() {
            if now.saturating_sub(*started) > self.timeout {
                interrupt.stop(Stop::TimedOut);
            }
        }
    }

    pub(super) fn stop_all(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        for (_, interrupt) in self.running().values() {
            interrupt.stop(Stop::Cancelled);
        }
    }

    /// Those that run, by number.
    pub(super) fn running(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<u64, (Duration, Interrupt)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
