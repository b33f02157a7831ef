//! `POST /api/v1/write`: Prometheus remote write 1.0.
//!
//! What the answers mean to a sender: 204, everything that it must not lose is stored; 400, some of it never will be
//! (the good samples are stored, and the message says what is wrong with the others), do not repeat; 5xx, repeat.
//! Exemplars only decorate: when some are refused, they are counted and the answer stays 204. How many samples, native
//! histograms and exemplars were stored, the `…-Written` headers of remote write 2.0 tell.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use model::{Announcement, Appended, CounterReset, HistogramRow, RowKind};
use wire::remote_write::{DecodeError, KEYS, WriteRequest, decode, decompress};

use crate::error::ApiError;
use crate::ingest::{append, append_slot, describe};
use crate::metrics::Protocol;
use crate::parameters::media_type;
use crate::{Server, body};

const SAMPLES_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

/// Takes a request in.
pub(crate) async fn write(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, stream) = request.into_parts();
    require_version_1(&head.headers)?;
    let announcement = server.ports().sink.announce();
    let received = body::read(&server, &head.headers, stream).await?;
    let own = server.clone();
    let written = append_slot(&server, move || store(&own, received, announcement)).await?;
    let mut response = match written.refused {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(refused) => refused.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(SAMPLES_WRITTEN, HeaderValue::from(written.samples));
    headers.insert(HISTOGRAMS_WRITTEN, HeaderValue::from(written.histograms));
    headers.insert(EXEMPLARS_WRITTEN, HeaderValue::from(written.exemplars));
    Ok(response)
}

/// What became of a request.
struct Written {
    samples: usize,
    histograms: usize,
    exemplars: usize,
    refused: Option<ApiError>,
}

fn store(
    server: &Server,
    received: body::Received,
    announcement: Announcement,
) -> Result<Written, ApiError> {
    let limit = server.config().decompressed_max;
    let message =
        decompress(received.bytes(), limit).map_err(|error| undecodable(server, &error))?;
    // The compressed bytes are not needed any more; others may use their share of the budget.
    drop(received);
    let mut request = decode(&message).map_err(|error| undecodable(server, &error))?;
    request.batch.announcement = announcement;
    forget_resets(&mut request.batch.histograms);
    let own = server.own();
    for (reason, count) in [
        ("invalid_histogram", request.refused_histograms.count),
        ("invalid_exemplar", request.refused_exemplars.count),
    ] {
        own.count_rejected(Protocol::RemoteWrite, reason, count);
    }
    let appended = append(server, Protocol::RemoteWrite, &request.batch)?;
    describe(server, &request.metadata)?;
    Ok(Written {
        samples: appended.accepted,
        histograms: appended.histograms,
        exemplars: appended.exemplars,
        refused: refusal(&request, &appended),
    })
}

/// Leaves of what histograms say about resets only that they are gauges. The sender compared each with the one that it
/// sent before; here others may be missing between them, or come late, and counts that fall tell of a reset better. A
/// store of Prometheus gives no other answers.
fn forget_resets(histograms: &mut [HistogramRow<'_>]) {
    for row in histograms {
        if row.histogram.reset != CounterReset::Gauge {
            row.histogram.reset = CounterReset::Unknown;
        }
    }
}

/// One message for all samples and histograms that were refused: how many, and the first of each kind by name.
fn refusal(request: &WriteRequest<'_>, appended: &Appended) -> Option<ApiError> {
    let batch = &request.batch;
    let broken = &request.refused_histograms;
    let mut reasons = Vec::new();
    for (kind, what, sent) in [
        (RowKind::Sample, "samples", batch.rows.len()),
        (
            RowKind::Histogram,
            "native histograms",
            batch.histograms.len(),
        ),
    ] {
        let broken = Some(broken).filter(|_| kind == RowKind::Histogram);
        let broken_count = broken.map_or(0, |broken| broken.count);
        let refused = appended.rejected_of(kind).count() + broken_count;
        let of_store = appended.rejected_of(kind).next().map(|first| {
            let key = batch.key(kind, first.row).unwrap_or_default();
            (key, first.reason.to_string())
        });
        let first = broken.and_then(|broken| broken.first.clone());
        if let Some((key, reason)) = first.or(of_store) {
            let (sent, series) = (sent + broken_count, shown(key));
            reasons.push(format!(
                "{refused} of {sent} {what} were refused, the first of them of series {series}: {reason}"
            ));
        }
    }
    (!reasons.is_empty()).then(|| ApiError::bad_data(reasons.join("; ")))
}

fn shown(key: &[u8]) -> String {
    (KEYS.decode)(key).map_or_else(|_| "(unreadable)".to_owned(), |labels| labels.to_string())
}

fn undecodable(server: &Server, error: &DecodeError) -> ApiError {
    server
        .own()
        .count_rejected(Protocol::RemoteWrite, "undecodable", 1);
    let refused = ApiError::bad_data(error.to_string());
    match error {
        DecodeError::TooLarge { .. } => refused.with_status(StatusCode::PAYLOAD_TOO_LARGE),
        DecodeError::Snappy(_) | DecodeError::Protobuf { .. } => refused,
    }
}

/// Both headers may be missing, as Prometheus allows; what they say must be right.
fn require_version_1(headers: &HeaderMap) -> Result<(), ApiError> {
    let unsupported = |what: &str, value: &str| {
        Err(ApiError::bad_data(format!(
            "{what} {value:?} is not supported here: send remote write 1.0, that is \
             Content-Type application/x-protobuf;proto=prometheus.WriteRequest and Content-Encoding snappy"
        ))
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    };
    let text = |name| {
        headers
            .get(name)
            .map_or("", |value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    let full_type = text(header::CONTENT_TYPE);
    let message = full_type
        .split(';')
        .skip(1)
        .filter_map(|parameter| parameter.trim().strip_prefix("proto="))
        .next()
        .unwrap_or("prometheus.WriteRequest");
    let kind = media_type(headers);
    if !matches!(kind, "" | "application/x-protobuf") || message != "prometheus.WriteRequest" {
        return unsupported("content type", full_type);
    }
    match text(header::CONTENT_ENCODING) {
        "" | "snappy" => Ok(()),
        other => unsupported("content encoding", other),
    }
}
