//! What runs a script's expressions: an engine that can forget, load series and evaluate.
//!
//! One engine is our PromQL over a store in memory ([`InMemory`](super::InMemory)). Another is whatever program answers
//! Prometheus' HTTP API; it shows less of a histogram than there is, so a histogram has two forms here.

use std::sync::Arc;

use model::Labels;
use promql::FloatHistogram;

/// Keeps series and evaluates expressions over them.
pub trait Engine {
    /// Forgets all series.
    ///
    /// Errors: why it cannot, in words for people, as all errors here.
    fn clear(&mut self) -> Result<(), String>;

    /// Takes further samples, also of series that it knows and also older ones.
    fn load(&mut self, series: &[LoadedSeries]) -> Result<(), String>;

    /// Whether the start timestamps of samples can be loaded.
    fn takes_starts(&self) -> bool;

    /// Evaluates an expression, all experimental features included.
    fn evaluate(&self, expression: &str, moment: Moment) -> Result<Answer, Refusal>;
}

/// When an expression is evaluated, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// Once.
    Instant(i64),
    /// At `start`, `start + step` and so on up to `end`.
    Range {
        /// The first moment.
        start: i64,
        /// The last moment, inclusive.
        end: i64,
        /// The distance between two.
        step: i64,
    },
}

/// A series as a script loads it.
#[derive(Debug, Clone)]
pub struct LoadedSeries {
    /// Its labels.
    pub labels: Labels,
    /// Milliseconds and what is then, in the script's order.
    pub samples: Vec<(i64, LoadedSample)>,
    /// Milliseconds of a sample, and since when it has counted; 0 if nothing is known of that.
    pub starts: Vec<(i64, i64)>,
}

/// What a series has at one moment.
#[derive(Debug, Clone)]
pub enum LoadedSample {
    /// A number, or a stale marker.
    Float(f64),
    /// A native histogram, with the hint about resets that the script names.
    Histogram(FloatHistogram),
}

/// What an expression gave.
#[derive(Debug)]
pub struct Answer {
    /// The result itself.
    pub value: Value,
    /// The warnings.
    pub warnings: Vec<String>,
    /// The infos.
    pub infos: Vec<String>,
}

/// A result of one of PromQL's types.
#[derive(Debug, Clone)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// A text.
    String(String),
    /// Series with one point each, in the order in which they came.
    Vector(Vec<Series>),
    /// Series with their points by time.
    Matrix(Vec<Series>),
}

/// A series of an answer.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Milliseconds and what was found there.
    pub points: Vec<(i64, Found)>,
}

/// What a series of an answer has at one moment.
#[derive(Debug, Clone)]
pub enum Found {
    /// A number.
    Float(f64),
    /// A histogram with all its fields.
    Histogram(Arc<FloatHistogram>),
    /// A histogram as the HTTP API shows it.
    Shown(ShownHistogram),
}

/// What the HTTP API shows of a histogram.
#[derive(Debug, Clone, Default)]
pub struct ShownHistogram {
    /// How many observations.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The buckets that are not empty, from the lowest to the highest.
    pub buckets: Vec<ShownBucket>,
}

/// A bucket as the HTTP API shows it.
#[derive(Debug, Clone, Copy)]
pub struct ShownBucket {
    /// Which bounds belong to it: 0 the upper, 1 the lower, 2 none, 3 both.
    pub rule: u8,
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// How many observations.
    pub count: f64,
}

impl From<&FloatHistogram> for ShownHistogram {
    fn from(histogram: &FloatHistogram) -> Self {
        let filled = histogram.buckets().filter(|bucket| bucket.count != 0.0);
        let shown = filled.map(|bucket| ShownBucket {
            rule: bucket.boundary_rule(),
            lower: bucket.lower,
            upper: bucket.upper,
            count: bucket.count,
        });
        Self {
            count: histogram.count,
            sum: histogram.sum,
            buckets: shown.collect(),
        }
    }
}

/// An error in place of an answer.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What is wrong, without the place.
    pub message: String,
    /// The same with the place, if there is one.
    pub whole: String,
}
