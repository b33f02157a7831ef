//! The other direction: model to `WriteRequest`, with zero fields left out as Prometheus' encoder does.
//!
//! Protobuf messages may be appended to each other: samples and descriptions together are one request too.

use model::{Labels, Metadata, MetricKind, Sample};

use super::protobuf::{FIXED64, LENGTH_DELIMITED, VARINT, tag};

/// The types in the order of their numbers in `MetricMetadata.type`.
pub(super) const KINDS: [MetricKind; 8] = [
    MetricKind::Unknown,
    MetricKind::Counter,
    MetricKind::Gauge,
    MetricKind::Histogram,
    MetricKind::GaugeHistogram,
    MetricKind::Summary,
    MetricKind::Info,
    MetricKind::StateSet,
];

/// Writes series with their samples as a message, not yet compressed.
pub fn encode<'a>(series: impl IntoIterator<Item = (&'a Labels, &'a [Sample])>) -> Vec<u8> {
    let mut message = Vec::new();
    for (labels, samples) in series {
        push_nested(&mut message, 1, |series| {
            for (name, value) in labels.iter() {
                push_nested(series, 1, |label| {
                    push_bytes(label, 1, name.as_bytes());
                    push_bytes(label, 2, value.as_bytes());
                });
            }
            for sample in samples {
                push_nested(series, 2, |out| push_sample(out, sample));
            }
        });
    }
    message
}

/// Writes descriptions as a message, which may be appended to one with samples.
pub fn encode_metadata(descriptions: &[(String, Metadata)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, metadata) in descriptions {
        let position = KINDS.iter().position(|kind| *kind == metadata.kind);
        push_nested(&mut message, 3, |out| {
            push_varint_field(out, 1, position.unwrap_or_default() as u64);
            push_bytes(out, 2, name.as_bytes());
            push_bytes(out, 4, metadata.help.as_bytes());
            push_bytes(out, 5, metadata.unit.as_bytes());
        });
    }
    message
}

/// Compresses a message to a request body (snappy's block format).
///
/// # Panics
/// If the message has 4 GiB or more, which snappy cannot declare.
pub fn compress(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(message)
        .expect("invariant: a request is smaller than 4 GiB")
}

fn push_sample(out: &mut Vec<u8>, sample: &Sample) {
    // By bits, so that minus zero keeps its sign.
    if sample.value.to_bits() != 0 {
        out.push(tag(1, FIXED64));
        out.extend_from_slice(&sample.value.to_le_bytes());
    }
    push_varint_field(out, 2, sample.timestamp.as_millis() as u64);
}

fn push_varint_field(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        out.push(tag(field, VARINT));
        push_varint(out, value);
    }
}

fn push_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.push(tag(field, LENGTH_DELIMITED));
        push_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// Writes a nested message behind its length, which is known only afterwards: what follows one byte is moved on.
fn push_nested(out: &mut Vec<u8>, field: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag(field, LENGTH_DELIMITED));
    let start = out.len();
    write(out);
    let mut length = Vec::with_capacity(10);
    push_varint(&mut length, (out.len() - start) as u64);
    out.splice(start..start, length);
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
