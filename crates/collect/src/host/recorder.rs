//! The loop: wait for the tick, collect, store.

use std::collections::HashSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use model::{AppendError, Appended, Metadata, MetricFamily, SampleBatch, SampleSink, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::schedule::Schedule;
use super::tracker::Tracker;
use super::{Collection, Host};

/// How long after its start the loop collects for the second time, so that there are rates to show.
const SECOND_COLLECTION: Duration = Duration::from_millis(250);

/// Collects every interval and stores the samples with `job="node"` and `instance`, until shutdown.
///
/// It collects at once, again a quarter of a second later, and from then on at whole multiples of the interval.
pub async fn run(host: Arc<Host>, sink: Arc<dyn SampleSink>, shutdown: CancellationToken) {
    let mut schedule = Schedule::new(host.config.interval);
    let mut recorder = Recorder::new(Arc::clone(&host), sink);
    let mut due = None;
    let mut is_first = true;
    loop {
        let now = host.clock.now();
        let timestamp = due.map_or(now, |due| schedule.timestamp(due, now));
        let record = tokio::task::spawn_blocking(move || {
            recorder.record(timestamp);
            recorder
        });
        recorder = match record.await {
            Ok(recorder) => recorder,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => return,
        };
        let wait = if std::mem::take(&mut is_first) {
            SECOND_COLLECTION
        } else {
            let tick = schedule.next(&*host.clock);
            host.state().ticks_missed += tick.missed;
            due = Some(tick.at);
            tick.wait
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Collects and stores.
struct Recorder {
    host: Arc<Host>,
    sink: Arc<dyn SampleSink>,
    tracker: Tracker,
    described: HashSet<String, RandomState>,
    /// Whether the store took all of the last collection; what it refuses is logged only when that begins.
    is_stored: bool,
}

impl Recorder {
    fn new(host: Arc<Host>, sink: Arc<dyn SampleSink>) -> Self {
        Self {
            tracker: Tracker::new(host.nodename.clone()),
            host,
            sink,
            described: HashSet::default(),
            is_stored: true,
        }
    }

    /// One collection, whose samples bear `timestamp`.
    fn record(&mut self, timestamp: Timestamp) {
        let collection = self.host.collect_at(timestamp);
        let stored = self.store(&collection);
        if stored.is_err() {
            self.host.state().appends_failed += 1;
        }
        let refused = match stored {
            Ok(appended) => appended
                .rejected
                .into_iter()
                .next()
                .map(|row| row.reason.to_string()),
            Err(error) => Some(error.to_string()),
        };
        match &refused {
            Some(reason) if self.is_stored => warn!(reason, "store refuses host metrics"),
            None if !self.is_stored => info!("store takes host metrics again"),
            _ => {}
        }
        self.is_stored = refused.is_none();
    }

    fn store(&mut self, collection: &Collection) -> Result<Appended, AppendError> {
        let families = &collection.families;
        let samples = self.tracker.samples(families, collection.timestamp);
        let rows = samples
            .iter()
            .map(|(labels, at, value)| (labels, *at, *value));
        let appended = self.sink.append(&SampleBatch::packed(rows))?;
        let mut state = self.host.state();
        state.samples_accepted += appended.accepted as u64;
        state.samples_rejected += appended.rejected.len() as u64;
        drop(state);
        self.describe(families)?;
        Ok(appended)
    }

    /// Describes the families that have not been described yet.
    fn describe(&mut self, families: &[MetricFamily]) -> Result<(), AppendError> {
        let is_new = |family: &&MetricFamily| !self.described.contains(&family.name);
        let new = families.iter().filter(is_new);
        let descriptions: Vec<(String, Metadata)> = new
            .map(|family| (family.name.clone(), family.metadata.clone()))
            .collect();
        if descriptions.is_empty() {
            return Ok(());
        }
        self.sink.describe(&descriptions)?;
        let names = descriptions.into_iter().map(|(name, _)| name);
        self.described.extend(names);
        Ok(())
    }
}
