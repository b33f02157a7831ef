//! What is noticed about the series of a metric, in Prometheus' words.

use super::annotations::Annotations;
use crate::{FloatHistogram, Span};

/// Notes about a metric at a place in the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noting<'a> {
    pub(super) annotations: &'a Annotations,
    pub(super) span: Span,
    /// The metric's name; "" if there is none.
    pub(super) metric: &'a str,
}

/// What was done with histograms, as annotations call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Addition,
    Subtraction,
    Aggregation,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

impl Noting<'_> {
    pub(super) fn warn(&self, text: &str) {
        self.annotations.warn(self.span, text);
    }

    pub(super) fn inform(&self, text: &str) {
        self.annotations.inform(self.span, text);
    }

    pub(super) fn mixed_floats_and_histograms(&self) {
        self.warn(&format!(
            "encountered a mix of histograms and floats for metric name {}",
            model::quoted(self.metric)
        ));
    }

    pub(super) fn mixed_schemas(&self) {
        self.warn(&format!(
            "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
            model::quoted(self.metric)
        ));
    }

    pub(super) fn not_a_counter(&self) {
        self.warn(&format!(
            "this native histogram metric is not a counter: {}",
            model::quoted(self.metric)
        ));
    }

    pub(super) fn not_a_gauge(&self) {
        self.warn(&format!(
            "this native histogram metric is not a gauge: {}",
            model::quoted(self.metric)
        ));
    }

    pub(super) fn ignored_histograms(&self) {
        self.inform(&format!(
            "ignored histograms in a range containing both floats and histograms for metric name {}",
            model::quoted(self.metric)
        ));
    }

    pub(super) fn resets_collide(&self, operation: Operation) {
        let operation = operation.as_str();
        self.warn(&format!(
            "conflicting counter resets during histogram {operation}"
        ));
    }

    pub(super) fn bounds_reconciled(&self, operation: Operation) {
        let operation = operation.as_str();
        self.inform(&format!(
            "mismatched custom buckets were reconciled during {operation}"
        ));
    }

    /// `text`, and for which metric if that is known.
    pub(super) fn with_metric(&self, text: &str) -> String {
        match self.metric {
            "" => text.to_owned(),
            metric => format!("{text} for metric name {}", model::quoted(metric)),
        }
    }

    /// Adds a histogram to another; none if they do not fit, which is noted.
    pub(super) fn add(&self, sum: &mut FloatHistogram, other: &FloatHistogram) -> Option<()> {
        match sum.add(other) {
            Ok(combined) => {
                if combined.bounds_reconciled {
                    self.bounds_reconciled(Operation::Addition);
                }
                Some(())
            }
            Err(_) => {
                self.mixed_schemas();
                None
            }
        }
    }

    /// Subtracts a histogram from another; none if they do not fit, which is noted.
    pub(super) fn subtract(&self, from: &mut FloatHistogram, other: &FloatHistogram) -> Option<()> {
        match from.sub(other) {
            Ok(combined) => {
                if combined.bounds_reconciled {
                    self.bounds_reconciled(Operation::Subtraction);
                }
                Some(())
            }
            Err(_) => {
                self.mixed_schemas();
                None
            }
        }
    }
}
