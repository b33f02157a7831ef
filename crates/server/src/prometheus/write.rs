//! `POST /api/v1/write`: Prometheus remote write 1.0.
//!
//! What the answers mean to a sender: 204, everything that it must not lose is stored; 400, some of it never will be
//! (the good samples are stored, and the message says what is wrong with the others), do not repeat; 5xx, repeat.
//! Native histograms are not stored in this version, which is a 400. Exemplars are not either, but they only decorate:
//! the answer stays 204. Both are counted, and the `…-Written` headers of remote write 2.0 tell the numbers.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use model::{Appended, SampleBatch};
use wire::remote_write::{DecodeError, decode, decompress};

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
    let received = body::read(&server, &head.headers, stream).await?;
    let own = server.clone();
    let written = append_slot(&server, move || store(&own, received)).await?;
    let mut response = match written.refused {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(refused) => refused.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(SAMPLES_WRITTEN, HeaderValue::from(written.samples));
    headers.insert(HISTOGRAMS_WRITTEN, HeaderValue::from(0));
    headers.insert(EXEMPLARS_WRITTEN, HeaderValue::from(0));
    Ok(response)
}

/// What became of a request.
struct Written {
    samples: usize,
    refused: Option<ApiError>,
}

fn store(server: &Server, received: body::Received) -> Result<Written, ApiError> {
    let limit = server.config().decompressed_max;
    let message =
        decompress(received.bytes(), limit).map_err(|error| undecodable(server, &error))?;
    // The compressed bytes are not needed any more; others may use their share of the budget.
    drop(received);
    let request = decode(&message).map_err(|error| undecodable(server, &error))?;
    let own = server.own();
    for (reason, count) in [
        ("histogram_unsupported", request.histograms),
        ("exemplar_unsupported", request.exemplars),
    ] {
        own.count_rejected(Protocol::RemoteWrite, reason, count);
    }
    let appended = append(server, Protocol::RemoteWrite, &request.batch)?;
    describe(server, &request.metadata)?;
    Ok(Written {
        samples: appended.accepted,
        refused: refusal(&request.batch, &appended, request.histograms),
    })
}

/// One message for all that was refused: how much, and the first of it by name.
fn refusal(batch: &SampleBatch<'_>, appended: &Appended, histograms: usize) -> Option<ApiError> {
    let mut reasons = Vec::new();
    if let Some(first) = appended.rejected.first() {
        let labels = (batch.encoding.decode)(batch.rows[first.row].key);
        let series = labels.map_or_else(|_| "(unreadable)".to_owned(), |labels| labels.to_string());
        let (refused, sent) = (appended.rejected.len(), batch.rows.len());
        let reason = &first.reason;
        reasons.push(format!(
            "{refused} of {sent} samples were refused, the first of them of series {series}: {reason}"
        ));
    }
    if histograms > 0 {
        reasons.push(format!(
            "{histograms} native histograms were not stored, this version stores float samples: send classic histograms"
        ));
    }
    (!reasons.is_empty()).then(|| ApiError::bad_data(reasons.join("; ")))
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
