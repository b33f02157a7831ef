//! `load`: series into the store, as Prometheus' own store would give them back.
//!
//! A store of Prometheus keeps histograms in chunks. Within a chunk no counter begins anew, so all but the first of a
//! chunk come back with the hint that they are no reset; the first comes back without any. Gauges stay gauges. A
//! script that reads a histogram's hint sees these, and not the ones that it has loaded.

use std::collections::BTreeMap;

use model::{CounterReset, Labels, LabelsBuilder};
use promql::{Buckets, ClassicHistogram, FloatHistogram};

use super::points::{self, Point};
use super::script::{series_end, series_labels};
use crate::MemoryStore;

/// What was loaded so far.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) store: MemoryStore,
    /// The last histogram of each series' open chunk.
    open: BTreeMap<Labels, FloatHistogram>,
}

/// Classic histograms at each time, by the labels of the native ones that they make.
type Classic = BTreeMap<Labels, BTreeMap<i64, ClassicHistogram>>;

impl Loaded {
    pub(super) fn new() -> Self {
        Self {
            store: MemoryStore::with_samples([]),
            open: BTreeMap::new(),
        }
    }

    /// Takes a `load` or `load_with_nhcb` and the lines below it.
    pub(super) fn load(&mut self, line: &str, body: &[&str]) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let with_nhcb = words.next() == Some("load_with_nhcb");
        let step = points::duration_ms(words.next().ok_or("load needs a step")?)?;
        if let Some(more) = words.next() {
            return Err(format!("{more:?} stands behind the step"));
        }
        let mut classic = Classic::new();
        let mut starts: BTreeMap<Labels, Vec<Option<i64>>> = BTreeMap::new();
        let mut times: BTreeMap<Labels, Vec<i64>> = BTreeMap::new();
        for line in body {
            let (selector, rest) = line.split_at(series_end(line));
            let labels = series_labels(selector)?;
            if let Some(text) = rest.strip_prefix("@st") {
                starts.insert(labels, points::starts(text)?);
                continue;
            }
            let times = times.entry(labels.clone()).or_default();
            for (index, point) in (0_i64..).zip(points::read(rest)?) {
                let at = index * step;
                if let (Point::Float(value), true) = (&point, with_nhcb) {
                    collect(&mut classic, &labels, at, *value);
                }
                if !matches!(point, Point::Missing) {
                    times.push(at);
                }
                self.insert(&labels, at, point);
            }
        }
        for (labels, starts) in starts {
            for at in times.remove(&labels).unwrap_or_default() {
                let index = usize::try_from(at / step.max(1)).unwrap_or(usize::MAX);
                let start = starts.get(index).copied().flatten();
                // Nothing is known of the start of a sample that has none, whatever was known before.
                let start = start.map_or(0, |start| at + start);
                self.store.insert_start(&labels, at, start);
            }
        }
        for (labels, histograms) in classic {
            for (at, histogram) in histograms {
                let histogram = histogram
                    .convert()
                    .map_err(|error| format!("{labels} is no classic histogram: {error}"))?;
                self.insert_histogram(&labels, at, histogram);
            }
        }
        Ok(())
    }

    fn insert(&mut self, labels: &Labels, at: i64, point: Point) {
        match point {
            Point::Missing => {}
            // What ends a series of histograms is a histogram.
            Point::Float(value) if model::is_stale(value) && self.open.contains_key(labels) => {
                self.open.remove(labels);
                let stale = model::Histogram::stale();
                self.store.insert_histogram(labels, at, stale);
            }
            Point::Float(value) => {
                self.open.remove(labels);
                self.store.insert(labels, at, value);
            }
            Point::Histogram { histogram, .. } => self.insert_histogram(labels, at, histogram),
        }
    }

    fn insert_histogram(&mut self, labels: &Labels, at: i64, mut histogram: FloatHistogram) {
        if histogram.reset != CounterReset::Gauge {
            let open = self.open.get(labels);
            let continues = histogram.reset != CounterReset::Yes
                && open.is_some_and(|it| goes_on(it, &histogram));
            histogram.reset = match continues {
                true => CounterReset::No,
                false => CounterReset::Unknown,
            };
        }
        self.store
            .insert_histogram(labels, at, histogram.to_model());
        self.open.insert(labels.clone(), histogram);
    }
}

/// Whether the second histogram can stand in one chunk with the first.
fn goes_on(first: &FloatHistogram, second: &FloatHistogram) -> bool {
    first.reset != CounterReset::Gauge
        && first.schema == second.schema
        && first.zero_threshold.to_bits() == second.zero_threshold.to_bits()
        && first.custom_bounds == second.custom_bounds
        && first.count <= second.count
        && first.zero_count <= second.zero_count
        && none_falls(&first.positive, &second.positive)
        && none_falls(&first.negative, &second.negative)
}

fn none_falls(first: &Buckets, second: &Buckets) -> bool {
    let second = numbered(second);
    let count_in_second = |number: &i64| second.get(number).copied().unwrap_or(0.0);
    numbered(first)
        .iter()
        .all(|(number, count)| *count <= count_in_second(number))
}

/// Counts by the number of their bucket.
fn numbered(buckets: &Buckets) -> BTreeMap<i64, f64> {
    let mut numbers = Vec::new();
    let mut next = 0;
    for span in &buckets.spans {
        next += i64::from(span.offset);
        numbers.extend(next..next + i64::from(span.length));
        next += i64::from(span.length);
    }
    numbers
        .into_iter()
        .zip(buckets.counts.iter().copied())
        .collect()
}

/// Adds a sample to the classic histogram that it is part of, if its name says that it is.
fn collect(classic: &mut Classic, labels: &Labels, at: i64, value: f64) {
    let name = labels.metric_name();
    let suffix = ["_bucket", "_count", "_sum"]
        .into_iter()
        .find_map(|suffix| Some((name.strip_suffix(suffix)?, suffix)));
    let Some((base, suffix)) = suffix else {
        return;
    };
    let bound = labels.get("le").and_then(points::number);
    if model::is_stale(value) || suffix == "_bucket" && bound.is_none_or(f64::is_nan) {
        return;
    }
    let rest = labels.filtered(|label| label != "le");
    let mut builder = LabelsBuilder::from_labels(&rest);
    builder.set("__name__", base);
    let Ok(labels) = builder.build() else {
        return;
    };
    let histogram = classic.entry(labels).or_default().entry(at).or_default();
    match (suffix, bound) {
        ("_count", _) => histogram.set_count(value),
        ("_sum", _) => histogram.set_sum(value),
        (_, Some(bound)) => histogram.add_bucket(bound, value),
        _ => {}
    }
}
