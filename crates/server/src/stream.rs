//! Answers that are written piece by piece, as their client takes them.
//!
//! 1. The first piece is written where the question is answered. Most answers end there, and go out as a whole.
//! 2. Of the others the body holds what writes the rest. While one piece is sent, the next one is written on a thread that
//!    may block; further it does not go ahead, so a client that reads slowly costs two pieces.
//! 3. A client that hangs up drops the body, and so the rest. What goes wrong later breaks the connection off, since the
//!    status is sent already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use hyper::body::Frame;
use tokio::task::JoinHandle;

use crate::answer;
use crate::compression::{Coding, Encoder};
use crate::error::ApiError;

/// Bytes of a piece, about, before it is compressed: what a socket takes at once.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// Compressed bytes that are worth sending by themselves …
const PACKED_BYTES_MIN: usize = 16 << 10;
/// … and bytes that are compressed at most before somebody else has a turn.
const PACK_BYTES_MAX: usize = 1 << 20;

/// Writes an answer in pieces.
pub(crate) trait Pieces: Send + 'static {
    /// The next piece, of about [`PIECE_BYTES`] and at least one byte; none at the end.
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError>;
}

/// An answer whose beginning is written.
pub(crate) struct Begun {
    pieces: Box<dyn Pieces>,
    /// One piece, or two: an answer without a second one goes out as a whole.
    first: Vec<u8>,
    is_whole: bool,
}

impl Begun {
    /// Writes the first piece.
    pub(crate) fn new(mut pieces: impl Pieces) -> Result<Self, ApiError> {
        let mut first = pieces.next()?.unwrap_or_default();
        let second = pieces.next()?;
        let is_whole = second.is_none();
        first.extend(second.unwrap_or_default());
        Ok(Self {
            pieces: Box::new(pieces),
            first,
            is_whole,
        })
    }

    /// The answer, compressed unless it is short or the client does not take that.
    pub(crate) fn into_response(self, kind: &'static str, coding: Coding) -> Response {
        let kind = HeaderValue::from_static(kind);
        if self.is_whole {
            // Whoever holds memory for the answer holds it until it is sent.
            let whole = Bytes::from_owner(Whole {
                bytes: self.first,
                pieces: self.pieces,
            });
            return answer::typed(StatusCode::OK, kind, whole);
        }
        let writer = Writer {
            pieces: self.pieces,
            first: Some(self.first),
            encoder: Encoder::new(coding),
        };
        let mut response = answer::typed(StatusCode::OK, kind, Body::new(Streamed::new(writer)));
        coding.set_header(response.headers_mut());
        response
    }
}

/// Bytes, and what wrote them.
struct Whole {
    bytes: Vec<u8>,
    #[expect(dead_code, reason = "it is held for its end")]
    pieces: Box<dyn Pieces>,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes in memory, piece by piece.
pub(crate) struct Sliced(pub(crate) Bytes);

impl Pieces for Sliced {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let piece = self.0.split_to(PIECE_BYTES.min(self.0.len()));
        Ok((!piece.is_empty()).then(|| piece.to_vec()))
    }
}

/// A body that is compressed as it is sent.
pub(crate) fn packed(pieces: impl Pieces, coding: Coding) -> Body {
    Body::new(Streamed::new(Writer {
        pieces: Box::new(pieces),
        first: None,
        encoder: Encoder::new(coding),
    }))
}

/// What writes and compresses.
struct Writer {
    pieces: Box<dyn Pieces>,
    first: Option<Vec<u8>>,
    encoder: Encoder,
}

impl Writer {
    /// The next bytes to send, and the writer unless these were the last.
    fn write(mut self) -> Result<(Vec<u8>, Option<Self>), ApiError> {
        let mut written = 0;
        loop {
            let piece = match self.first.take() {
                Some(first) => Some(first),
                None => self.pieces.next()?,
            };
            let Some(piece) = piece else {
                return Ok((self.encoder.finish(), None));
            };
            written += piece.len();
            let is_enough = self.encoder.write(piece) >= PACKED_BYTES_MIN;
            if is_enough || written >= PACK_BYTES_MAX {
                return Ok((self.encoder.take(), Some(self)));
            }
        }
    }
}

type Written = Result<(Vec<u8>, Option<Writer>), ApiError>;

/// The body whose next piece is being written; none after the last.
struct Streamed(Option<JoinHandle<Written>>);

impl Streamed {
    fn new(writer: Writer) -> Self {
        Self(Some(tokio::task::spawn_blocking(move || writer.write())))
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            let Some(writing) = &mut self.0 else {
                return Poll::Ready(None);
            };
            let written = ready!(Pin::new(writing).poll(context));
            self.0 = None;
            let error = match written {
                Ok(Ok((bytes, writer))) => {
                    if let Some(writer) = writer {
                        *self = Self::new(writer);
                    }
                    if bytes.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
                }
                Ok(Err(error)) => error.message().to_owned(),
                Err(error) => error.to_string(),
            };
            tracing::warn!(%error, "an answer broke off while it was sent");
            return Poll::Ready(Some(Err(io::Error::other(error))));
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    /// Counts down, then ends or fails.
    struct Counted {
        left: usize,
        fails: bool,
    }

    impl Pieces for Counted {
        fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
            if self.left == 0 && self.fails {
                return Err(ApiError::internal("broken"));
            }
            let piece = (self.left > 0).then(|| vec![self.left as u8; PIECE_BYTES]);
            self.left = self.left.saturating_sub(1);
            Ok(piece)
        }
    }

    fn response(left: usize, fails: bool, coding: Coding) -> Response {
        let begun = Begun::new(Counted { left, fails }).ok().unwrap();
        begun.into_response("application/json", coding)
    }

    async fn body(response: Response) -> Result<Vec<u8>, axum::Error> {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        bytes.map(|bytes| bytes.to_vec())
    }

    #[tokio::test]
    async fn a_long_answer_has_no_length_and_all_its_pieces() {
        let response = response(5, false, Coding::Identity);
        assert_eq!(response.body().size_hint().exact(), None);
        let bytes = body(response).await.unwrap();
        let expected: Vec<u8> = (1..=5)
            .rev()
            .flat_map(|one| vec![one; PIECE_BYTES])
            .collect();
        assert!(bytes == expected);
    }

    #[tokio::test]
    async fn a_short_answer_is_whole() {
        for left in [0, 1] {
            let response = response(left, false, Coding::Gzip);
            let length = response.body().size_hint().exact();
            assert_eq!(length, Some((left * PIECE_BYTES) as u64));
            assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
        }
    }

    #[tokio::test]
    async fn an_answer_that_fails_later_breaks_off() {
        assert!(body(response(3, true, Coding::Identity)).await.is_err());
        let at_once = Begun::new(Counted {
            left: 0,
            fails: true,
        });
        assert_eq!(at_once.err().unwrap().message(), "broken");
    }

    /// Never ends, and tells when it is given up.
    struct Endless {
        #[expect(dead_code, reason = "its end is what is waited for")]
        alive: tokio::sync::oneshot::Sender<()>,
    }

    impl Pieces for Endless {
        fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
            Ok(Some(vec![0; PIECE_BYTES]))
        }
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_ends_the_work() {
        use http_body_util::BodyExt as _;
        let (alive, ended) = tokio::sync::oneshot::channel();
        let begun = Begun::new(Endless { alive }).ok().unwrap();
        let mut body = begun
            .into_response("application/json", Coding::Identity)
            .into_body();
        assert!(body.frame().await.unwrap().is_ok());
        drop(body);
        assert!(ended.await.is_err());
    }

    #[tokio::test]
    async fn a_long_answer_is_compressed_as_it_is_sent() {
        use std::io::Read as _;
        let plain = body(response(40, false, Coding::Identity)).await.unwrap();
        let gzip = response(40, false, Coding::Gzip);
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        let packed = body(gzip).await.unwrap();
        let mut unpacked = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(packed.as_slice());
        decoder.read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain && packed.len() < plain.len() / 10);
        let zstd = response(40, false, Coding::Zstd);
        assert_eq!(zstd.headers()[header::CONTENT_ENCODING], "zstd");
        let packed = body(zstd).await.unwrap();
        assert!(zstd::decode_all(packed.as_slice()).unwrap() == plain);
    }
}
