//! All points that a metric has at one moment: what a collector yields and an exposition shows.

use crate::{InvalidLabels, Labels, LabelsBuilder, Metadata, MetricKind, Timestamp};

/// A metric with its description and its points.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricFamily {
    /// The metric's name. A counter's name ends in `_total` if its series' names do; a histogram's or
    /// summary's name is the one without `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// Type, help and unit.
    pub metadata: Metadata,
    /// The points in the order in which they are shown.
    pub points: Vec<Point>,
}

/// One series of a family at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The whole identity, `__name__` included.
    pub labels: Labels,
    /// The value.
    pub value: f64,
    /// When it was measured, if not at the moment of exposition.
    pub timestamp: Option<Timestamp>,
}

impl MetricFamily {
    /// A family without points.
    pub fn new(name: impl Into<String>, kind: MetricKind, help: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            metadata: Metadata {
                kind,
                help: help.into(),
                unit: String::new(),
            },
            points: Vec::new(),
        }
    }

    /// Adds a point that bears the family's own name. Empty values are left out, as everywhere.
    ///
    /// Errors: two labels of one name, or a label that is too long.
    pub fn push(&mut self, labels: &[(&str, &str)], value: f64) -> Result<(), InvalidLabels> {
        let mut builder = LabelsBuilder::with_name(&self.name);
        for (name, value) in labels {
            builder.push(name, value);
        }
        self.points.push(Point {
            labels: builder.build()?,
            value,
            timestamp: None,
        });
        Ok(())
    }
}
