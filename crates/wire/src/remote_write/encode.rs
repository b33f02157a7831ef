//! The other direction: model to `WriteRequest`, with zero fields left out as Prometheus' encoder does.
//!
//! Protobuf messages may be appended to each other: samples and descriptions together are one request too.

use model::{
    BucketCounts, BucketSpan, CounterReset, Exemplar, Histogram, Labels, Metadata, MetricKind,
    Sample, Timestamp,
};

use crate::protobuf::write::{
    push_bytes, push_double, push_doubles, push_nested, push_varint, push_varint_field, zigzag,
};
use crate::protobuf::{FIXED64, VARINT, tag};

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
            push_labels(series, labels);
            for sample in samples {
                push_nested(series, 2, |out| push_sample(out, sample));
            }
        });
    }
    message
}

/// Writes the native histograms of a series as a message, which may be appended to others.
pub fn encode_histograms(labels: &Labels, histograms: &[(Timestamp, Histogram)]) -> Vec<u8> {
    let mut message = Vec::new();
    push_nested(&mut message, 1, |series| {
        push_labels(series, labels);
        for (timestamp, histogram) in histograms {
            push_nested(series, 4, |out| push_histogram(out, *timestamp, histogram));
        }
    });
    message
}

/// Writes the exemplars of a series as a message, which may be appended to others.
pub fn encode_exemplars(labels: &Labels, exemplars: &[Exemplar]) -> Vec<u8> {
    let mut message = Vec::new();
    push_nested(&mut message, 1, |series| {
        push_labels(series, labels);
        for exemplar in exemplars {
            push_nested(series, 3, |out| {
                push_labels(out, &exemplar.labels);
                push_double(out, 2, exemplar.value);
                push_varint_field(out, 3, exemplar.timestamp.as_millis() as u64);
            });
        }
    });
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

pub(crate) fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
    for (name, value) in labels.iter() {
        push_nested(out, 1, |label| {
            push_bytes(label, 1, name.as_bytes());
            push_bytes(label, 2, value.as_bytes());
        });
    }
}

pub(crate) fn push_histogram(out: &mut Vec<u8>, timestamp: Timestamp, histogram: &Histogram) {
    match &histogram.counts {
        BucketCounts::Integer(counts) => {
            // What can be one of two is told even if it is zero, and so are the counts.
            out.push(tag(1, VARINT));
            push_varint(out, counts.total);
            out.push(tag(6, VARINT));
            push_varint(out, counts.zero);
            push_deltas(out, 9, &counts.negative);
            push_deltas(out, 12, &counts.positive);
        }
        BucketCounts::Float(counts) => {
            for (field, value) in [(2, counts.total), (7, counts.zero)] {
                out.push(tag(field, FIXED64));
                out.extend_from_slice(&value.to_le_bytes());
            }
            push_doubles(out, 10, &counts.negative);
            push_doubles(out, 13, &counts.positive);
        }
    }
    push_double(out, 3, histogram.sum);
    push_varint_field(out, 4, zigzag(histogram.schema.into()));
    push_double(out, 5, histogram.zero_threshold);
    push_spans(out, 8, &histogram.negative_spans);
    push_spans(out, 11, &histogram.positive_spans);
    let position = CounterReset::ALL
        .iter()
        .position(|reset| *reset == histogram.reset);
    push_varint_field(out, 14, position.unwrap_or_default() as u64);
    push_varint_field(out, 15, timestamp.as_millis() as u64);
    push_doubles(out, 16, &histogram.custom_bounds);
}

fn push_spans(out: &mut Vec<u8>, field: u8, spans: &[BucketSpan]) {
    for span in spans {
        push_nested(out, field, |out| {
            push_varint_field(out, 1, zigzag(span.offset.into()));
            push_varint_field(out, 2, span.length.into());
        });
    }
}

fn push_deltas(out: &mut Vec<u8>, field: u8, counts: &[u64]) {
    if counts.is_empty() {
        return;
    }
    push_nested(out, field, |out| {
        let mut before = 0;
        for count in counts {
            push_varint(out, zigzag(count.wrapping_sub(before) as i64));
            before = *count;
        }
    });
}

pub(crate) fn push_sample(out: &mut Vec<u8>, sample: &Sample) {
    push_double(out, 1, sample.value);
    push_varint_field(out, 2, sample.timestamp.as_millis() as u64);
}
