//! The gate that queries pass: so many run, so many wait, and each is stopped when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use promql::{Interrupt, Stop};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Server;
use crate::error::{ApiError, ErrorType};
use crate::metrics::{InFlight, Metrics};
use crate::running::RunningQuery;

pub(crate) struct QueryGate {
    slots: Arc<Semaphore>,
    running_max: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
    in_flight_gauge: Gauge,
    waiting_gauge: Gauge,
}

/// Who waits for the answer to a query; clones share their patience.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    interrupt: Interrupt,
    is_gone: Arc<AtomicBool>,
}

impl Caller {
    /// Who waits for a query of the list.
    fn of(running: &RunningQuery) -> Self {
        Self {
            interrupt: running.interrupt().clone(),
            is_gone: Arc::default(),
        }
    }

    /// What an evaluation polls.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// An error, which nobody will read, if nobody waits any more.
    pub(crate) fn require(&self) -> Result<(), ApiError> {
        if self.is_gone.load(Ordering::Relaxed) {
            let message = "nobody waits for the answer any more";
            return Err(ApiError::new(ErrorType::Canceled, message));
        }
        Ok(())
    }

    pub(crate) fn leave(&self, reason: Stop) {
        self.interrupt.stop(reason);
        self.is_gone.store(true, Ordering::Relaxed);
    }
}

impl QueryGate {
    pub(crate) fn new(running_max: usize, waiting_max: usize, metrics: &Metrics) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(running_max)),
            running_max,
            waiting: AtomicUsize::new(0),
            waiting_max,
            in_flight_gauge: metrics.queries_in_flight.clone(),
            waiting_gauge: metrics.queries_waiting.clone(),
        }
    }

    /// Waits for a slot and lets `work` run on a thread of its own.
    ///
    /// When `timeout` passes or this future is dropped (the client hung up), `work` is told so by its caller. Its
    /// slot is free again only when it has really ended.
    ///
    /// Errors: those of `work`; too many queries wait already; the time was over.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        server: &Server,
        timeout: Duration,
        work: impl FnOnce(&Caller) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.pass(server, timeout, Caller::default(), work).await
    }

    /// The same for a query of the list, which can be ended from there, and which is told how it ended.
    ///
    /// Errors: as [`QueryGate::run`]; somebody ended it.
    pub(crate) async fn run_query<T: Send + 'static>(
        &self,
        server: &Server,
        timeout: Duration,
        running: RunningQuery,
        work: impl FnOnce(&Caller, &RunningQuery) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let inside = running.clone();
        let work = move |caller: &Caller| {
            inside.begin();
            work(caller, &inside)
        };
        let _settled = SettleOnDrop(&running);
        let passing = self.pass(server, timeout, Caller::of(&running), work);
        let outcome = tokio::select! {
            biased;
            () = running.cancelled() => Err(cancelled()),
            outcome = passing => outcome,
        };
        let result = outcome.as_ref().err();
        running.end(result.map_or("success", ApiError::type_name));
        outcome
    }

    async fn pass<T: Send + 'static>(
        &self,
        server: &Server,
        timeout: Duration,
        caller: Caller,
        work: impl FnOnce(&Caller) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let waits = LeaveOnDrop(caller.clone());
        let evaluation = async {
            let slot = self.slot().await.inspect_err(|_| {
                server.running().metrics().count_refused("queue");
            })?;
            let in_flight = InFlight::enter(&self.in_flight_gauge);
            let guarded = move || {
                let _held = (slot, in_flight);
                work(&caller)
            };
            server.blocking(guarded).await?
        };
        match tokio::time::timeout(timeout, evaluation).await {
            Ok(result) => result,
            Err(_) => {
                waits.0.leave(Stop::TimedOut);
                Err(timed_out(timeout))
            }
        }
    }

    /// Of so many threads those that each query can have.
    pub(crate) fn threads_each(&self, threads: usize) -> usize {
        let running = usize::try_from(self.in_flight_gauge.get()).unwrap_or(0);
        (threads / running.max(1)).max(1)
    }

    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        let _place = Place::take(self).ok_or_else(|| {
            ApiError::unavailable(format!(
                "{} queries run and {} wait already: try again later, or raise limits.concurrent_queries",
                self.running_max, self.waiting_max
            ))
        })?;
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        Ok(slot.expect("invariant: the semaphore is never closed"))
    }
}

/// The answer to a query that took too long.
pub(crate) fn timed_out(timeout: Duration) -> ApiError {
    let shown = model::duration::format(timeout);
    ApiError::new(
        ErrorType::Timeout,
        format!(
            "the query did not end within its timeout of {shown}: ask for less, or raise query.timeout"
        ),
    )
}

/// The answer to a query that somebody ended.
fn cancelled() -> ApiError {
    let message = "the query was canceled by a request to /api/v1/status/active_queries";
    ApiError::new(ErrorType::Canceled, message)
}

/// A place in the queue.
struct Place<'a> {
    gate: &'a QueryGate,
    _gauge: InFlight,
}

impl<'a> Place<'a> {
    fn take(gate: &'a QueryGate) -> Option<Self> {
        let taken = gate
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                (waiting < gate.waiting_max).then_some(waiting + 1)
            });
        taken.ok().map(|_| Self {
            gate,
            _gauge: InFlight::enter(&gate.waiting_gauge),
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts the query when nobody waits for it any more.
struct SettleOnDrop<'q>(&'q RunningQuery);

impl Drop for SettleOnDrop<'_> {
    fn drop(&mut self) {
        self.0.settle();
    }
}

/// Stops the query when its client is gone; one that has ended does not mind.
struct LeaveOnDrop(Caller);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        self.0.leave(Stop::Cancelled);
    }
}
