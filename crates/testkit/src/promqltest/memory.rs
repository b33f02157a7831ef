//! Our engine over a store in memory, which gives histograms back as Prometheus' own store does.
//!
//! A store of Prometheus keeps histograms in chunks. Within a chunk no counter begins anew, so all but the first of a
//! chunk come back with the hint that they are no reset; the first comes back without any. Gauges stay gauges. A
//! script that reads a histogram's hint sees these, and not the ones that it has loaded.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{CounterReset, Labels, Timestamp};
use promql::{
    Buckets, EvalError, FloatHistogram, Interrupt, Limits, SampleValue, Window, evaluate_instant,
    evaluate_range, parse,
};

use super::engine::{
    Answer, Engine, Found, LoadedSample, LoadedSeries, Moment, Refusal, Series, Value,
};
use crate::MemoryStore;

/// What was loaded so far.
#[derive(Debug)]
pub struct InMemory {
    store: MemoryStore,
    /// The last histogram of each series' open chunk.
    open: BTreeMap<Labels, FloatHistogram>,
}

impl Default for InMemory {
    fn default() -> Self {
        Self {
            store: MemoryStore::with_samples([]),
            open: BTreeMap::new(),
        }
    }
}

impl Engine for InMemory {
    fn clear(&mut self) -> Result<(), String> {
        *self = Self::default();
        Ok(())
    }

    fn load(&mut self, series: &[LoadedSeries]) -> Result<(), String> {
        for LoadedSeries {
            labels,
            samples,
            starts,
        } in series
        {
            for (at, sample) in samples {
                match sample {
                    LoadedSample::Float(value) => self.insert_float(labels, *at, *value),
                    LoadedSample::Histogram(histogram) => {
                        self.insert_histogram(labels, *at, histogram.clone());
                    }
                }
            }
            for (at, start) in starts {
                self.store.insert_start(labels, *at, *start);
            }
        }
        Ok(())
    }

    fn takes_starts(&self) -> bool {
        true
    }

    fn evaluate(&self, expression: &str, moment: Moment) -> Result<Answer, Refusal> {
        let expr = parse(expression).map_err(|error| Refusal {
            message: error.message.clone(),
            whole: error.to_string(),
        })?;
        let limits = Limits {
            experimental: true,
            ..Limits::default()
        };
        let interrupt = Interrupt::new();
        let store = &self.store;
        let answer = match moment {
            Moment::Instant(at) => {
                let at = Timestamp::from_millis(at);
                evaluate_instant(store, &expr, at, &limits, &interrupt)
            }
            Moment::Range { start, end, step } => {
                let window = Window {
                    start: Timestamp::from_millis(start),
                    end: Timestamp::from_millis(end),
                    step: Duration::from_millis(step.unsigned_abs()),
                };
                evaluate_range(store, &expr, &window, &limits, &interrupt)
            }
        };
        let answer = answer.map_err(|error| Refusal {
            message: message(&error),
            whole: error.to_string(),
        })?;
        Ok(Answer {
            value: value(answer.value),
            warnings: answer.warnings,
            infos: answer.infos,
        })
    }
}

impl InMemory {
    fn insert_float(&mut self, labels: &Labels, at: i64, value: f64) {
        let follows_histogram = self.open.remove(labels).is_some();
        if follows_histogram && model::is_stale(value) {
            // What ends a series of histograms is a histogram.
            let stale = model::Histogram::stale();
            self.store.insert_histogram(labels, at, stale);
        } else {
            self.store.insert(labels, at, value);
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

/// An error's text without the place.
fn message(error: &EvalError) -> String {
    match error {
        EvalError::Unsupported { message, .. }
        | EvalError::BadQuery { message, .. }
        | EvalError::Execution { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// The engine's result as one of the runner's.
fn value(value: promql::Value) -> Value {
    match value {
        promql::Value::Scalar(sample) => Value::Scalar(sample.value),
        promql::Value::String { value, .. } => Value::String(value),
        promql::Value::Vector(samples) => {
            let series = samples.into_iter().map(|sample| Series {
                labels: sample.labels,
                points: vec![(
                    sample.timestamp.as_millis(),
                    match sample.value {
                        SampleValue::Float(value) => Found::Float(value),
                        SampleValue::Histogram(histogram) => Found::Histogram(histogram),
                    },
                )],
            });
            Value::Vector(series.collect())
        }
        promql::Value::Matrix(series) => Value::Matrix(series.into_iter().map(by_time).collect()),
    }
}

/// Floats and histograms of a series in one list.
fn by_time(series: promql::Series) -> Series {
    let floats = series.floats.timestamps.iter().zip(&series.floats.values);
    let floats = floats.map(|(time, value)| (*time, Found::Float(*value)));
    let histograms = series.histograms.into_iter();
    let histograms = histograms.map(|(time, it)| (time, Found::Histogram(it)));
    let mut points: Vec<_> = floats.chain(histograms).collect();
    points.sort_by_key(|(time, _)| *time);
    Series {
        labels: series.labels,
        points,
    }
}
