//! Metrics as text: Prometheus' exposition format 0.0.4 and OpenMetrics 1.0.0.
//!
//! Both show families of series; they differ in what a family is called, in escapes, in the unit of timestamps and
//! in `# EOF`. A family of the model bears the name that its series have: OpenMetrics' `requests` of type counter
//! is `requests_total` here, `build` of type info is `build_info`.

mod encode;
mod line;
mod negotiate;
mod parse;
mod suffix;

pub use encode::{encode, push_sample, push_type};
pub use parse::{Exposition, parse};

use model::{MetricFamily, NAME};

/// Which of the two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The format that an HTTP client prefers by its `Accept` header; text if it does not care.
    pub fn negotiate(accept: Option<&str>) -> Self {
        accept.map_or(Self::Text, negotiate::negotiate)
    }

    /// The value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The families of a registry of `prometheus-client`, from the OpenMetrics text that it writes; each sorted by labels.
pub fn families_of_client(text: &str) -> Vec<MetricFamily> {
    let mut shown = parse(text, Format::OpenMetrics);
    debug_assert_eq!(shown.problems, Vec::new());
    // The client keeps label sets in a hash map; the sort is stable, so a histogram's buckets stay in order.
    let own = |name: &str| name != NAME && name != "le";
    for family in &mut shown.families {
        let points = &mut family.points;
        points.sort_by_cached_key(|point| point.labels.filtered(own));
    }
    shown.families
}

#[cfg(test)]
mod tests;
