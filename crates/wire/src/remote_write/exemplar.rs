//! `prometheus.Exemplar`: labels = 1 (repeated), value = 2 (double), timestamp = 3 (int64, milliseconds).
//!
//! A broken exemplar is refused alone: its length says where the next field starts.

use model::{EXEMPLAR_LABELS_MAX, Exemplar, InvalidLabels, Labels, Timestamp};
use thiserror::Error;

use super::{DecodeError, key};
use crate::protobuf::{FIXED64, Fields, LENGTH_DELIMITED, VARINT};

/// Why an exemplar is refused.
#[derive(Debug, Error)]
pub(super) enum ExemplarFault {
    #[error(transparent)]
    Message(#[from] DecodeError),
    #[error("invalid labels: {0}")]
    Labels(#[from] InvalidLabels),
    #[error("its labels have more than {EXEMPLAR_LABELS_MAX} characters")]
    TooLong,
}

/// Reads an exemplar and checks it.
pub(super) fn exemplar(mut fields: Fields<'_>) -> Result<Exemplar, ExemplarFault> {
    let mut pairs = Vec::new();
    let mut characters = 0;
    let mut value = 0;
    let mut timestamp = 0;
    while !fields.is_at_end() {
        match fields.tag()? {
            (1, LENGTH_DELIMITED) => {
                let (name, label_value) = key::texts(key::content(fields.message()?)?)?;
                characters += name.chars().count() + label_value.chars().count();
                if characters > EXEMPLAR_LABELS_MAX {
                    return Err(ExemplarFault::TooLong);
                }
                pairs.push((name, label_value));
            }
            (2, FIXED64) => value = fields.fixed64()?,
            (3, VARINT) => timestamp = fields.varint()? as i64,
            (_, wire_type) => fields.skip(wire_type)?,
        }
    }
    Ok(Exemplar {
        labels: Labels::from_pairs(pairs)?,
        value: f64::from_bits(value),
        timestamp: Timestamp::from_millis(timestamp),
    })
}
