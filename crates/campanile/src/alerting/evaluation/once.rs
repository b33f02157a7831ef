//! One evaluation of one group, on a thread that may block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use model::{HistogramRow, KeyEncoding, Row, SampleBatch, SampleSink, Timestamp};
use promql::{SampleValue, VectorSample};
use rules::{Environment, Evaluation, Group};
use server::RuleGroup;

use super::queries::Queries;
use super::{Key, Surroundings};

/// What is needed to evaluate a group.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) group: Group,
    /// The group as it was, should the evaluation end in a panic.
    pub(super) before: Arc<RuleGroup>,
    pub(super) at: Timestamp,
    pub(super) around: Surroundings,
    pub(super) environment: Environment,
    pub(super) queries: Arc<Queries>,
}

/// A group after its evaluation.
pub(super) struct Done {
    pub(super) key: Key,
    pub(super) group: Group,
    pub(super) evaluation: Evaluation,
    /// Whether it ended in a panic, which changed nothing then.
    pub(super) panicked: bool,
    pub(super) refused: Option<String>,
    pub(super) took: Duration,
    pub(super) rule_times: Vec<Duration>,
}

impl Job {
    /// Evaluates the group and stores what its rules give.
    pub(super) fn run(self) -> Done {
        let Self {
            key,
            mut group,
            before,
            at,
            around,
            environment,
            queries,
        } = self;
        let started = around.clock.monotonic();
        let mut refused = None;
        let mut rule_times = Vec::new();
        let mut append = |samples: &[VectorSample]| {
            rule_times.push(queries.take_time());
            refused = store(&*around.sink, samples).or(refused.take());
        };
        let evaluate = AssertUnwindSafe(|| group.evaluate(at, &environment, &mut append));
        let evaluated = catch_unwind(evaluate);
        let panicked = evaluated.is_err();
        let evaluation = evaluated.unwrap_or_else(|_| {
            // A mistake of ours in one query must not end all others, nor what fires by this group.
            group = before.group.clone();
            Evaluation {
                alerts: group.firing(at, &environment),
                ..Evaluation::default()
            }
        });
        let took = around.clock.monotonic().saturating_sub(started);
        Done {
            key,
            group,
            evaluation,
            panicked,
            refused,
            took,
            rule_times,
        }
    }
}

/// Stores the samples of a rule; why not, if the store does not take all of them.
pub(super) fn store(sink: &dyn SampleSink, samples: &[VectorSample]) -> Option<String> {
    let mut batch = SampleBatch::new(KeyEncoding::PACKED);
    let mut refused = None;
    for sample in samples {
        let (key, timestamp) = (sample.labels.as_packed().as_bytes(), sample.timestamp);
        match &sample.value {
            SampleValue::Float(value) => batch.rows.push(Row {
                key,
                timestamp,
                value: *value,
            }),
            SampleValue::Histogram(histogram) => {
                let histogram = histogram.to_model();
                // The difference of two may have buckets below zero, which no store keeps.
                match histogram.validate() {
                    Ok(()) => batch.histograms.push(HistogramRow {
                        key,
                        timestamp,
                        histogram,
                    }),
                    Err(error) => refused = refused.or(Some(error.to_string())),
                }
            }
        }
    }
    match sink.append(&batch) {
        Ok(appended) => {
            let first = appended.rejected.into_iter().next();
            first.map(|row| row.reason.to_string()).or(refused)
        }
        Err(error) => Some(error.to_string()),
    }
}
