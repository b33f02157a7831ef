//! Prometheus remote write 1.0: a snappy block that holds a protobuf `prometheus.WriteRequest`.
//!
//! Decoding borrows: a row's key is the run of label fields inside the message, byte for byte, so that a store that
//! has seen those bytes before never decodes them. [`KEYS`] reads them when a series is new.
//!
//! ```text
//! WriteRequest   timeseries = 1 (repeated)  metadata = 3 (repeated)
//! TimeSeries     labels = 1  samples = 2  exemplars = 3  histograms = 4 (all repeated)
//! Label          name = 1  value = 2
//! Sample         value = 1 (double)  timestamp = 2 (int64, milliseconds)
//! MetricMetadata type = 1 (enum)  metric_family_name = 2  help = 4  unit = 5
//! ```

mod decode;
pub(crate) mod encode;
mod exemplar;
mod histogram;
mod key;
mod usual;

use model::{Metadata, SampleBatch};
use thiserror::Error;

pub use decode::decode;
pub use encode::{compress, encode, encode_exemplars, encode_histograms, encode_metadata};
pub use key::KEYS;

/// What a request says.
#[derive(Clone, Debug)]
pub struct WriteRequest<'a> {
    /// Samples, native histograms and exemplars, each in the message's order.
    pub batch: SampleBatch<'a>,
    /// Type, help and unit by metric family.
    pub metadata: Vec<(String, Metadata)>,
    /// The native histograms that are none.
    pub refused_histograms: Refused<'a>,
    /// The exemplars that are none.
    pub refused_exemplars: Refused<'a>,
}

/// What of a request is not in its batch, since it is broken.
#[derive(Clone, Debug, Default)]
pub struct Refused<'a> {
    /// How many of a kind.
    pub count: usize,
    /// The series of the first of them, as the batch's rows have it, and what is wrong.
    pub first: Option<(&'a [u8], String)>,
}

/// Why a body is no request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The sender should send less at once.
    #[error("{what} {size}, at most {limit} are allowed: send smaller requests")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How much there is.
        size: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// The body is no snappy block.
    #[error("the body is no snappy block: {0}")]
    Snappy(String),
    /// The message is no `WriteRequest`.
    #[error("the message is no remote write 1.0 request: byte {offset}: {reason}")]
    Protobuf {
        /// Where, counted from 0 in the decompressed message.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

/// Decompresses a body (snappy's block format) that has at most `limit` bytes when decompressed.
///
/// Errors: a declared size beyond the limit, found before anything is allocated; broken compression.
pub fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let broken = |error: snap::Error| DecodeError::Snappy(error.to_string());
    let size = snap::raw::decompress_len(body).map_err(broken)?;
    if size > limit {
        return Err(DecodeError::TooLarge {
            what: "decompressed bytes:",
            size,
            limit,
        });
    }
    snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(broken)
}

#[cfg(test)]
mod tests;
