//! Bodies of `POST /api/v1/metrics/ingest` (one metric) and `/batch` (`{"metrics": […]}`).
//!
//! A body is read into a tree first, so that all faults of a metric are told at once, each with its field. Histograms
//! and summaries become the series that an exposition would show.
//!
//! Names are any text but the empty one, as in Prometheus 3; labels that start with `__` are reserved, and so are
//! `le` in a histogram and `quantile` in a summary. A counter's name is taken as it is given.

mod distribution;
mod fields;
mod json;
mod metric;

use model::{Labels, Metadata, Timestamp};
use thiserror::Error;

use json::Json;
use metric::LABEL_BYTES_MAX;

/// A metric as the store takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct IngestedMetric {
    /// The metric's name; for a histogram or summary the one without `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// Type, help and unit.
    pub metadata: Metadata,
    /// One series for a gauge or counter, several for a histogram or summary; `__name__` is in the labels.
    pub samples: Vec<(Labels, f64)>,
    /// When it was measured; none if the sender does not say.
    pub timestamp: Option<Timestamp>,
}

/// Why a body, or one metric in it, is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IngestError {
    /// The body is no JSON; the text has line and column.
    #[error("the body is no JSON: {0}")]
    Syntax(String),
    /// What the body or metric says is not right; each problem names its field and what would be right.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    /// There is too much in one body.
    #[error("more than {limit} {what} in one request: send smaller requests")]
    TooMany {
        /// Of what, in the plural.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}

/// Reads the body of `/api/v1/metrics/ingest`.
///
/// Errors: no JSON, more than a million values, or all faults of the metric.
pub fn parse_one(body: &[u8]) -> Result<IngestedMetric, IngestError> {
    metric::read(json::read(body, usize::MAX)?, &mut { LABEL_BYTES_MAX })
}

/// Reads the body of `/api/v1/metrics/batch`; a metric that is wrong stands in the list as its error, in its place.
///
/// Errors: no JSON, no object with a list `metrics` alone, more than `item_limit` metrics or a million values.
pub fn parse_batch(
    body: &[u8],
    item_limit: usize,
) -> Result<Vec<Result<IngestedMetric, IngestError>>, IngestError> {
    let mut problems = Vec::new();
    let mut metrics = None;
    if let Some(mut fields) =
        fields::Fields::of(json::read(body, item_limit)?, &["metrics"], &mut problems)
    {
        metrics = match fields.take("metrics") {
            Some(Json::Array(items)) => Some(items),
            Some(other) => {
                problems.push(format!("metrics is {}, it must be a list", other.kind()));
                None
            }
            None => {
                problems.push("metrics is missing: write {\"metrics\": […]}".to_owned());
                None
            }
        };
    }
    match metrics {
        Some(items) if problems.is_empty() => {
            let mut label_bytes_left = LABEL_BYTES_MAX;
            let read = |item| metric::read(item, &mut label_bytes_left);
            Ok(items.into_iter().map(read).collect())
        }
        _ => Err(IngestError::Invalid(problems)),
    }
}

#[cfg(test)]
mod tests;
