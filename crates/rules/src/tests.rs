//! What the crate promises, from the text of a file to samples and alerts.

mod arbitrary;
mod files;
mod host;
mod naive;
mod promtool;
mod scenarios;
mod templates;

use std::sync::Arc;
use std::time::Duration;

use document::{Problem, Source};
use model::{Labels, Timestamp};
use promql::{Interrupt, Limits, SampleValue, VectorSample, evaluate_instant};
use testkit::MemoryStore;

use crate::{Environment, Evaluation, Group, GroupDefinition, parse};

fn definitions(text: &str) -> Vec<GroupDefinition> {
    parse(&Source::new("test.yml", text)).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

fn shown(problems: &[Problem]) -> String {
    let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
    shown.join("\n")
}

fn minutes(minutes: i64) -> Timestamp {
    Timestamp::from_millis(minutes * 60_000)
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).unwrap()
}

/// A store, the environment that asks it, and one group.
struct World {
    store: Arc<MemoryStore>,
    environment: Environment,
    group: Group,
}

impl World {
    fn new(text: &str) -> Self {
        let store = Arc::new(MemoryStore::new(Duration::MAX));
        let asked = Arc::clone(&store);
        let mut environment = Environment::new(Arc::new(move |expr, at| {
            evaluate_instant(&*asked, expr, at, &Limits::default(), &Interrupt::new())
        }));
        environment.external_url = "http://campanile.example.org/mon".to_owned();
        environment.external_labels = labels(&[("site", "berlin")]);
        let group = Group::new(definitions(text).remove(0));
        Self {
            store,
            environment,
            group,
        }
    }

    fn set(&self, pairs: &[(&str, &str)], at: Timestamp, value: f64) {
        self.store.insert(&labels(pairs), at.as_millis(), value);
    }

    /// One evaluation, and the samples that it stored, as text in order.
    fn step(&mut self, at: Timestamp) -> (Evaluation, Vec<String>) {
        let mut shown = Vec::new();
        let store = Arc::clone(&self.store);
        let evaluation = self.group.evaluate(at, &self.environment, &mut |samples| {
            for sample in samples {
                let (labels, at) = (&sample.labels, sample.timestamp.as_millis());
                match &sample.value {
                    SampleValue::Float(value) => store.insert(labels, at, *value),
                    SampleValue::Histogram(it) => store.insert_histogram(labels, at, it.to_model()),
                }
                shown.push(line(sample));
            }
        });
        shown.sort();
        (evaluation, shown)
    }
}

fn line(sample: &VectorSample) -> String {
    let labels = &sample.labels;
    match &sample.value {
        SampleValue::Float(value) if model::is_stale(*value) => format!("{labels} stale"),
        SampleValue::Float(value) => format!("{labels} {value}"),
        SampleValue::Histogram(histogram) => format!("{labels} {histogram}"),
    }
}
