//! The labels of a series as remote write repeats them: the label fields of a `TimeSeries`.

use model::{InvalidLabels, KeyEncoding, Labels, NAME};

use super::DecodeError;
use super::protobuf::{Fields, LENGTH_DELIMITED};

/// Keys are the label fields of a series, tags and lengths included, as [`decode`](super::decode()) hands them out.
///
/// Labels need not be sorted. Refused are: texts that are not UTF-8, empty names, a name given twice, a series
/// without `__name__`, more than a thousand labels.
pub const KEYS: KeyEncoding = KeyEncoding { id: 1, decode };

/// A series with more labels is broken or hostile; real ones have up to about 100.
const LABELS_MAX: usize = 1000;

fn decode(key: &[u8]) -> Result<Labels, InvalidLabels> {
    let malformed = |reason: String| InvalidLabels::Malformed(reason);
    let mut fields = Fields::new(key);
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(16);
    while !fields.is_at_end() {
        let (name, value) = label(&mut fields).map_err(|error| malformed(error.to_string()))?;
        let name = text(name).ok_or_else(|| malformed("a label name is not UTF-8".to_owned()))?;
        let value = text(value)
            .ok_or_else(|| malformed(format!("the value of label {name:?} is not UTF-8")))?;
        if name.is_empty() {
            return Err(malformed(format!(
                "the label with value {value:?} has no name"
            )));
        }
        if pairs.len() == LABELS_MAX {
            return Err(malformed(format!("more than {LABELS_MAX} labels")));
        }
        pairs.push((name, value));
    }
    let labels = Labels::from_pairs(pairs)?;
    if labels.metric_name().is_empty() {
        return Err(malformed(format!(
            "the series {labels} has no label {NAME}"
        )));
    }
    Ok(labels)
}

/// Name and value; a field that is absent is empty.
fn label<'a>(fields: &mut Fields<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let start = fields.position();
    if fields.tag()? != (1, LENGTH_DELIMITED) {
        return Err(fields.fault(start, "a label is expected"));
    }
    let mut label = fields.message()?;
    let mut name: &[u8] = &[];
    let mut value: &[u8] = &[];
    while !label.is_at_end() {
        match label.tag()? {
            (1, LENGTH_DELIMITED) => name = label.bytes()?,
            (2, LENGTH_DELIMITED) => value = label.bytes()?,
            (_, wire_type) => label.skip(wire_type)?,
        }
    }
    Ok((name, value))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
