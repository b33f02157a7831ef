//! The prober against servers of its own: what it asks, what it finds, and whom it blames.

mod blackbox_exporter;
mod certificates;
mod descriptors;
mod names;
mod outcomes;
mod redirects;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use document::{Document, Source, Syntax};
use model::{Clock, Labels, Timestamp};
use uptime::{Monitor, Outcome, read_monitors};

use super::{Options, Probe, Prober, Roots, Series};

/// The clock of this machine.
pub(super) struct TestClock(Instant);

impl TestClock {
    #[expect(clippy::disallowed_methods, reason = "the test measures for real")]
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TestClock {
    #[expect(clippy::disallowed_methods, reason = "certificates are judged by it")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(0) + since.unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The monitor of a configuration's line, such as `url: http://127.0.0.1, timeout: 2s`.
pub(super) fn monitor(settings: &str) -> Monitor {
    let text = format!("- {{name: shop, type: http, interval: 1h, {settings}}}");
    let source = Source::new("test.yml", text);
    let document = Document::parse(&source, Syntax::Yaml, &document::Options::default()).unwrap();
    let mut list = read_monitors(document.root());
    let problems: Vec<String> = document
        .into_problems()
        .iter()
        .map(|problem| problem.message().to_owned())
        .collect();
    assert_eq!(problems, [""; 0], "{settings}");
    list.monitors.pop().unwrap()
}

pub(super) fn prober() -> Arc<Prober> {
    prober_with(Options::default())
}

pub(super) fn prober_with(options: Options) -> Arc<Prober> {
    Prober::new(options, Arc::new(TestClock::new())).unwrap()
}

/// The value of a sample by the text of its labels, such as `probe_success`; none if it is missing or stale.
pub(super) fn value(samples: &[(Labels, Timestamp, f64)], series: &str) -> Option<f64> {
    let shown = |labels: &Labels| {
        labels
            .filtered(|name| name != "monitor")
            .to_string()
            .replace(", ", ",")
    };
    let found = samples
        .iter()
        .find(|(labels, _, _)| shown(labels) == series);
    found
        .map(|(_, _, value)| *value)
        .filter(|value| !model::is_stale(*value))
}

pub(super) fn samples(probe: &Probe) -> Vec<(Labels, Timestamp, f64)> {
    probe.samples(&Series::of(&monitor("url: 'http://a.example.org'")))
}

/// The words of a failure.
pub(super) fn failure(probe: &Probe) -> &str {
    match &probe.outcome {
        Outcome::Failure(text) => text,
        other => panic!("a failure was expected: {other:?}"),
    }
}

/// The words of own trouble.
pub(super) fn own_trouble(probe: &Probe) -> &str {
    match &probe.outcome {
        Outcome::OwnTrouble(text) => text,
        other => panic!("own trouble was expected: {other:?}"),
    }
}

/// An address at which nobody listens.
pub(super) fn closed_port() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
