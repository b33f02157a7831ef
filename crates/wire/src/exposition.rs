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

pub use encode::encode;
pub use parse::{Exposition, parse};

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

#[cfg(test)]
mod tests;
