//! What is known about a metric besides its samples.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The type of a metric, in OpenMetrics' words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricKind {
    /// Only rises, or starts again at zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
    /// Like a histogram, but its buckets go up and down.
    GaugeHistogram,
    /// Observations reduced to quantiles.
    Summary,
    /// Labels that describe something; the value is 1.
    Info,
    /// A set of states of which each is on (1) or off (0).
    StateSet,
    /// Nobody said.
    #[default]
    Unknown,
}

/// A text that names no metric type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "unknown metric type {0:?}: it is one of counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown"
)]
pub struct UnknownMetricKind(pub String);

impl MetricKind {
    /// The type's name as OpenMetrics and Prometheus' API write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for MetricKind {
    type Err = UnknownMetricKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "gaugehistogram" => Self::GaugeHistogram,
            "summary" => Self::Summary,
            "info" => Self::Info,
            "stateset" => Self::StateSet,
            "unknown" | "untyped" => Self::Unknown,
            _ => return Err(UnknownMetricKind(text.to_owned())),
        })
    }
}

/// Type, help and unit of a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The metric's type.
    pub kind: MetricKind,
    /// What it measures, for people; may be empty.
    pub help: String,
    /// Its unit, as the suffix of its name; may be empty.
    pub unit: String,
}
