//! A monitor: what is checked, how often, and what counts as well.

mod read;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use model::{Labels, LabelsBuilder};

use crate::Outcome;

pub use read::{MonitorList, read_monitors};

/// One thing that is checked; its settings fit each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Its identity, unique among all monitors.
    pub name: Arc<str>,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// How long a check may take; less than the interval.
    pub timeout: Duration,
    /// How many failures in a row are not yet an outage.
    pub retries: u32,
    /// From the end of a failed check to the next, while it is not yet an outage.
    pub retry_interval: Duration,
    /// What its series and its alert carry, besides its name.
    pub labels: Labels,
    /// How it is checked.
    pub check: HttpCheck,
}

/// A request, and what its answer must be.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// Absolute, with the scheme http or https, without a login.
    pub url: Uri,
    /// The method of the request.
    pub method: Method,
    /// Added to the request; the values may be secrets, `Debug` does not show them.
    pub headers: HeaderMap,
    /// The body of the request; may be empty.
    pub body: String,
    /// Whether redirects are followed, up to ten; then the answer that is judged is the last one. If not, accept their
    /// statuses. Headers that may hold a secret are told to no other host, and no body is.
    pub follow_redirects: bool,
    /// Which status codes are well; never empty.
    pub accepted_statuses: Vec<StatusRange>,
    /// A text that the answer's body must hold, as it is sent: in its first MiB, which is what is read of it.
    pub keyword: Option<String>,
    /// A text that the answer's body must not hold; what comes after its first MiB is not looked at.
    pub keyword_absent: Option<String>,
}

impl HttpCheck {
    /// The URL for whoever may see the monitor: what stands behind a question mark may be a secret.
    pub fn shown_url(&self) -> String {
        let whole = self.url.to_string();
        match whole.split_once('?') {
            Some((address, _)) => format!("{address}?…"),
            None => whole,
        }
    }
}

/// Status codes from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The smallest one.
    pub first: u16,
    /// The largest one.
    pub last: u16,
}

impl Monitor {
    /// The labels of its series: its own and `monitor`.
    pub fn series_labels(&self) -> Labels {
        let mut labels = LabelsBuilder::from_labels(&self.labels);
        labels.set("monitor", &self.name);
        labels
            .build()
            .expect("invariant: a monitor's labels and its name have been read and are short")
    }
}

impl HttpCheck {
    /// What an answer means: whether its status is accepted and its body holds what it must.
    pub fn judge(&self, status: u16, body: &[u8]) -> Outcome {
        if !self.accepts(status) {
            return Outcome::Failure(format!("the status is {status}"));
        }
        if let Some(keyword) = &self.keyword
            && !holds(body, keyword)
        {
            return Outcome::Failure(format!("the answer does not hold {keyword:?}"));
        }
        if let Some(keyword) = &self.keyword_absent
            && holds(body, keyword)
        {
            return Outcome::Failure(format!("the answer holds {keyword:?}"));
        }
        Outcome::Success
    }

    /// Whether a status code is well.
    pub fn accepts(&self, status: u16) -> bool {
        let mut ranges = self.accepted_statuses.iter();
        ranges.any(|range| (range.first..=range.last).contains(&status))
    }
}

fn holds(body: &[u8], keyword: &str) -> bool {
    body.windows(keyword.len())
        .any(|part| part == keyword.as_bytes())
}
