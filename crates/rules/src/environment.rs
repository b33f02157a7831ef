//! What an evaluation needs from outside.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{Labels, Timestamp};
use promql::{Answer, EvalError, Expr};

/// Evaluates an expression at one moment; templates hold it too, so it is shared.
pub type Query = Arc<dyn Fn(&Expr, Timestamp) -> Result<Answer, EvalError> + Send + Sync>;

/// Whom rules ask, and what templates see besides an alert's own labels.
#[derive(Clone)]
pub struct Environment {
    /// Evaluates the rules' expressions and those in templates.
    pub query: Query,
    /// `$externalLabels`.
    pub external_labels: Labels,
    /// `$externalURL`, without a slash at its end; alerts link to it.
    pub external_url: String,
    /// The interval of groups that name none.
    pub interval: Duration,
    /// The offset of groups that name none.
    pub query_offset: Duration,
    /// After how long an alert that has not changed is given out again.
    pub resend_delay: Duration,
}

impl Environment {
    /// With Prometheus' defaults: a minute as interval and until an alert is given out again, no offset.
    pub fn new(query: Query) -> Self {
        Self {
            query,
            external_labels: Labels::empty(),
            external_url: String::new(),
            interval: Duration::from_secs(60),
            query_offset: Duration::ZERO,
            resend_delay: Duration::from_secs(60),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("external_labels", &self.external_labels)
            .field("external_url", &self.external_url)
            .finish_non_exhaustive()
    }
}
