//! Ingestion: what the remote write and JSON routes share (appending and telling what was refused), and the JSON routes.
//!
//! An acknowledged sample is stored: the answer is written after the sink has returned. A client that hangs up in
//! between stops nothing, since half a batch would help nobody.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use model::{
    AppendError, Appended, Labels, Matcher, Metadata, NAME, SampleBatch, SampleColumns, Selection,
    Timestamp, is_stale,
};
use wire::json_ingest::{self, IngestError, IngestedMetric};

use crate::error::{ApiError, ErrorType};
use crate::metrics::Protocol;
use crate::parameters::{Parameters, media_type, path_name};
use crate::prometheus::{TRUNCATED, finish};
use crate::query_gate::Caller;
use crate::{Server, answer, body, json};

/// Metrics in one batch.
const BATCH_METRICS_MAX: usize = 100_000;

/// Series of which `/latest` tells when no other limit is given.
const LATEST_SERIES_MAX: usize = 10_000;

/// `POST /api/v1/metrics/ingest`: one metric.
pub(crate) async fn one(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let received = read_json(&server, request).await?;
    let own = server.clone();
    let stored = append_slot(&server, move || {
        let metric = json_ingest::parse_one(received.bytes()).map_err(|error| {
            own.own().count_rejected(Protocol::Json, "invalid", 1);
            refusal(&error)
        })?;
        let outcome = store(&own, vec![(0, metric)])?;
        match outcome.into_iter().next() {
            Some((_, error)) => Err(ApiError::bad_data(error)),
            None => Ok(()),
        }
    });
    stored.await?;
    Ok(answer::json(
        StatusCode::CREATED,
        r#"{"accepted":1}"#.to_owned(),
    ))
}

/// `POST /api/v1/metrics/batch`: each metric is taken or refused on its own.
pub(crate) async fn batch(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let received = read_json(&server, request).await?;
    let own = server.clone();
    append_slot(&server, move || {
        let items = json_ingest::parse_batch(received.bytes(), BATCH_METRICS_MAX)
            .map_err(|error| refusal(&error))?;
        let count = items.len();
        let mut metrics = Vec::with_capacity(count);
        let mut rejected = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Ok(metric) => metrics.push((index, metric)),
                Err(error) => rejected.push((index, error.to_string())),
            }
        }
        own.own()
            .count_rejected(Protocol::Json, "invalid", rejected.len());
        rejected.extend(store(&own, metrics)?);
        rejected.sort();
        Ok(batch_answer(count - rejected.len(), &rejected))
    })
    .await
}

fn batch_answer(accepted: usize, rejected: &[(usize, String)]) -> Response {
    let mut body = String::from(r#"{"accepted":"#);
    json::push_display(&mut body, accepted);
    if rejected.is_empty() {
        body.push('}');
        return answer::json(StatusCode::CREATED, body);
    }
    body.push_str(r#","rejected":["#);
    for (place, (index, error)) in rejected.iter().enumerate() {
        json::separate(&mut body, place);
        body.push_str(r#"{"index":"#);
        json::push_display(&mut body, index);
        body.push_str(r#","error":"#);
        json::push_string(&mut body, error);
        body.push('}');
    }
    body.push_str("]}");
    answer::json(StatusCode::MULTI_STATUS, body)
}

/// Appends metrics that stand at the given places of a request; those of which a sample was refused, and why.
fn store(
    server: &Server,
    metrics: Vec<(usize, IngestedMetric)>,
) -> Result<Vec<(usize, String)>, ApiError> {
    let now = server.clock().now();
    let mut places = Vec::new();
    let mut samples = Vec::new();
    for (place, metric) in &metrics {
        for (labels, value) in &metric.samples {
            places.push(*place);
            samples.push((labels, metric.timestamp.unwrap_or(now), *value));
        }
    }
    let batch = SampleBatch::packed(samples);
    let appended = append(server, Protocol::Json, &batch)?;
    let mut refused: Vec<Refused> = Vec::new();
    for rejected in &appended.rejected {
        let place = places[rejected.row];
        match refused.last_mut().filter(|last| last.place == place) {
            Some(last) => last.samples += 1,
            // A histogram has many samples; the first reason speaks for all of them.
            None => refused.push(Refused {
                place,
                samples: 1,
                reason: rejected.reason.to_string(),
            }),
        }
    }
    let pushed = described(metrics, &refused);
    let source = &*server.ports().source;
    describe(server, &server.descriptions().complete(source, pushed)?)?;
    let told = refused.into_iter();
    Ok(told
        .map(|refused| (refused.place, refused.reason))
        .collect())
}

/// A metric of which samples were refused.
struct Refused {
    place: usize,
    samples: usize,
    reason: String,
}

/// The descriptions of the metrics of which a sample was accepted; both lists are in the order of their places.
fn described(
    metrics: Vec<(usize, IngestedMetric)>,
    refused: &[Refused],
) -> Vec<(String, Metadata)> {
    let mut refused = refused.iter().peekable();
    let mut descriptions = Vec::with_capacity(metrics.len());
    for (place, metric) in metrics {
        let faults = refused.next_if(|refused| refused.place == place);
        if faults.is_none_or(|faults| faults.samples < metric.samples.len()) {
            descriptions.push((metric.name, metric.metadata));
        }
    }
    descriptions
}

/// `GET /api/v1/metrics/latest/{name}`: the newest sample of each series, no older than the lookback.
pub(crate) async fn latest(
    State(server): State<Server>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = path_name(path)?;
    let parameters = Parameters::read(&server, request).await?;
    let limit = parameters.limit("limit")?.unwrap_or(LATEST_SERIES_MAX);
    let limits = server.limits();
    let now = server.clock().now();
    let selection = Selection {
        matchers: vec![Matcher::equal(NAME, &name)],
        start: now - limits.evaluation.lookback_delta,
        end: now,
    };
    let source = server.ports().source.clone();
    let work = move |caller: &Caller| {
        let selected = source.select(&selection)?;
        let mut columns = SampleColumns::default();
        let mut body = String::from(r#"{"name":"#);
        json::push_string(&mut body, &name);
        body.push_str(r#","series":["#);
        let mut shown = 0;
        let mut is_truncated = false;
        for index in 0..selected.len() {
            caller.require()?;
            columns.clear();
            selected.read(index, &mut columns)?;
            let newest = columns.timestamps.last().zip(columns.values.last());
            let Some((timestamp, value)) = newest.filter(|(_, value)| !is_stale(**value)) else {
                continue;
            };
            if shown == limit {
                is_truncated = true;
                break;
            }
            json::separate(&mut body, shown);
            push_latest(&mut body, selected.labels(index), *timestamp, *value);
            answer::check_length(body.len(), answer::LIST_BYTES_MAX, "match[] or limit")?;
            shown += 1;
        }
        body.push(']');
        let warnings: &[&str] = if is_truncated { &[TRUNCATED] } else { &[] };
        finish(&mut body, warnings, &[""; 0]);
        match shown {
            0 => Err(unknown_metric(&name)),
            _ => Ok(body),
        }
    };
    let body = server
        .queries()
        .run(&server, limits.query_timeout, work)
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

/// A value that JSON cannot write (NaN, infinities) is null.
fn push_latest(body: &mut String, labels: &Labels, timestamp: i64, value: f64) {
    body.push_str(r#"{"labels":"#);
    json::push_pairs(body, labels.iter().filter(|(name, _)| *name != NAME));
    body.push_str(r#","value":"#);
    json::push_number(body, value);
    body.push_str(r#","timestamp":"#);
    json::push_timestamp(body, Timestamp::from_millis(timestamp));
    body.push('}');
}

fn unknown_metric(name: &str) -> ApiError {
    ApiError::new(
        ErrorType::NotFound,
        format!("no series named {name:?} has a recent sample"),
    )
}

/// Waits for a slot, then lets `work` run on a thread of its own; nothing stops it before its end.
pub(crate) async fn append_slot<T: Send + 'static>(
    server: &Server,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let slot = server.append_slots().acquire_owned().await;
    let slot = slot.expect("invariant: the semaphore is never closed");
    let held = move || {
        let _slot = slot;
        work()
    };
    server.blocking(held).await?
}

/// Appends a batch and counts what became of it.
pub(crate) fn append(
    server: &Server,
    protocol: Protocol,
    batch: &SampleBatch<'_>,
) -> Result<Appended, ApiError> {
    let own = server.own();
    let appended = server.ports().sink.append(batch).map_err(|error| {
        own.count_rejected(protocol, "append_failed", batch.len());
        append_failed(&error)
    })?;
    own.count_ingested(protocol, appended.accepted + appended.histograms);
    for rejected in &appended.rejected {
        own.count_rejected(protocol, rejected.reason.label(), 1);
    }
    Ok(appended)
}

/// Stores types and help texts.
pub(crate) fn describe(
    server: &Server,
    descriptions: &[(String, Metadata)],
) -> Result<(), ApiError> {
    if descriptions.is_empty() {
        return Ok(());
    }
    let described = server.ports().sink.describe(descriptions);
    described.map_err(|error| append_failed(&error))
}

/// A sender repeats what gets a 5xx, so a broken log is one.
fn append_failed(error: &AppendError) -> ApiError {
    match error {
        AppendError::Storage(_) => ApiError::unavailable(error.to_string()),
        AppendError::TooLarge(_) => {
            ApiError::bad_data(error.to_string()).with_status(StatusCode::PAYLOAD_TOO_LARGE)
        }
    }
}

async fn read_json(server: &Server, request: Request) -> Result<body::Received, ApiError> {
    let (head, stream) = request.into_parts();
    require_plain_json(&head.headers)?;
    body::read(server, &head.headers, stream).await
}

pub(crate) fn require_plain_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let unsupported = |what: String| {
        Err(ApiError::bad_data(what).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    };
    let kind = media_type(headers);
    if !kind.eq_ignore_ascii_case("application/json") {
        return unsupported(format!(
            "content type {kind:?} is not supported here: send application/json"
        ));
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => unsupported(format!(
            "content encoding {encoding:?} is not supported here: send the body uncompressed"
        )),
        _ => Ok(()),
    }
}

fn refusal(error: &IngestError) -> ApiError {
    let refused = ApiError::bad_data(error.to_string());
    match error {
        IngestError::TooMany { .. } => refused.with_status(StatusCode::PAYLOAD_TOO_LARGE),
        IngestError::Syntax(_) | IngestError::Invalid(_) => refused,
    }
}
