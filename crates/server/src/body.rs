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
    let bytes_max = server.config().request_body_max;
    read_at_most(server, headers, stream, bytes_max).await
}

/// Reads a whole body of at most so many bytes, see [`read`].
pub(crate) async fn read_at_most(
    server: &Server,
    headers: &HeaderMap,
    stream: Body,
    bytes_max: usize,
) -> Result<Received, ApiError> {
    let within = server.config().body_timeout;
    match tokio::time::timeout(within, collect(server, headers, stream, bytes_max)).await {
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
    bytes_max: usize,
) -> Result<Received, ApiError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > bytes_max) {
        return Err(too_large(bytes_max));
    }
    // What is announced is only reserved in the first piece: the sender must pay for the rest with bytes.
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(PIECE_BYTES));
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
        let needed = bytes.len() + data.len();
        if bytes.capacity() < needed {
            let capacity = grown(bytes.capacity(), needed, announced.unwrap_or(bytes_max));
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received {
        bytes,
        _budget: budget,
    })
}

/// The next capacity: it at least doubles, but does not pass what is expected at most.
fn grown(capacity: usize, needed: usize, expected_max: usize) -> usize {
    expected_max.min(capacity * 2).max(needed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_without_announced_length_grows_by_doubling() {
        let (mut capacity, mut steps) = (0, 0);
        for needed in (1..=16 << 10).map(|frames| frames << 10) {
            if capacity < needed {
                capacity = grown(capacity, needed, 16 << 20);
                steps += 1;
            }
        }
        assert_eq!((capacity, steps), (16 << 20, 15));
        assert_eq!(grown(10, 11, 15), 15);
        // A sender that announced too little is cut off elsewhere.
        assert_eq!(grown(10, 16, 15), 16);
    }
}
