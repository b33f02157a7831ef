//! `/federate`: the latest sample of each series that one of some selectors fits, as an exposition.
//!
//! As in Prometheus: what an instant selector would find now, without stale series; every series has a timestamp and no
//! type; one without a label `instance` has an empty one, so that a scraper that honours labels does not give it its own.
//! A native histogram has no form in the text: it is shown as a classic one with its count and sum.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use model::{
    BucketCounts, Histogram, Labels, NAME, Reservation, SampleColumns, Selection, SeriesSource,
    Timestamp, is_stale,
};
use wire::exposition::{Format, push_sample, push_type};

use super::labels::read_selectors;
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::stream::{Begun, PIECE_BYTES, Pieces};
use crate::{QueryKind, RunningQuery, Server};

/// What a series takes until it is written, besides its labels.
const ITEM_BYTES: usize = 256;

/// `GET /federate`
pub(crate) async fn federate(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let texts: Vec<String> = parameters.all("match[]").map(str::to_owned).collect();
    let limits = server.limits();
    let (end, lookback) = (server.clock().now(), limits.evaluation.lookback_delta);
    let source = server.ports().source.clone();
    let texts_shown = texts.join(" ");
    let work = move |caller: &Caller, _: &RunningQuery| {
        let mut found = Found {
            by_name: BTreeMap::new(),
            shown: (String::new(), ""),
            memory: source.budget().reservation(),
        };
        let millis = i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX);
        let start = Timestamp::from_millis(end.as_millis().saturating_sub(millis));
        for matchers in read_selectors(&texts, caller)? {
            let selection = Selection {
                matchers,
                start,
                end,
            };
            found.add(&*source, &selection, caller)?;
        }
        Begun::new(found)
    };
    let asker = parameters.asker().clone();
    let running = server
        .running()
        .start(QueryKind::Federate, &texts_shown, asker);
    let begun = server
        .queries()
        .run_query(&server, limits.query_timeout, running, work)
        .await?;
    Ok(begun.into_response(Format::Text.content_type(), parameters.coding()))
}

/// The latest samples, by name and then by labels; each series once, however many selectors fit it.
struct Found {
    by_name: BTreeMap<(String, Key), Latest>,
    /// The name and type that were shown last.
    shown: (String, &'static str),
    memory: Reservation,
}

/// Labels in the order of their names and values.
type Key = Vec<(String, String)>;

struct Latest {
    labels: Labels,
    timestamp: i64,
    value: Value,
}

enum Value {
    Number(f64),
    /// Count and sum.
    Histogram(f64, f64),
}

impl Found {
    fn add(
        &mut self,
        source: &dyn SeriesSource,
        selection: &Selection,
        caller: &Caller,
    ) -> Result<(), ApiError> {
        let series = source.select(selection)?;
        let mut samples = SampleColumns::default();
        let mut histograms = Vec::new();
        for index in 0..series.len() {
            caller.require()?;
            let labels = series.labels(index);
            if labels.metric_name().is_empty() {
                continue;
            }
            samples.clear();
            histograms.clear();
            series.read(index, &mut samples)?;
            series.read_histograms(index, &mut histograms)?;
            if let Some((timestamp, value)) = latest(&samples, &histograms) {
                let pairs = labels.iter().filter(|(name, _)| *name != NAME);
                let key = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let key = (labels.metric_name().to_owned(), key.collect());
                self.memory
                    .grow(ITEM_BYTES + 2 * labels.as_packed().len())?;
                let labels = labels.clone();
                let latest = Latest {
                    labels,
                    timestamp,
                    value,
                };
                self.by_name.insert(key, latest);
            }
        }
        Ok(())
    }
}

/// The newest sample, if the series has not ended with it.
fn latest(samples: &SampleColumns, histograms: &[(i64, Histogram)]) -> Option<(i64, Value)> {
    let number = samples.timestamps.last().zip(samples.values.last());
    let histogram = histograms.last();
    match (number, histogram) {
        (Some((at, value)), other) if other.is_none_or(|(newer, _)| newer < at) => {
            (!is_stale(*value)).then_some((*at, Value::Number(*value)))
        }
        (_, Some((at, histogram))) => {
            let count = match &histogram.counts {
                BucketCounts::Integer(counts) => counts.total as f64,
                BucketCounts::Float(counts) => counts.total,
            };
            (!histogram.is_stale()).then_some((*at, Value::Histogram(count, histogram.sum)))
        }
        _ => None,
    }
}

impl Pieces for Found {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let mut out = String::new();
        while out.len() < PIECE_BYTES {
            let Some(((name, _), latest)) = self.by_name.pop_first() else {
                break;
            };
            let kind = latest.value.type_name();
            if (self.shown.0.as_str(), self.shown.1) != (&name, kind) {
                push_type(&mut out, &name, kind);
                self.shown = (name, kind);
            }
            latest.push(&mut out);
        }
        Ok((!out.is_empty()).then(|| out.into_bytes()))
    }
}

impl Value {
    const fn type_name(&self) -> &'static str {
        match self {
            Self::Number(_) => "untyped",
            Self::Histogram(..) => "histogram",
        }
    }
}

impl Latest {
    fn push(&self, out: &mut String) {
        let name = self.labels.metric_name();
        let mut line = |suffix: &str, more: &[(&str, &str)], value: f64| {
            let labels = self.labels.iter().filter(|(name, _)| *name != NAME);
            let has_instance = self.labels.get("instance").is_some();
            let instance = (!has_instance).then_some(("instance", ""));
            let labels = labels.chain(instance).chain(more.iter().copied());
            let timestamp = Timestamp::from_millis(self.timestamp);
            push_sample(out, &format!("{name}{suffix}"), labels, value, timestamp);
        };
        match self.value {
            Value::Number(value) => line("", &[], value),
            Value::Histogram(count, sum) => {
                line("_bucket", &[("le", "+Inf")], count);
                line("_sum", &[], sum);
                line("_count", &[], count);
            }
        }
    }
}
