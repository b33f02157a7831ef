//! Stores the program's own figures as `job="campanile"`, so that it can be watched with its own means.

use std::sync::Arc;
use std::time::Duration;

use model::{Clock, InvalidLabels, Labels, LabelsBuilder, MetricFamily, SampleBatch, SampleSink};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often: as often as Prometheus scrapes by default in its own configurations.
const INTERVAL: Duration = Duration::from_secs(15);

/// Stores what `families` yields until the program stops; none is nothing to store.
pub(crate) async fn run(
    sink: Arc<dyn SampleSink>,
    clock: Arc<dyn Clock>,
    instance: String,
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
        let Some(families) = families() else { continue };
        let (sink, now, instance) = (sink.clone(), clock.now(), instance.clone());
        let stored = tokio::task::spawn_blocking(move || {
            let descriptions: Vec<_> = families
                .iter()
                .map(|family| (family.name.clone(), family.metadata.clone()))
                .collect();
            let samples = with_target(&families, &instance)?;
            sink.describe(&descriptions)?;
            let rows = samples.iter().map(|(labels, value)| (labels, now, *value));
            anyhow::Ok(sink.append(&SampleBatch::packed(rows))?)
        });
        match stored.await? {
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
