//! One observation that stands for others: what a metric's value was made of, with a way to find it.

use crate::{Labels, Timestamp};

/// Characters that names and values of an exemplar's labels may have together, as OpenMetrics says.
pub const EXEMPLAR_LABELS_MAX: usize = 128;

/// An observation and what identifies it elsewhere, such as the trace of a request.
///
/// Two are equal if they are the same bit for bit.
#[derive(Clone, Debug)]
pub struct Exemplar {
    /// What identifies it, often `trace_id`; up to [`EXEMPLAR_LABELS_MAX`] characters.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// When.
    pub timestamp: Timestamp,
}

impl PartialEq for Exemplar {
    fn eq(&self, other: &Self) -> bool {
        self.timestamp == other.timestamp
            && self.value.to_bits() == other.value.to_bits()
            && self.labels == other.labels
    }
}

impl Eq for Exemplar {}
