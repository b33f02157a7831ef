//! The prober's own metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use model::{Labels, MetricFamily, MetricKind, NAME, Point};
use uptime::Outcome;

use super::pulse::Pulse;

/// Seconds, from "on this machine" to "ran into a long timeout".
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

const RESULTS: [&str; 3] = ["success", "failure", "unknown"];

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    results: [AtomicU64; RESULTS.len()],
    in_flight: AtomicI64,
    /// One for each bucket, not cumulated; the last is for what is longer than all.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    nanos: AtomicU64,
}

/// A check that runs; it is in flight until it is dropped.
pub(crate) struct Running<'a>(&'a Metrics);

impl Metrics {
    /// Begins a check.
    pub(crate) fn start(&self) -> Running<'_> {
        self.in_flight.fetch_add(1, Relaxed);
        Running(self)
    }

    /// All of them now.
    pub(crate) fn families(&self, pulse: &Pulse) -> Vec<MetricFamily> {
        let mut total = MetricFamily::new(
            "campanile_checks_total",
            MetricKind::Counter,
            "Checks that were carried out, by how they ended; unknown is this machine's own trouble.",
        );
        for (result, count) in RESULTS.iter().zip(&self.results) {
            push(
                &mut total,
                "",
                &[("result", result)],
                count.load(Relaxed) as f64,
            );
        }
        let mut in_flight = MetricFamily::new(
            "campanile_checks_in_flight",
            MetricKind::Gauge,
            "Checks that are being carried out.",
        );
        push(&mut in_flight, "", &[], self.in_flight.load(Relaxed) as f64);
        let mut late = MetricFamily::new(
            "campanile_pulse_late_seconds_total",
            MetricKind::Counter,
            "Time for which this process did not get the processor when it was due; above zero, this machine is too busy.",
        );
        push(&mut late, "", &[], pulse.late_seconds());
        vec![total, in_flight, self.durations(), late]
    }

    fn durations(&self) -> MetricFamily {
        let mut family = MetricFamily::new(
            "campanile_check_duration_seconds",
            MetricKind::Histogram,
            "Time that checks took.",
        );
        let mut count = 0;
        for (bucket, of_bucket) in self.buckets.iter().enumerate() {
            count += of_bucket.load(Relaxed);
            let bound = BUCKETS.get(bucket);
            let bound = bound.map_or("+Inf".to_owned(), f64::to_string);
            push(&mut family, "_bucket", &[("le", &bound)], count as f64);
        }
        push(
            &mut family,
            "_sum",
            &[],
            self.nanos.load(Relaxed) as f64 / 1e9,
        );
        push(&mut family, "_count", &[], count as f64);
        family
    }
}

impl Running<'_> {
    /// Counts how the check ended.
    pub(crate) fn end(self, outcome: &Outcome, took: Duration) {
        let result = match outcome {
            Outcome::Success => 0,
            Outcome::Failure(_) => 1,
            Outcome::OwnTrouble(_) => 2,
        };
        let Self(metrics) = self;
        metrics.results[result].fetch_add(1, Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound);
        metrics.buckets[bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        metrics.nanos.fetch_add(nanos, Relaxed);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

fn push(family: &mut MetricFamily, suffix: &str, labels: &[(&str, &str)], value: f64) {
    let name = format!("{}{suffix}", family.name);
    let pairs = labels.iter().copied().chain([(NAME, name.as_str())]);
    let labels = Labels::from_pairs(pairs);
    family.points.push(Point {
        labels: labels.expect("invariant: the labels of own metrics are short and distinct"),
        value,
        timestamp: None,
    });
}

#[cfg(test)]
mod tests;
