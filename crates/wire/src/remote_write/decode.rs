//! The walk over a `WriteRequest`.
//!
//! Fields may come in any order and unknown ones are passed over, with one restriction: the label fields of a series
//! must stand together, since together they are its key. Encoders leave out fields that are zero.

use std::fmt::Display;

use model::{ExemplarRow, HistogramRow, Metadata, MetricKind, Row, SampleBatch, Timestamp};

use super::exemplar::exemplar;
use super::histogram::histogram;
use super::usual::{LABEL, SAMPLE};
use super::{DecodeError, KEYS, Refused, WriteRequest, usual};
use crate::protobuf::{FIXED64, Fields, LENGTH_DELIMITED, VARINT};

const EXEMPLAR: u64 = 3;
const HISTOGRAM: u64 = 4;

/// An empty sample takes 2 bytes and a row 32; no sender has ever put so many into one request, and the store takes
/// no more at once.
const SAMPLES_MAX: usize = 1_000_000;
/// A description takes at least 5 bytes and about 100 when decoded.
const METADATA_MAX: usize = 200_000;
/// An empty histogram takes 2 bytes and about 300 when decoded; a request of Prometheus has 2000 samples.
const HISTOGRAMS_MAX: usize = 100_000;
/// An empty exemplar takes 2 bytes and about 50 when decoded.
const EXEMPLARS_MAX: usize = 200_000;

/// Bytes of a series with one sample, on the low side: a first guess at the number of rows.
const SERIES_BYTES: usize = 128;

/// Reads a message, decompressed, without copying its labels.
///
/// A native histogram or an exemplar that is broken or says what cannot be is refused alone.
///
/// Errors: bytes that are no such message; more than a million samples, 100 000 histograms, 200 000 exemplars or
/// 200 000 descriptions.
pub fn decode(message: &[u8]) -> Result<WriteRequest<'_>, DecodeError> {
    let mut request = WriteRequest {
        batch: SampleBatch {
            rows: Vec::with_capacity((message.len() / SERIES_BYTES).min(SAMPLES_MAX)),
            ..SampleBatch::new(KEYS)
        },
        metadata: Vec::new(),
        refused_histograms: Refused::default(),
        refused_exemplars: Refused::default(),
    };
    let mut fields = Fields::new(message);
    while !fields.is_at_end() {
        fields.jump(usual_series(
            message,
            fields.position(),
            &mut request.batch.rows,
        ));
        check_limit("samples:", request.batch.rows.len(), SAMPLES_MAX)?;
        if fields.is_at_end() {
            break;
        }
        match fields.tag()? {
            (1, LENGTH_DELIMITED) => time_series(fields.message()?, &mut request)?,
            (3, LENGTH_DELIMITED) => {
                request.metadata.extend(metadata(fields.message()?)?);
                check_limit("descriptions:", request.metadata.len(), METADATA_MAX)?;
            }
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok(request)
}

/// Reads the series that stand here in the usual form, at most one too many, and tells where they end.
fn usual_series<'a>(message: &'a [u8], mut at: usize, rows: &mut Vec<Row<'a>>) -> usize {
    while rows.len() <= SAMPLES_MAX
        && let Some((row, end)) = usual::series(message, at)
    {
        rows.push(row);
        at = end;
    }
    at
}

fn check_limit(what: &'static str, size: usize, limit: usize) -> Result<(), DecodeError> {
    if size > limit {
        return Err(DecodeError::TooLarge { what, size, limit });
    }
    Ok(())
}

fn time_series<'a>(
    mut fields: Fields<'a>,
    request: &mut WriteRequest<'a>,
) -> Result<(), DecodeError> {
    let first_row = request.batch.rows.len();
    let mut key = label_run(&mut fields)?;
    let content = fields.clone();
    let mut has_others = false;
    while !fields.is_at_end() {
        let rows = &mut request.batch.rows;
        let start = fields.position();
        if fields.peek() == Some(SAMPLE) {
            fields.tag()?;
            let (timestamp, value) = sample(fields.message()?)?;
            rows.push(Row {
                key,
                timestamp,
                value,
            });
            // One series may hold them all, so the limit is kept here too.
            check_limit("samples:", rows.len(), SAMPLES_MAX)?;
            continue;
        }
        if fields.peek() == Some(LABEL) {
            if !key.is_empty() {
                let reason = "the labels of a series do not stand together";
                return Err(fields.fault(start, reason));
            }
            key = label_run(&mut fields)?;
            for row in &mut rows[first_row..] {
                row.key = key;
            }
            continue;
        }
        let (field, wire_type) = fields.tag()?;
        match (field, wire_type) {
            (EXEMPLAR | HISTOGRAM, LENGTH_DELIMITED) => has_others = true,
            (1 | 2, _) => {
                return Err(fields.fault(
                    start,
                    "a label or sample has the wrong wire type, or a tag longer than needed",
                ));
            }
            _ => {}
        }
        fields.skip(wire_type)?;
    }
    // The key may stand behind them, so they wait for it.
    match has_others {
        true => others(content, key, request),
        false => Ok(()),
    }
}

/// Reads the exemplars and histograms of a series whose other fields were found to be right.
fn others<'a>(
    mut fields: Fields<'a>,
    key: &'a [u8],
    request: &mut WriteRequest<'a>,
) -> Result<(), DecodeError> {
    let batch = &mut request.batch;
    while !fields.is_at_end() {
        match fields.tag()? {
            (EXEMPLAR, LENGTH_DELIMITED) => {
                match exemplar(fields.message()?) {
                    Ok(exemplar) => batch.exemplars.push(ExemplarRow { key, exemplar }),
                    Err(fault) => request.refused_exemplars.note(key, &fault),
                }
                let count = batch.exemplars.len() + request.refused_exemplars.count;
                check_limit("exemplars:", count, EXEMPLARS_MAX)?;
            }
            (HISTOGRAM, LENGTH_DELIMITED) => {
                match histogram(fields.message()?) {
                    Ok((timestamp, histogram)) => batch.histograms.push(HistogramRow {
                        key,
                        timestamp,
                        histogram,
                    }),
                    Err(fault) => request.refused_histograms.note(key, &fault),
                }
                let count = batch.histograms.len() + request.refused_histograms.count;
                check_limit("histograms:", count, HISTOGRAMS_MAX)?;
            }
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok(())
}

impl<'a> Refused<'a> {
    fn note(&mut self, key: &'a [u8], fault: &dyn Display) {
        self.count += 1;
        self.first.get_or_insert_with(|| (key, fault.to_string()));
    }
}

/// Passes the label fields that stand here, and gives their bytes, tags and lengths included.
#[inline]
fn label_run<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], DecodeError> {
    let start = fields.position();
    while fields.peek() == Some(LABEL) {
        fields.varint()?;
        fields.bytes()?;
    }
    Ok(fields.slice(start, fields.position()))
}

#[inline]
fn sample(mut fields: Fields<'_>) -> Result<(Timestamp, f64), DecodeError> {
    let mut value = 0;
    let mut timestamp = 0;
    while !fields.is_at_end() {
        match fields.tag()? {
            (1, FIXED64) => value = fields.fixed64()?,
            // An int64 is written as the varint of its two's complement.
            (2, VARINT) => timestamp = fields.varint()? as i64,
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok((Timestamp::from_millis(timestamp), f64::from_bits(value)))
}

/// One description; none if it has no name, as there is nothing that it could describe.
fn metadata(mut fields: Fields<'_>) -> Result<Option<(String, Metadata)>, DecodeError> {
    let mut name = String::new();
    let mut metadata = Metadata::default();
    while !fields.is_at_end() {
        match fields.tag()? {
            (1, VARINT) => metadata.kind = kind(fields.varint()?),
            (2, LENGTH_DELIMITED) => name = text(&mut fields)?,
            (4, LENGTH_DELIMITED) => metadata.help = text(&mut fields)?,
            (5, LENGTH_DELIMITED) => metadata.unit = text(&mut fields)?,
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok((!name.is_empty()).then_some((name, metadata)))
}

fn text(fields: &mut Fields<'_>) -> Result<String, DecodeError> {
    let start = fields.position();
    let bytes = fields.bytes()?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(fields.fault(start, "a text is not UTF-8")),
    }
}

fn kind(number: u64) -> MetricKind {
    let known = super::encode::KINDS.iter().zip(0..);
    known
        .filter(|(_, position)| *position == number)
        .map(|(kind, _)| *kind)
        .next()
        .unwrap_or(MetricKind::Unknown)
}
