//! What is asked besides the expression, and what comes back.

use std::time::Duration;

use model::{Labels, Reservation, Sample, SampleColumns, Timestamp};

/// The moments at which a range query is evaluated: `start`, `start + step`, … up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub start: Timestamp,
    /// The last moment, inclusive.
    pub end: Timestamp,
    /// The distance between moments, at least a millisecond unless start and end are one.
    pub step: Duration,
}

/// What a query may use, and the settings that its meaning depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// How far an instant selector looks back for a sample.
    pub lookback_delta: Duration,
    /// How many samples may be held in memory at once.
    pub samples_max: usize,
    /// The step of a subquery that names none.
    pub subquery_step: Duration,
    /// Whether functions may be used that Prometheus calls experimental.
    pub experimental: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lookback_delta: Duration::from_secs(5 * 60),
            samples_max: 50_000_000,
            subquery_step: Duration::from_secs(60),
            experimental: false,
        }
    }
}

/// The result of an evaluation.
#[derive(Debug)]
pub struct Answer {
    /// The result itself.
    pub value: Value,
    /// What is probably wrong with the query or its data, each with its place.
    pub warnings: Vec<String>,
    /// What may be wrong.
    pub infos: Vec<String>,
    /// How many samples were read from the source.
    pub samples_read: u64,
    /// The memory that it takes; whoever keeps the value keeps this with it.
    pub memory: Reservation,
}

/// A result of one of PromQL's types.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(Sample),
    /// A text.
    String {
        /// The moment of the evaluation.
        timestamp: Timestamp,
        /// The text.
        value: String,
    },
    /// One sample of each series, in the order that the expression gives them.
    Vector(Vec<(Labels, Sample)>),
    /// Samples of each series over time; those of a range query sorted by labels.
    Matrix(Vec<(Labels, SampleColumns)>),
}
