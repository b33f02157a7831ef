//! What is asked besides the expression, and what comes back.

use std::sync::Arc;
use std::time::Duration;

use model::{Labels, Reservation, Sample, SampleColumns, Timestamp};

use crate::FloatHistogram;

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
    /// How many samples may be held in memory at once; a histogram counts as as many as take its memory.
    pub samples_max: usize,
    /// How many series may be held in memory at once; 0 is no limit.
    pub series_max: usize,
    /// How many bytes may be held in memory at once; 0 is no limit.
    pub bytes_max: usize,
    /// How many threads may compute; large selections use all of them.
    pub threads: usize,
    /// The step of a subquery that names none.
    pub subquery_step: Duration,
    /// Whether that may be used which Prometheus calls experimental; then names are dropped at the end, and start
    /// timestamps count.
    pub experimental: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lookback_delta: Duration::from_secs(5 * 60),
            samples_max: 50_000_000,
            series_max: 0,
            bytes_max: 0,
            threads: 1,
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
#[derive(Clone, Debug)]
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
    Vector(Vec<VectorSample>),
    /// Samples of each series over time; those of a range query sorted by labels.
    Matrix(Vec<Series>),
}

/// A sample of a series at one moment.
#[derive(Clone, Debug)]
pub struct VectorSample {
    /// The series.
    pub labels: Labels,
    /// The moment.
    pub timestamp: Timestamp,
    /// What it has there.
    pub value: SampleValue,
}

/// What a series has at a moment.
#[derive(Clone, Debug)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

/// The samples of a series over time; at each moment a number or a histogram, never both.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The series.
    pub labels: Labels,
    /// Its numbers.
    pub floats: SampleColumns,
    /// Its native histograms with their timestamps in milliseconds since 1970-01-01 UTC, strictly rising.
    pub histograms: Vec<(i64, Arc<FloatHistogram>)>,
}

impl SampleValue {
    /// The number, if it is one.
    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Histogram(_) => None,
        }
    }
}

impl From<f64> for SampleValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
