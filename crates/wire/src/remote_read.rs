//! Prometheus remote read: what is asked, and the two forms of the answer.
//!
//! A request is a snappy block as in remote write. An answer of samples is one too, and so has to be in memory as a whole; one of
//! chunks is a row of frames that is sent as it is made, and is not compressed, as chunks are.
//!
//! ```text
//! ReadRequest          queries = 1 (repeated)  accepted_response_types = 2 (repeated enum)
//! Query                start_timestamp_ms = 1  end_timestamp_ms = 2  matchers = 3 (repeated)  hints = 4
//! LabelMatcher         type = 1 (enum)  name = 2  value = 3
//! ReadHints            func = 2  start_ms = 3  end_ms = 4
//! ReadResponse         results = 1 (repeated)
//! QueryResult          timeseries = 1 (repeated, as in remote write)
//! ChunkedReadResponse  chunked_series = 1 (repeated)  query_index = 2
//! ChunkedSeries        labels = 1 (repeated)  chunks = 2 (repeated)
//! Chunk                min_time_ms = 1  max_time_ms = 2  type = 3 (enum)  data = 4
//! ```

mod checksum;
mod decode;
mod encode;

#[cfg(test)]
mod tests;

use model::{InvalidMatcher, Matcher, Timestamp};
use thiserror::Error;

use crate::remote_write::DecodeError;

pub use decode::decode;
pub use encode::{Frame, finish_response, finish_result, push_series};

/// What is asked.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// Questions, each with an answer of its own.
    pub queries: Vec<ReadQuery>,
    /// The form of the answer.
    pub answer: ReadAnswer,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadQuery {
    /// Conditions that a series must fulfil, all of them.
    pub matchers: Vec<Matcher>,
    /// The first moment that is asked for and, if the client told, of use.
    pub start: Timestamp,
    /// The last one, inclusive.
    pub end: Timestamp,
    /// Whether only labels are wanted.
    pub labels_only: bool,
}

/// The forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAnswer {
    /// `SAMPLES`
    Samples,
    /// `STREAMED_XOR_CHUNKS`
    Chunks,
}

/// Why a message is no request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The message is broken.
    #[error("the message is no remote read request: byte {offset}: {reason}")]
    Protobuf {
        /// Where, counted from 0 in the decompressed message.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// It asks for more than is allowed at once.
    #[error("more than {limit} {what}: send smaller requests")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// A condition cannot be understood.
    #[error(transparent)]
    Matcher(#[from] InvalidMatcher),
    /// The client takes no answer that there is.
    #[error(
        "none of the accepted response types {0:?} is supported: SAMPLES (0) and STREAMED_XOR_CHUNKS (1) are"
    )]
    Answer(Vec<u64>),
}

impl From<DecodeError> for ReadError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Protobuf { offset, reason } => Self::Protobuf { offset, reason },
            // Of these the walk over a message knows nothing.
            DecodeError::TooLarge { what, limit, .. } => Self::TooMany { what, limit },
            DecodeError::Snappy(_) => Self::Protobuf {
                offset: 0,
                reason: "it is compressed twice",
            },
        }
    }
}
