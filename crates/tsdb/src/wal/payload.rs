//! What stands in the records of the log: definitions of series, samples, metadata.
//!
//! No record needs another record of its kind to be read: a lost one never changes what a later one means.

use model::{Labels, Metadata, MetricKind};

use crate::coding::{Cursor, put_bytes, put_signed, put_varint, short_form};

/// A record with definitions of series.
pub(crate) const SERIES: u8 = 1;
/// A record with samples.
pub(crate) const SAMPLES: u8 = 2;
/// A record with type, help and unit of metrics.
pub(crate) const METADATA: u8 = 3;

/// A sample as the log knows it: the series by its number in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoggedSample {
    pub(crate) reference: u32,
    pub(crate) timestamp: i64,
    pub(crate) bits: u64,
}

/// Half of a row's first byte says how far the series' number is from the previous row's; this says: a varint follows.
const FAR: i64 = 15;

/// Writes samples, as runs that share a timestamp.
pub(crate) fn put_samples(buffer: &mut Vec<u8>, samples: &[LoggedSample]) {
    let mut timestamp = 0i64;
    let mut reference = 0i64;
    for run in samples.chunk_by(|a, b| a.timestamp == b.timestamp) {
        put_signed(buffer, run[0].timestamp.wrapping_sub(timestamp));
        timestamp = run[0].timestamp;
        put_varint(buffer, run.len() as u64);
        for sample in run {
            let step = i64::from(sample.reference) - reference;
            reference = i64::from(sample.reference);
            let (code, value, count) = short_form(sample.bits);
            if (0..FAR).contains(&step) {
                buffer.push((step as u8) << 4 | code);
            } else {
                buffer.push((FAR as u8) << 4 | code);
                put_signed(buffer, step);
            }
            put_bytes(buffer, value, count);
        }
    }
}

/// Reads samples, whose order is kept, into `samples`; none if the payload is malformed.
pub(crate) fn parse_samples(payload: &[u8], samples: &mut Vec<LoggedSample>) -> Option<()> {
    let mut cursor = Cursor::new(payload);
    let mut timestamp = 0i64;
    let mut reference = 0i64;
    while !cursor.is_empty() {
        timestamp = timestamp.wrapping_add(cursor.signed()?);
        for _ in 0..cursor.varint()? {
            let control = cursor.byte()?;
            let step = match i64::from(control >> 4) {
                FAR => cursor.signed()?,
                near => near,
            };
            reference = reference.checked_add(step)?;
            samples.push(LoggedSample {
                reference: u32::try_from(reference).ok()?,
                timestamp,
                bits: cursor.short_form(control & 0x0f)?,
            });
        }
    }
    Some(())
}

/// Writes what comes before the definitions in a record: the number of the first series, the others follow.
pub(crate) fn put_first_reference(buffer: &mut Vec<u8>, reference: u32) {
    put_varint(buffer, u64::from(reference));
}

/// Writes the labels of the next series.
pub(crate) fn put_definition(buffer: &mut Vec<u8>, labels: &Labels) {
    put_text(buffer, labels.as_packed());
}

/// Reads definitions: series numbers and labels; none if the payload is malformed.
pub(crate) fn parse_series(payload: &[u8]) -> Option<Vec<(u32, Labels)>> {
    let mut cursor = Cursor::new(payload);
    let mut reference = u32::try_from(cursor.varint()?).ok()?;
    let mut series = Vec::new();
    while !cursor.is_empty() {
        series.push((reference, Labels::from_packed(cursor.prefixed()?).ok()?));
        reference = reference.checked_add(1)?;
    }
    Some(series)
}

/// Writes the description of a metric.
pub(crate) fn put_metadata(buffer: &mut Vec<u8>, name: &str, metadata: &Metadata) {
    put_text(buffer, name);
    put_text(buffer, metadata.kind.as_str());
    put_text(buffer, &metadata.help);
    put_text(buffer, &metadata.unit);
}

/// Reads descriptions of metrics; none if the payload is malformed.
pub(crate) fn parse_metadata(payload: &[u8]) -> Option<Vec<(String, Metadata)>> {
    let mut cursor = Cursor::new(payload);
    let text = |cursor: &mut Cursor<'_>| {
        let bytes = cursor.prefixed()?.to_vec();
        String::from_utf8(bytes).ok()
    };
    let mut descriptions = Vec::new();
    while !cursor.is_empty() {
        let name = text(&mut cursor)?;
        let kind = text(&mut cursor)?;
        let metadata = Metadata {
            kind: kind.parse().unwrap_or(MetricKind::Unknown),
            help: text(&mut cursor)?,
            unit: text(&mut cursor)?,
        };
        descriptions.push((name, metadata));
    }
    Some(descriptions)
}

fn put_text(buffer: &mut Vec<u8>, text: &str) {
    put_varint(buffer, text.len() as u64);
    buffer.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn samples()(rows in prop::collection::vec(
            (any::<u32>(), crate::tests::timestamps(), crate::tests::bits(), 1u32..20), 0..40)
        ) -> Vec<LoggedSample> {
            let run = |(reference, timestamp, bits, length): (u32, i64, u64, u32)| (0..length)
                .map(move |step| LoggedSample { reference: reference.saturating_add(step), timestamp, bits });
            rows.into_iter().flat_map(run).collect()
        }
    }

    proptest! {
        #[test]
        fn samples_come_back(samples in samples()) {
            let mut payload = Vec::new();
            put_samples(&mut payload, &samples);
            let mut parsed = Vec::new();
            prop_assert_eq!(parse_samples(&payload, &mut parsed), Some(()));
            prop_assert_eq!(parsed, samples);
        }

        #[test]
        fn any_bytes_are_parsed_without_panic(payload: Vec<u8>) {
            let mut samples = Vec::new();
            let _ = parse_samples(&payload, &mut samples);
            // Each sample takes a byte at least, so a short payload cannot ask for much memory.
            prop_assert!(samples.len() <= payload.len());
            let series = parse_series(&payload).unwrap_or_default();
            let metadata = parse_metadata(&payload).unwrap_or_default();
            prop_assert!(series.len() + metadata.len() <= 2 * payload.len());
        }
    }

    #[test]
    fn definitions_and_metadata_come_back() {
        let labels = |name| Labels::from_pairs([("__name__", name), ("job", "a")]).unwrap();
        let mut payload = Vec::new();
        put_first_reference(&mut payload, 300);
        put_definition(&mut payload, &labels("up"));
        put_definition(&mut payload, &labels("down"));
        let expected = vec![(300, labels("up")), (301, labels("down"))];
        assert_eq!(parse_series(&payload), Some(expected));

        let metadata = Metadata {
            kind: MetricKind::Counter,
            help: "Requests.\nAll.".to_owned(),
            unit: "bytes".to_owned(),
        };
        let mut payload = Vec::new();
        put_metadata(&mut payload, "a", &metadata);
        put_metadata(&mut payload, "b", &Metadata::default());
        let expected = vec![
            ("a".to_owned(), metadata),
            ("b".to_owned(), Metadata::default()),
        ];
        assert_eq!(parse_metadata(&payload), Some(expected));
    }
}
