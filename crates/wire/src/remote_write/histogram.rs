//! `prometheus.Histogram`: counts come as differences from bucket to bucket, or as floats.
//!
//! ```text
//! Histogram   count_int = 1  count_float = 2 (double)  sum = 3 (double)  schema = 4 (sint32)
//!             zero_threshold = 5 (double)  zero_count_int = 6  zero_count_float = 7 (double)
//!             negative_spans = 8  negative_deltas = 9 (sint64)  negative_counts = 10 (double)
//!             positive_spans = 11  positive_deltas = 12 (sint64)  positive_counts = 13 (double)
//!             reset_hint = 14 (enum)  timestamp = 15 (int64, milliseconds)  custom_values = 16 (double)
//! BucketSpan  offset = 1 (sint32)  length = 2 (uint32)
//! ```
//!
//! A broken histogram is refused alone: its length says where the next one starts.

use model::{
    BucketCounts, BucketSpan, CounterReset, Counts, Histogram, InvalidHistogram, Timestamp,
};
use thiserror::Error;

use super::DecodeError;
use crate::protobuf::{FIXED64, Fields, LENGTH_DELIMITED, VARINT};

/// Positive and negative buckets, spans and bounds together. Clients keep to about 160 buckets, and the widest that a
/// schema of common use makes of durations from nanoseconds to days has fewer than 2000.
pub(super) const ELEMENTS_MAX: usize = 4096;

/// Why a histogram is refused.
#[derive(Debug, Error)]
pub(super) enum HistogramFault {
    #[error(transparent)]
    Message(#[from] DecodeError),
    #[error(transparent)]
    Invalid(#[from] InvalidHistogram),
    #[error("more than {ELEMENTS_MAX} buckets, spans and bounds")]
    TooLarge,
    #[error("a bucket's count is below 0 or beyond 64 bits")]
    Delta,
}

/// The fields as they come; which of them count is known at the end.
#[derive(Default)]
struct Parts {
    is_float: bool,
    count: u64,
    count_float: u64,
    zero: u64,
    zero_float: u64,
    sum: u64,
    schema: i32,
    zero_threshold: u64,
    negative: Side,
    positive: Side,
    reset: CounterReset,
    timestamp: i64,
    custom_bounds: Vec<f64>,
}

#[derive(Default)]
struct Side {
    spans: Vec<BucketSpan>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// Reads a histogram and checks it.
pub(super) fn histogram(mut fields: Fields<'_>) -> Result<(Timestamp, Histogram), HistogramFault> {
    let mut parts = Parts::default();
    while !fields.is_at_end() {
        parts.field(&mut fields)?;
    }
    let timestamp = Timestamp::from_millis(parts.timestamp);
    let histogram = parts.finish()?;
    histogram.validate()?;
    Ok((timestamp, histogram))
}

impl Parts {
    fn field(&mut self, fields: &mut Fields<'_>) -> Result<(), HistogramFault> {
        match fields.tag()? {
            (1, VARINT) => {
                self.count = fields.varint()?;
                self.is_float = false;
            }
            (2, FIXED64) => {
                self.count_float = fields.fixed64()?;
                self.is_float = true;
            }
            (3, FIXED64) => self.sum = fields.fixed64()?,
            (4, VARINT) => self.schema = sint32(fields.varint()?),
            (5, FIXED64) => self.zero_threshold = fields.fixed64()?,
            (6, VARINT) => self.zero = fields.varint()?,
            (7, FIXED64) => self.zero_float = fields.fixed64()?,
            (8, LENGTH_DELIMITED) => self.negative.spans.push(span(fields.message()?)?),
            (9, wire_type) => sint64s(fields, wire_type, &mut self.negative.deltas)?,
            (10, wire_type) => doubles(fields, wire_type, &mut self.negative.counts)?,
            (11, LENGTH_DELIMITED) => self.positive.spans.push(span(fields.message()?)?),
            (12, wire_type) => sint64s(fields, wire_type, &mut self.positive.deltas)?,
            (13, wire_type) => doubles(fields, wire_type, &mut self.positive.counts)?,
            (14, VARINT) => self.reset = reset(fields.varint()?),
            (15, VARINT) => self.timestamp = fields.varint()? as i64,
            (16, wire_type) => doubles(fields, wire_type, &mut self.custom_bounds)?,
            (_, wire_type) => fields.skip(wire_type)?,
        }
        // Lists grow by one field at a time, so no list is longer than the limit and one packed field.
        let sides = [&self.negative, &self.positive];
        let elements = sides.map(|side| side.spans.len() + side.deltas.len() + side.counts.len());
        match elements[0] + elements[1] + self.custom_bounds.len() {
            0..=ELEMENTS_MAX => Ok(()),
            _ => Err(HistogramFault::TooLarge),
        }
    }

    fn finish(self) -> Result<Histogram, HistogramFault> {
        let counts = match self.is_float {
            true => BucketCounts::Float(Counts {
                total: f64::from_bits(self.count_float),
                zero: f64::from_bits(self.zero_float),
                positive: self.positive.counts,
                negative: self.negative.counts,
            }),
            false => BucketCounts::Integer(Counts {
                total: self.count,
                zero: self.zero,
                positive: absolute(&self.positive.deltas)?,
                negative: absolute(&self.negative.deltas)?,
            }),
        };
        Ok(Histogram {
            schema: self.schema,
            zero_threshold: f64::from_bits(self.zero_threshold),
            sum: f64::from_bits(self.sum),
            reset: self.reset,
            positive_spans: self.positive.spans,
            negative_spans: self.negative.spans,
            custom_bounds: self.custom_bounds,
            counts,
        })
    }
}

/// The counts whose differences these are.
fn absolute(deltas: &[i64]) -> Result<Vec<u64>, HistogramFault> {
    let mut count = 0u64;
    let mut counts = Vec::with_capacity(deltas.len());
    for delta in deltas {
        count = count
            .checked_add_signed(*delta)
            .ok_or(HistogramFault::Delta)?;
        counts.push(count);
    }
    Ok(counts)
}

fn span(mut fields: Fields<'_>) -> Result<BucketSpan, DecodeError> {
    let mut span = BucketSpan::default();
    while !fields.is_at_end() {
        match fields.tag()? {
            (1, VARINT) => span.offset = sint32(fields.varint()?),
            // As protobuf does: of a number that is too long the low half counts.
            (2, VARINT) => span.length = fields.varint()? as u32,
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok(span)
}

/// A list of which each element is a field, or which is one field; both forms are right.
fn sint64s(
    fields: &mut Fields<'_>,
    wire_type: u8,
    list: &mut Vec<i64>,
) -> Result<(), HistogramFault> {
    match wire_type {
        VARINT => list.push(sint64(fields.varint()?)),
        LENGTH_DELIMITED => {
            let mut packed = fields.message()?;
            while !packed.is_at_end() {
                list.push(sint64(packed.varint()?));
                if list.len() > ELEMENTS_MAX {
                    return Err(HistogramFault::TooLarge);
                }
            }
        }
        other => fields.skip(other)?,
    }
    Ok(())
}

fn doubles(
    fields: &mut Fields<'_>,
    wire_type: u8,
    list: &mut Vec<f64>,
) -> Result<(), HistogramFault> {
    match wire_type {
        FIXED64 => list.push(f64::from_bits(fields.fixed64()?)),
        LENGTH_DELIMITED => {
            let mut packed = fields.message()?;
            while !packed.is_at_end() {
                list.push(f64::from_bits(packed.fixed64()?));
                if list.len() > ELEMENTS_MAX {
                    return Err(HistogramFault::TooLarge);
                }
            }
        }
        other => fields.skip(other)?,
    }
    Ok(())
}

fn reset(number: u64) -> CounterReset {
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    CounterReset::ALL.get(index).copied().unwrap_or_default()
}

fn sint64(zigzag: u64) -> i64 {
    (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
}

fn sint32(zigzag: u64) -> i32 {
    let zigzag = zigzag as u32;
    (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32)
}
