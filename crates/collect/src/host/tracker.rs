//! Under which labels the points are stored, and which series have ended since the last collection.
//!
//! A stored series carries `job="node"` and `instance` besides its own labels. What was there last time and is gone
//! gets a stale marker, as a scraper would write it: queries then do not show it for another five minutes.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::{Labels, LabelsBuilder, MetricFamily, Timestamp, stale_marker};

/// The value of the label `job`.
const JOB: &str = "node";

/// Remembers the series of the last collection with their stored labels.
pub(crate) struct Tracker {
    instance: String,
    series: HashMap<Labels, Labels, RandomState>,
}

/// A sample with the labels under which it is stored.
pub(crate) type StoredSample = (Labels, Timestamp, f64);

impl Tracker {
    pub(crate) fn new(instance: String) -> Self {
        Self {
            instance,
            series: HashMap::default(),
        }
    }

    /// The samples of a collection, then the markers of the series that ended.
    pub(crate) fn samples(
        &mut self,
        families: &[MetricFamily],
        timestamp: Timestamp,
    ) -> Vec<StoredSample> {
        let mut previous = std::mem::take(&mut self.series);
        self.series.reserve(previous.len());
        let mut samples = Vec::with_capacity(previous.len());
        for point in families.iter().flat_map(|family| &family.points) {
            let (labels, stored) = match previous.remove_entry(&point.labels) {
                Some(known) => known,
                None => (point.labels.clone(), self.stored(&point.labels)),
            };
            let at = point.timestamp.unwrap_or(timestamp);
            samples.push((stored.clone(), at, point.value));
            self.series.insert(labels, stored);
        }
        let ended = previous.into_values();
        samples.extend(ended.map(|stored| (stored, timestamp, stale_marker())));
        samples
    }

    /// A label that the point has itself wins.
    fn stored(&self, labels: &Labels) -> Labels {
        let mut builder = LabelsBuilder::from_labels(labels);
        for (name, value) in [("instance", self.instance.as_str()), ("job", JOB)] {
            if labels.get(name).is_none() {
                builder.push(name, value);
            }
        }
        builder
            .build()
            .expect("invariant: a machine's name is short, and no label was there before")
    }
}
