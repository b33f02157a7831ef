//! Reading a request's body: no larger than allowed, no slower than allowed, and never more of them than memory has.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::ApiError;
use crate::server::Server;

/// Bodies are charged to the common budget in pieces of this many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A body in memory; dropping it gives its share of the budget back.
#[derive(Debug)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    _budget: Option<OwnedSemaphorePermit>,
}

impl Received {
    /// The body as sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a whole body.
///
/// Errors: 413 when it is too large, 408 when it is too slow, 503 when there are too many, 400 when it breaks off.
pub(crate) async fn read(
    server: &Server,
    headers: &HeaderMap,
    stream: Body,
) -> Result<Received, ApiError> {
    let config = server.config();
    let within = config.body_timeout;
    match tokio::time::timeout(within, collect(server, headers, stream)).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::bad_data(format!(
            "the request's body did not arrive within {}",
            model::duration::format(within)
        ))
        .with_status(StatusCode::REQUEST_TIMEOUT)),
    }
}

async fn collect(
    server: &Server,
    headers: &HeaderMap,
    mut stream: Body,
) -> Result<Received, ApiError> {
    let bytes_max = server.config().request_body_max;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > bytes_max {
        return Err(too_large(bytes_max));
    }
    // What is announced is only reserved in the first piece: the sender must pay for the rest with bytes.
    let mut bytes = Vec::with_capacity(announced.min(PIECE_BYTES));
    let mut budget: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = stream.frame().await {
        let frame = frame.map_err(|_| ApiError::bad_data("the request's body broke off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        charge(server, &mut budget, bytes.len() + data.len())?;
        if bytes.capacity() < bytes.len() + data.len() {
            // At least doubles, but does not pass what was announced.
            let wanted = announced.min(bytes.len() * 2).saturating_sub(bytes.len());
            bytes.reserve_exact(wanted.max(data.len()));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received {
        bytes,
        _budget: budget,
    })
}

/// Takes from the common budget what `length` bytes need beyond what is already held.
fn charge(
    server: &Server,
    budget: &mut Option<OwnedSemaphorePermit>,
    length: usize,
) -> Result<(), ApiError> {
    let held = budget.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let needed = length.div_ceil(PIECE_BYTES).saturating_sub(held);
    if needed == 0 {
        return Ok(());
    }
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    let Ok(more) = server.body_budget().try_acquire_many_owned(needed) else {
        return Err(ApiError::unavailable(format!(
            "the bodies of all running requests are larger than {} bytes together, try again later",
            server.config().request_bodies_total_max
        )));
    };
    match budget {
        Some(budget) => budget.merge(more),
        None => *budget = Some(more),
    }
    Ok(())
}

/// How many pieces a budget of so many bytes has.
pub(crate) fn budget_pieces(bytes: usize) -> usize {
    bytes
        .div_ceil(PIECE_BYTES)
        .min(tokio::sync::Semaphore::MAX_PERMITS)
}

fn too_large(bytes_max: usize) -> ApiError {
    ApiError::bad_data(format!(
        "the request's body is larger than {bytes_max} bytes: send it in smaller parts"
    ))
    .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
