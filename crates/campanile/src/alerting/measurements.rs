//! What checks have measured, on its way to the store: gathered for a moment, so that many checks share one write and one
//! waking of another thread.

use std::sync::Arc;
use std::time::Duration;

use collect::probe::{Probe, Prober, Series};
use model::{Clock, SampleBatch, SampleSink, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

/// How long a measurement waits for others; nobody looks at a graph that closely.
const GATHER: Duration = Duration::from_millis(100);

/// A batch that is this large does not wait.
const BATCH_MAX: usize = 1_000;

/// Batches that may wait for the store; more mean that it is stuck.
const WAITING_MAX: usize = 16;

/// Gathers measurements; what is not handed over when it is dropped is lost.
pub(super) struct Measurements {
    clock: Arc<dyn Clock>,
    batch: Vec<Measured>,
    /// When the first one of the batch came.
    since: Duration,
    store: mpsc::Sender<Vec<Measured>>,
}

enum Measured {
    Probe(Box<Probe>, Arc<Series>),
    /// These series end.
    End(Arc<Series>, Timestamp),
}

impl Measurements {
    /// Starts the task that stores; it ends when this value is dropped and everything is stored.
    pub(super) fn start(
        clock: Arc<dyn Clock>,
        sink: Arc<dyn SampleSink>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (store, batches) = mpsc::channel(WAITING_MAX);
        tasks.spawn_blocking(move || write(batches, &*sink));
        Self {
            clock,
            batch: Vec::new(),
            since: Duration::ZERO,
            store,
        }
    }

    /// Takes the result of a check.
    pub(super) fn add(&mut self, probe: Probe, series: Arc<Series>) {
        self.push(Measured::Probe(Box::new(probe), series));
    }

    /// Ends series of which nothing more will come.
    pub(super) fn end(&mut self, series: Arc<Series>, at: Timestamp) {
        self.push(Measured::End(series, at));
    }

    /// In how long the batch is to be handed over; none if it is empty.
    pub(super) fn due_in(&self) -> Option<Duration> {
        let waited = self.clock.monotonic().saturating_sub(self.since);
        (!self.batch.is_empty()).then(|| GATHER.saturating_sub(waited))
    }

    /// Hands the batch over if it is time to.
    pub(super) fn hand_over_if_due(&mut self) {
        if self.due_in().is_some_and(|wait| wait.is_zero()) {
            self.hand_over();
        }
    }

    /// Hands the batch over. If the store is stuck, the batch is lost; checks and alerts go on.
    pub(super) fn hand_over(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if let Err(error) = self.store.try_send(batch) {
            let lost = error.into_inner().len();
            warn!(lost, "the store does not keep up: measurements are lost");
        }
    }

    fn push(&mut self, measured: Measured) {
        if self.batch.is_empty() {
            self.since = self.clock.monotonic();
        }
        self.batch.push(measured);
        if self.batch.len() >= BATCH_MAX {
            self.hand_over();
        }
    }
}

/// Stores batches until nobody sends any more.
fn write(mut batches: mpsc::Receiver<Vec<Measured>>, sink: &dyn SampleSink) {
    if let Err(error) = sink.describe(&Prober::descriptions()) {
        warn!(%error, "the store refuses the descriptions of checks");
    }
    let mut is_taken = true;
    while let Some(batch) = batches.blocking_recv() {
        let mut rows = Vec::new();
        for measured in &batch {
            match measured {
                Measured::Probe(probe, series) => rows.extend(probe.samples(series)),
                Measured::End(series, at) => rows.extend(series.end(*at)),
            }
        }
        let rows = rows.iter().map(|(labels, at, value)| (labels, *at, *value));
        let refused = match sink.append(&SampleBatch::packed(rows)) {
            Ok(appended) => {
                let first = appended.rejected.into_iter().next();
                first.map(|row| row.reason.to_string())
            }
            Err(error) => Some(error.to_string()),
        };
        match &refused {
            Some(reason) if is_taken => warn!(reason, "the store refuses measurements of checks"),
            None if !is_taken => info!("the store takes measurements of checks again"),
            _ => {}
        }
        is_taken = refused.is_none();
    }
}
