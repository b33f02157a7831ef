//! One round of all collectors: who is at home is sent out, who comes back in time is heard, who is away is told.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, MetricFamily, MetricKind, Timestamp};

use super::collector::Collector;
use super::deadline::Workers;
use super::{Collection, Failure};
use crate::CollectError;

/// The collectors that are at home, and the threads on which they run.
pub(crate) struct Collecting {
    deadline: Duration,
    collectors: BTreeMap<&'static str, Box<dyn Collector>>,
    workers: Workers<&'static str, Box<dyn Collector>, Finished>,
    /// Since when those have been under way that missed their deadline, on the monotonic clock.
    away: BTreeMap<&'static str, Duration>,
    clock: Arc<dyn Clock>,
}

/// A collector that has come back, and what it brings.
struct Finished {
    collector: Box<dyn Collector>,
    families: Vec<MetricFamily>,
    outcome: Result<(), CollectError>,
    took: Duration,
}

impl Collecting {
    /// Collectors with distinct names, each of which may take `deadline`.
    pub(crate) fn new(
        collectors: Vec<Box<dyn Collector>>,
        deadline: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let named = |collector: Box<dyn Collector>| (collector.name(), collector);
        let working_clock = Arc::clone(&clock);
        let work = Arc::new(move |collector| run_collector(collector, &*working_clock));
        Self {
            deadline,
            collectors: collectors.into_iter().map(named).collect(),
            workers: Workers::new("host-collect", work),
            away: BTreeMap::new(),
            clock,
        }
    }

    /// Runs every collector that is at home once; `timestamp` is what the collection bears.
    pub(crate) fn collect(&mut self, timestamp: Timestamp) -> Collection {
        // What the late ones bring is old, but they themselves can be used again.
        for (name, finished) in self.workers.take_late() {
            self.away.remove(name);
            self.collectors.insert(name, finished.collector);
        }
        let monotonic = self.clock.monotonic();
        let collectors = std::mem::take(&mut self.collectors);
        let answers = self
            .workers
            .run(collectors.into_iter().collect(), self.deadline);
        let mut round = Round::new();
        for (name, finished) in answers.in_time {
            self.collectors.insert(name, finished.collector);
            round.families.extend(finished.families);
            round.report(name, finished.outcome, finished.took);
        }
        for (name, collector) in answers.not_begun {
            self.collectors.insert(name, collector);
            round.report(name, Err(CollectError::NotBegun), Duration::ZERO);
        }
        for name in answers.missed {
            self.away.insert(name, monotonic);
        }
        let now = self.clock.monotonic();
        for (name, since) in &self.away {
            let deadline = self.deadline;
            let took = now.saturating_sub(*since);
            round.report(name, Err(CollectError::Missed { deadline }), took);
        }
        round.finish(timestamp, monotonic)
    }
}

/// A collection that is being put together.
struct Round {
    families: Vec<MetricFamily>,
    success: MetricFamily,
    duration: MetricFamily,
    failures: BTreeMap<&'static str, Failure>,
}

impl Round {
    fn new() -> Self {
        let gauge = |name, help| MetricFamily::new(name, MetricKind::Gauge, help);
        Self {
            families: Vec::new(),
            success: gauge(
                "node_scrape_collector_success",
                "Whether a collector succeeded.",
            ),
            duration: gauge(
                "node_scrape_collector_duration_seconds",
                "Duration of a collector's work.",
            ),
            failures: BTreeMap::new(),
        }
    }

    fn report(&mut self, name: &'static str, outcome: Result<(), CollectError>, took: Duration) {
        let labels = [("collector", name)];
        let value = f64::from(outcome.is_ok());
        let pushed = self.success.push(&labels, value);
        let also = self.duration.push(&labels, took.as_secs_f64());
        pushed
            .and(also)
            .expect("invariant: a collector's name is a short label");
        if let Err(error) = outcome {
            let failure = Failure {
                reason: error.to_string(),
                no_data: matches!(error, CollectError::NoData { .. }),
            };
            self.failures.insert(name, failure);
        }
    }

    fn finish(self, timestamp: Timestamp, monotonic: Duration) -> Collection {
        let mut families = self.families;
        for mut family in [self.success, self.duration] {
            // Collectors answer in any order.
            family.points.sort_by(|a, b| a.labels.cmp(&b.labels));
            families.push(family);
        }
        families.retain(|family| !family.points.is_empty());
        families.sort_by(|a, b| a.name.cmp(&b.name));
        Collection {
            timestamp,
            monotonic,
            families,
            failures: self.failures,
        }
    }
}

fn run_collector(mut collector: Box<dyn Collector>, clock: &dyn Clock) -> Finished {
    let begin = clock.monotonic();
    let mut families = Vec::new();
    let read = AssertUnwindSafe(|| collector.read(&mut families));
    let outcome = catch_unwind(read).unwrap_or(Err(CollectError::Panicked));
    Finished {
        took: clock.monotonic().saturating_sub(begin),
        collector,
        families,
        outcome,
    }
}
