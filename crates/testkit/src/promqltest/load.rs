//! `load` and `load_with_nhcb`: the series that a script puts into the store.

use std::collections::BTreeMap;

use model::{Labels, LabelsBuilder};
use promql::ClassicHistogram;

use super::engine::{LoadedSample, LoadedSeries};
use super::points::{self, Point};
use super::script::{series_end, series_labels};

/// Classic histograms at each time, by the labels of the native ones that they make.
type Classic = BTreeMap<Labels, BTreeMap<i64, ClassicHistogram>>;

/// The series that a `load` or `load_with_nhcb` and the lines below it stand for.
pub(super) fn read(line: &str, body: &[&str]) -> Result<Vec<LoadedSeries>, String> {
    let mut words = line.split_whitespace();
    let with_nhcb = words.next() == Some("load_with_nhcb");
    let step = points::duration_ms(words.next().ok_or("load needs a step")?)?;
    if let Some(more) = words.next() {
        return Err(format!("{more:?} stands behind the step"));
    }
    let mut loaded: Vec<LoadedSeries> = Vec::new();
    let mut classic = Classic::new();
    let mut starts: BTreeMap<Labels, Vec<Option<i64>>> = BTreeMap::new();
    for line in body {
        let (selector, rest) = line.split_at(series_end(line));
        let labels = series_labels(selector)?;
        if let Some(text) = rest.strip_prefix("@st") {
            starts.insert(labels, points::starts(text)?);
            continue;
        }
        let times = (0_i64..).map(|index| index * step);
        let mut samples = Vec::new();
        for (at, point) in times.zip(points::read(rest)?) {
            match point {
                Point::Missing => {}
                Point::Float(value) => {
                    if with_nhcb {
                        collect(&mut classic, &labels, at, value);
                    }
                    samples.push((at, LoadedSample::Float(value)));
                }
                Point::Histogram { histogram, .. } => {
                    samples.push((at, LoadedSample::Histogram(histogram)));
                }
            }
        }
        loaded.push(LoadedSeries {
            labels,
            samples,
            starts: Vec::new(),
        });
    }
    for series in &mut loaded {
        let Some(starts) = starts.get(&series.labels) else {
            continue;
        };
        let times = series.samples.iter().map(|(at, _)| *at);
        let start = |at: i64| {
            let index = usize::try_from(at / step.max(1)).unwrap_or(usize::MAX);
            let start = starts.get(index).copied().flatten();
            // Nothing is known of the start of a sample that has none, whatever was known before.
            (at, start.map_or(0, |start| at + start))
        };
        series.starts = times.map(start).collect();
    }
    loaded.extend(converted(classic)?);
    Ok(loaded)
}

/// The native histograms with custom buckets that the classic ones make.
fn converted(classic: Classic) -> Result<Vec<LoadedSeries>, String> {
    let mut loaded = Vec::new();
    for (labels, histograms) in classic {
        let mut samples = Vec::new();
        for (at, histogram) in histograms {
            let histogram = histogram
                .convert()
                .map_err(|error| format!("{labels} is no classic histogram: {error}"))?;
            samples.push((at, LoadedSample::Histogram(histogram)));
        }
        loaded.push(LoadedSeries {
            labels,
            samples,
            starts: Vec::new(),
        });
    }
    Ok(loaded)
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
