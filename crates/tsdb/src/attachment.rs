//! What is stored beside numbers, as bytes: native histograms, exemplars, and since when counters count.
//!
//! One payload holds a run of one kind of one series, in the order of time. It is a row of sections of at most
//! [`SECTION_MAX`] records each, so that what is allocated while reading stays in proportion to the bytes: the
//! records of a section cost little, but every section and every column costs something. A record in the log is a
//! run of one.
//!
//! Inside a section things stand in columns (`column`): the timestamps, then each bucket through time, which rises by
//! nearly as much from one record to the next. Everything is bit-exact, NaN included.

mod bits;
mod column;
mod exemplar;
mod histogram;
mod start;

pub(crate) use exemplar::{decode_exemplars, encode_exemplar, encode_exemplars};
pub(crate) use histogram::{decode_histograms, encode_histogram, encode_histograms};
pub(crate) use start::{decode_starts, encode_start, encode_starts};

/// The kind of a payload that [`encode_histograms`] wrote.
pub(crate) const HISTOGRAM: u8 = 1;
/// The kind of a payload that [`encode_exemplars`] wrote.
pub(crate) const EXEMPLAR: u8 = 2;
/// The kind of a payload that [`encode_starts`] wrote.
pub(crate) const START: u8 = 3;

/// Records of a section; an hour of them at the usual two a minute.
const SECTION_MAX: usize = 120;

/// How many records a payload of a kind holds; none if the kind is unknown or the bytes make no sense.
pub fn count_attachment(kind: u8, payload: &[u8]) -> Option<usize> {
    match kind {
        HISTOGRAM => decode_histograms(payload).map(|run| run.len()),
        EXEMPLAR => decode_exemplars(payload).map(|run| run.len()),
        START => decode_starts(payload).map(|run| run.len()),
        _ => None,
    }
}

/// A payload without the records at timestamps that are gone, and the timestamps of those that are left; none if it cannot
/// be read.
pub(crate) fn without(
    kind: u8,
    payload: &[u8],
    is_gone: &dyn Fn(i64) -> bool,
) -> Option<(Vec<u8>, Vec<i64>)> {
    match kind {
        HISTOGRAM => {
            let mut run = decode_histograms(payload)?;
            run.retain(|(timestamp, _)| !is_gone(*timestamp));
            let timestamps = run.iter().map(|(timestamp, _)| *timestamp).collect();
            Some((encode_histograms(&run), timestamps))
        }
        EXEMPLAR => {
            let mut run = decode_exemplars(payload)?;
            run.retain(|exemplar| !is_gone(exemplar.timestamp.as_millis()));
            let timestamps = run.iter().map(|exemplar| exemplar.timestamp.as_millis());
            let timestamps = timestamps.collect();
            Some((encode_exemplars(&run), timestamps))
        }
        START => {
            let mut run = decode_starts(payload)?;
            run.retain(|(timestamp, _)| !is_gone(*timestamp));
            let timestamps = run.iter().map(|(timestamp, _)| *timestamp).collect();
            Some((encode_starts(&run), timestamps))
        }
        _ => None,
    }
}

/// Reads the number of records of a section.
fn section_length(cursor: &mut crate::coding::Cursor<'_>) -> Option<usize> {
    let length = usize::try_from(cursor.varint()?).ok()?;
    (1..=SECTION_MAX).contains(&length).then_some(length)
}

#[cfg(test)]
mod tests;
