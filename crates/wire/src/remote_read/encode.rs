//! Answers: series of samples behind each other, and frames of chunks.

use model::{Histogram, Labels, Sample, SampleColumns, Timestamp};

use super::checksum::checksum;
use crate::chunk::Chunk;
use crate::protobuf::LENGTH_DELIMITED;
use crate::protobuf::write::{push_bytes, push_nested, push_varint, push_varint_field};
use crate::remote_write::encode::{push_histogram, push_labels, push_sample};

/// Adds a series with its samples to a `QueryResult`.
pub fn push_series(
    result: &mut Vec<u8>,
    labels: &Labels,
    samples: &SampleColumns,
    histograms: &[(i64, Histogram)],
) {
    push_nested(result, 1, |series| {
        push_labels(series, labels);
        for (timestamp, value) in samples.timestamps.iter().zip(&samples.values) {
            let timestamp = Timestamp::from_millis(*timestamp);
            let sample = Sample {
                timestamp,
                value: *value,
            };
            push_nested(series, 2, |out| push_sample(out, &sample));
        }
        for (timestamp, histogram) in histograms {
            let timestamp = Timestamp::from_millis(*timestamp);
            push_nested(series, 4, |out| push_histogram(out, timestamp, histogram));
        }
    });
}

/// Makes the series from `start` on a `QueryResult` of the `ReadResponse` that `response` becomes.
pub fn finish_result(response: &mut Vec<u8>, start: usize) {
    let mut head = vec![1 << 3 | LENGTH_DELIMITED];
    push_varint(&mut head, (response.len() - start) as u64);
    response.splice(start..start, head);
}

/// Compresses a `ReadResponse` (snappy's block format), of less than 4 GiB.
///
/// # Panics
/// If it is longer.
pub fn finish_response(response: &[u8]) -> Vec<u8> {
    crate::remote_write::compress(response)
}

/// A frame of chunks of one series: a `ChunkedReadResponse` behind its length and its checksum.
#[derive(Debug)]
pub struct Frame {
    labels: Vec<u8>,
    chunks: Vec<u8>,
}

impl Frame {
    /// A frame without chunks.
    pub fn new(labels: &Labels) -> Self {
        let mut bytes = Vec::new();
        push_labels(&mut bytes, labels);
        Self {
            labels: bytes,
            chunks: Vec::new(),
        }
    }

    /// Adds a chunk, which must be later than the last.
    pub fn push(&mut self, chunk: &Chunk) {
        push_nested(&mut self.chunks, 2, |out| {
            push_varint_field(out, 1, chunk.first as u64);
            push_varint_field(out, 2, chunk.last as u64);
            push_varint_field(out, 3, chunk.encoding as u64);
            push_bytes(out, 4, &chunk.data);
        });
    }

    /// About how many bytes it has.
    pub fn len(&self) -> usize {
        self.labels.len() + self.chunks.len()
    }

    /// Whether it has no chunk.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Writes it as part of the answer to the query of that number, and takes further chunks of the series.
    pub fn finish(&mut self, query: usize, out: &mut Vec<u8>) {
        let mut message = Vec::with_capacity(self.len() + 32);
        push_nested(&mut message, 1, |series| {
            series.extend_from_slice(&self.labels);
            series.extend_from_slice(&self.chunks);
        });
        push_varint_field(&mut message, 2, query as u64);
        push_varint(out, message.len() as u64);
        out.extend_from_slice(&checksum(&message).to_be_bytes());
        out.extend_from_slice(&message);
        self.chunks.clear();
    }
}
