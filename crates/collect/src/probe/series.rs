//! The series of a monitor, under blackbox_exporter's names, and what a check has to say to each.
//!
//! A series of which a check says nothing ends, as it would if a scrape had not found it: it gets a stale marker. So a
//! check that failed by our own fault leaves a gap, and no average counts it.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use model::{Labels, LabelsBuilder, Metadata, MetricKind, NAME, Timestamp, stale_marker};
use uptime::{Monitor, Outcome};

use super::Probe;
use super::certificate::Certificate;
use super::tls::Session;

/// Name and help of every metric; the index is its place among [`Values`].
const METRICS: [(&str, &str); 19] = [
    ("probe_success", "Whether the check succeeded: 1, or 0."),
    ("probe_duration_seconds", "Time that the whole check took."),
    (
        "probe_dns_lookup_time_seconds",
        "Time until the name of the monitor's host was resolved.",
    ),
    (
        "probe_ip_protocol",
        "Version of IP that was used: 4 or 6, or 0 if no address was found.",
    ),
    (
        "probe_ip_addr_hash",
        "Hash of the address that was used; it changes when the address does.",
    ),
    (
        "probe_http_status_code",
        "Status code of the last answer, or 0 without one.",
    ),
    (
        "probe_http_content_length",
        "Length of the body as the last answer announces it, or -1 if it does not.",
    ),
    (
        "probe_http_uncompressed_body_length",
        "Bytes of the last answer's body that were read.",
    ),
    ("probe_http_redirects", "Redirects that were met."),
    ("probe_http_ssl", "Whether the last answer came over TLS."),
    ("probe_http_version", "Version of HTTP of the last answer."),
    (
        "probe_failed_due_to_regex",
        "Whether the check failed since the body holds the wrong text, or not the right one.",
    ),
    (
        "probe_http_last_modified_timestamp_seconds",
        "Time in the header Last-Modified of the last answer.",
    ),
    (
        "probe_ssl_earliest_cert_expiry",
        "When the first of the certificates that were sent expires.",
    ),
    (
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "When the first certificate of the trusted chain expires.",
    ),
    (
        "probe_http_duration_seconds",
        "Time that each phase took, summed over all redirects.",
    ),
    ("probe_ssl_last_chain_info", "The server's certificate."),
    ("probe_tls_version_info", "Version of TLS that was used."),
    ("probe_tls_cipher_info", "Cipher suite that was used."),
];

/// Metrics with one series each, from the first on.
const PLAIN: usize = 15;
const DURATION: usize = 15;
const INFOS: [usize; 3] = [16, 17, 18];

/// The parts of a check, in their order.
pub(crate) const PHASES: [&str; 5] = ["resolve", "connect", "tls", "processing", "transfer"];

/// Series whose labels are known beforehand.
const FIXED: usize = PLAIN + PHASES.len();

/// The series of one monitor; made once, and kept as long as its labels stay the same.
#[derive(Debug)]
pub struct Series {
    base: Labels,
    fixed: Vec<Labels>,
    shown: Mutex<Shown>,
}

/// What the last check has written.
#[derive(Debug, Default)]
struct Shown {
    fixed: [bool; FIXED],
    infos: [Option<Info>; INFOS.len()],
}

/// A series whose labels say something about the session.
#[derive(Debug)]
struct Info {
    key: Vec<u8>,
    labels: Labels,
}

/// What a check has found, besides how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// Time of each phase that came to its end, of the last ones only after those before.
    pub(crate) phases: [Duration; PHASES.len()],
    /// Until the host of the monitor was resolved or found not to be.
    pub(crate) lookup: Duration,
    /// The address that was used last, or was to be.
    pub(crate) address: Option<IpAddr>,
    pub(crate) redirects: u32,
    pub(crate) failed_by_keyword: bool,
    pub(crate) answer: AnswerFacts,
    pub(crate) session: Option<Session>,
}

/// What is known of the last answer; all zero without one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AnswerFacts {
    pub(crate) status: u16,
    pub(crate) content_length: i64,
    pub(crate) body_length: u64,
    pub(crate) version: f64,
    pub(crate) last_modified: Option<f64>,
}

impl Series {
    /// The series of a monitor; none is shown yet.
    pub fn of(monitor: &Monitor) -> Self {
        let base = monitor.series_labels();
        let plain = METRICS[..PLAIN]
            .iter()
            .map(|(name, _)| labels::<&str>(&base, name, []));
        let (duration, _) = METRICS[DURATION];
        let phases = PHASES
            .iter()
            .map(|phase| labels(&base, duration, [("phase", *phase)]));
        Self {
            fixed: plain.chain(phases).collect(),
            shown: Mutex::default(),
            base,
        }
    }

    /// All series that the monitor may have and those that it has had last.
    pub fn all(&self) -> Vec<Labels> {
        let shown = self.shown();
        let infos = shown.infos.iter().flatten().map(|info| info.labels.clone());
        self.fixed.iter().cloned().chain(infos).collect()
    }

    /// Stale markers for the series that the last check has left, for when the monitor goes; later calls give none.
    pub fn end(&self, at: Timestamp) -> Vec<(Labels, Timestamp, f64)> {
        self.show([None; FIXED], [const { None }; INFOS.len()], at)
    }

    /// The samples of some values, and stale markers for what was there last and has none now.
    fn show(
        &self,
        values: [Option<f64>; FIXED],
        infos: [Option<InfoOf<'_>>; INFOS.len()],
        at: Timestamp,
    ) -> Vec<(Labels, Timestamp, f64)> {
        let mut samples = Vec::with_capacity(FIXED + INFOS.len());
        let mut shown = self.shown();
        for (index, value) in values.into_iter().enumerate() {
            let was_shown = std::mem::replace(&mut shown.fixed[index], value.is_some());
            let value = value.or(was_shown.then(stale_marker));
            samples.extend(value.map(|value| (self.fixed[index].clone(), at, value)));
        }
        for (index, info) in infos.into_iter().enumerate() {
            let last = &mut shown.infos[index];
            let key = info.as_ref().map(InfoOf::key);
            if last.as_ref().map(|last| last.key.as_slice()) != key {
                let gone = last.take();
                samples.extend(gone.map(|gone| (gone.labels, at, stale_marker())));
                *last = info.map(|info| Info {
                    key: info.key().to_vec(),
                    labels: info.labels(&self.base, METRICS[INFOS[index]].0),
                });
            }
            samples.extend(last.as_ref().map(|info| (info.labels.clone(), at, 1.0)));
        }
        samples
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown
            .lock()
            .expect("invariant: no one panics while holding the series")
    }
}

impl Probe {
    /// The samples of a check, at the time at which it began, and stale markers for series that the check before had and
    /// this one has not; after own trouble these are all. To be asked for once, in the order of the checks.
    pub fn samples(&self, series: &Series) -> Vec<(Labels, Timestamp, f64)> {
        if matches!(self.outcome, Outcome::OwnTrouble(_)) {
            return series.end(self.started);
        }
        let session = self.facts.session.as_ref();
        let leaf = session.and_then(|session| session.leaf.as_ref());
        let version = session.map(|session| InfoOf::Text("version", session.version));
        let cipher = session.and_then(|session| session.cipher.as_deref());
        let infos = [
            leaf.map(InfoOf::Certificate),
            version,
            cipher.map(|cipher| InfoOf::Text("cipher", cipher)),
        ];
        series.show(self.values(), infos, self.started)
    }

    fn values(&self) -> [Option<f64>; FIXED] {
        let facts = &self.facts;
        let answer = &facts.answer;
        let session = facts.session.as_ref();
        let truth = |is_true: bool| Some(f64::from(u8::from(is_true)));
        let seconds = |expiry: i64| expiry as f64;
        let protocol = match facts.address {
            None => 0.0,
            Some(IpAddr::V4(_)) => 4.0,
            Some(IpAddr::V6(_)) => 6.0,
        };
        let plain: [Option<f64>; PLAIN] = [
            truth(self.outcome == Outcome::Success),
            Some(self.duration.as_secs_f64()),
            Some(facts.lookup.as_secs_f64()),
            Some(protocol),
            Some(
                facts
                    .address
                    .map_or(0.0, |address| f64::from(hash(address))),
            ),
            Some(f64::from(answer.status)),
            Some(answer.content_length as f64),
            Some(answer.body_length as f64),
            Some(f64::from(facts.redirects)),
            truth(session.is_some()),
            Some(answer.version),
            truth(facts.failed_by_keyword),
            answer.last_modified,
            session
                .and_then(|session| session.earliest_expiry)
                .map(seconds),
            session
                .and_then(|session| session.chain_expiry)
                .map(seconds),
        ];
        let mut values = [None; FIXED];
        values[..PLAIN].copy_from_slice(&plain);
        for (index, phase) in facts.phases.iter().enumerate() {
            // Without an address only the first phase was there.
            let is_there = index == 0 || facts.address.is_some();
            values[PLAIN + index] = is_there.then_some(phase.as_secs_f64());
        }
        values
    }
}

/// Type and help of every metric that checks write.
pub(crate) fn descriptions() -> Vec<(String, Metadata)> {
    let described = |(name, help): &(&str, &str)| {
        let metadata = Metadata {
            kind: MetricKind::Gauge,
            help: (*help).to_owned(),
            unit: String::new(),
        };
        ((*name).to_owned(), metadata)
    };
    METRICS.iter().map(described).collect()
}

/// What makes the labels of an info series; the key is equal exactly when they are.
#[derive(Clone, Copy, Debug)]
enum InfoOf<'a> {
    Certificate(&'a Certificate),
    Text(&'static str, &'a str),
}

impl InfoOf<'_> {
    fn key(&self) -> &[u8] {
        match self {
            Self::Certificate(certificate) => &certificate.fingerprint,
            Self::Text(_, text) => text.as_bytes(),
        }
    }

    fn labels(&self, base: &Labels, name: &str) -> Labels {
        match self {
            Self::Certificate(certificate) => labels(base, name, certificate.labels()),
            Self::Text(label, text) => labels(base, name, [(*label, *text)]),
        }
    }
}

/// A monitor's labels with a name and more labels. What a certificate says is cut where no label could hold it.
fn labels<V: AsRef<str>>(
    base: &Labels,
    name: &str,
    more: impl IntoIterator<Item = (&'static str, V)>,
) -> Labels {
    /// A certificate may name hundreds of hosts; a label is read with every query.
    const VALUE_CHARACTERS_MAX: usize = 2_000;
    let mut builder = LabelsBuilder::from_labels(base);
    builder.set(NAME, name);
    for (label, value) in more {
        let value = value.as_ref();
        let end = value.char_indices().nth(VALUE_CHARACTERS_MAX);
        builder.set(label, end.map_or(value, |(end, _)| &value[..end]));
    }
    builder
        .build()
        .expect("invariant: names are set once and values are short")
}

/// FNV-1a over the bytes of the address.
fn hash(address: IpAddr) -> u32 {
    let fold = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let start = 0x811C_9DC5;
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().iter().fold(start, fold),
        IpAddr::V6(address) => address.octets().iter().fold(start, fold),
    }
}

#[cfg(test)]
mod tests;
