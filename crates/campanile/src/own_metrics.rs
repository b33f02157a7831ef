//! Stores the program's own figures as `job="campanile"`, so that it can be watched with its own means.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Appended, Clock, InvalidLabels, Labels, LabelsBuilder, MetricFamily, SampleBatch, SampleSink,
    stale_marker,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often: as often as Prometheus scrapes by default in its own configurations.
const INTERVAL: Duration = Duration::from_secs(15);

/// Takes the program's figures to the store.
pub(crate) struct OwnMetrics {
    sink: Arc<dyn SampleSink>,
    clock: Arc<dyn Clock>,
    instance: String,
    /// The series of the previous round: those that are no longer there get a stale marker.
    previous: BTreeSet<Labels>,
}

impl OwnMetrics {
    /// For a program that bears the label `instance`.
    pub(crate) fn new(sink: Arc<dyn SampleSink>, clock: Arc<dyn Clock>, instance: &str) -> Self {
        Self {
            sink,
            clock,
            instance: instance.to_owned(),
            previous: BTreeSet::new(),
        }
    }

    /// Stores what `families` yields until the program stops; none ends the series that were stored.
    pub(crate) async fn run(
        mut self,
        families: impl Fn() -> Option<Vec<MetricFamily>> + Send + 'static,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return Ok(()),
            }
            let families = families().unwrap_or_default();
            let store = move || {
                let stored = self.store(&families);
                (self, stored)
            };
            let (own, stored) = tokio::task::spawn_blocking(store).await?;
            self = own;
            match stored {
                Ok(appended) if appended.rejected.is_empty() => {}
                Ok(appended) => warn!(
                    rejected = appended.rejected.len(),
                    first = %appended.rejected[0].reason,
                    "own metrics were refused by the store"
                ),
                Err(error) => warn!(error = %format!("{error:#}"), "own metrics cannot be stored"),
            }
        }
    }

    fn store(&mut self, families: &[MetricFamily]) -> anyhow::Result<Appended> {
        let now = self.clock.now();
        let samples = with_target(families, &self.instance)?;
        let present: BTreeSet<Labels> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        let described = families
            .iter()
            .map(|family| (family.name.clone(), family.metadata.clone()));
        self.sink.describe(&described.collect::<Vec<_>>())?;
        let ended = self
            .previous
            .difference(&present)
            .map(|labels| (labels, stale_marker()));
        let rows = samples
            .iter()
            .map(|(labels, value)| (labels, *value))
            .chain(ended);
        let rows = rows.map(|(labels, value)| (labels, now, value));
        let appended = self.sink.append(&SampleBatch::packed(rows))?;
        self.previous = present;
        Ok(appended)
    }
}

/// All points, with the labels that say whose they are.
fn with_target(
    families: &[MetricFamily],
    instance: &str,
) -> Result<Vec<(Labels, f64)>, InvalidLabels> {
    let mut samples = Vec::new();
    for point in families.iter().flat_map(|family| &family.points) {
        let mut labels = LabelsBuilder::from_labels(&point.labels);
        labels.set("job", "campanile");
        labels.set("instance", instance);
        samples.push((labels.build()?, point.value));
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use model::{MetricKind, SampleColumns, Selection, SeriesSource as _, Timestamp, is_stale};
    use testkit::{MemoryStore, SimulatedClock};

    use super::*;

    #[test]
    fn a_series_that_ends_gets_a_stale_marker_once() {
        let store = Arc::new(MemoryStore::new(Duration::ZERO));
        let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(1_000)));
        let mut own = OwnMetrics::new(store.clone(), clock.clone(), "here:1");
        let mut family = MetricFamily::new("campanile_up", MetricKind::Gauge, "Help.");
        family.push(&[], 1.0).unwrap();
        for families in [&[family][..], &[], &[]] {
            own.store(families).unwrap();
            clock.advance(INTERVAL);
        }
        let (start, end) = (Timestamp::MIN, Timestamp::MAX);
        let selected = store
            .select(&Selection {
                matchers: Vec::new(),
                start,
                end,
            })
            .unwrap();
        let mut columns = SampleColumns::default();
        selected.read(0, &mut columns).unwrap();
        assert_eq!(selected.len(), 1);
        let shown = selected.labels(0).to_string();
        assert_eq!(shown, r#"campanile_up{instance="here:1",job="campanile"}"#);
        assert_eq!(columns.timestamps, [1_000, 16_000]);
        assert_eq!(columns.values[0], 1.0);
        assert!(is_stale(columns.values[1]));
    }
}
