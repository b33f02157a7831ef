//! Reads the log back when a store is opened.
//!
//! Whatever is broken is skipped and reported. What follows the last whole record of the last segment is cut off and
//! reported: a write that a crash interrupted, or damage, which looks the same.

use std::path::Path;
use std::time::Duration;

use model::{Labels, Metadata};

use crate::append::Writer;
use crate::error::Error;
use crate::shared::Shared;
use crate::wal::payload::{self, LoggedSample};
use crate::wal::record::{
    RECORD_HEADER, SEGMENT_HEADER, SegmentHeader, Stretch, Stretches, VERSION, parse_segment_header,
};
use crate::wal::writer::ClosedSegment;
use crate::wal::{file_name, parse_file_name};

/// How many broken records are named; the others are only counted.
const BROKEN_NAMED_MAX: usize = 100;

/// What opening a store found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// Segments of the log.
    pub segments: usize,
    /// Their bytes, before anything was cut.
    pub bytes: u64,
    /// Whole records.
    pub records: u64,
    /// Samples in them, of which those within the retention were taken.
    pub samples: u64,
    /// Series that have samples.
    pub series: usize,
    /// Samples that were left out because the definition of their series stood in a broken record.
    pub samples_undefined: u64,
    /// Whole records of a type that this version does not know.
    pub records_unknown: u64,
    /// Bytes cut off the end of the last segment: an interrupted write, or damage.
    pub torn_bytes: u64,
    /// The number of that segment; 0 if none were cut.
    pub torn_segment: u64,
    /// Where in the segment they began.
    pub torn_offset: u64,
    /// How many broken records were skipped.
    pub broken_records: u64,
    /// The first hundred of them.
    pub broken: Vec<BrokenRecord>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A stretch of a segment that holds no whole record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRecord {
    /// The segment's number.
    pub segment: u64,
    /// Where it starts in the file.
    pub offset: u64,
    /// How many bytes were skipped.
    pub length: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads a segment as opening a store does, and says what is in it. Any bytes may be given.
pub fn inspect_segment(number: u64, segment: &[u8]) -> Recovery {
    struct Nothing;
    impl Contents for Nothing {
        fn series(&mut self, _: u32, _: Labels) {}
        fn sample(&mut self, _: LoggedSample) -> bool {
            true
        }
        fn metadata(&mut self, _: Vec<(String, Metadata)>) {}
    }
    let mut recovery = Recovery::default();
    let read = read_segment(number, segment, &mut Nothing, &mut recovery);
    for broken in read.trailing {
        recovery.skip(broken);
    }
    recovery
}

impl Shared {
    /// Reads all segments and cuts the torn end of the last.
    pub(crate) fn recover(&self, writer: &mut Writer) -> Result<Recovery, Error> {
        let start = self.clock.monotonic();
        let mut recovery = Recovery::default();
        let directory = &self.log_directory;
        let names = self
            .disk
            .list(directory)
            .map_err(disk_error("list", directory))?;
        let mut numbers: Vec<_> = names
            .iter()
            .filter_map(|name| parse_file_name(name))
            .collect();
        numbers.sort_unstable();
        let mut closed = Vec::new();
        for number in &numbers {
            let last = Some(number) == numbers.last();
            closed.extend(self.recover_segment(writer, *number, last, &mut recovery)?);
            self.make_room(writer, 0);
            tracing::debug!(
                segment = number,
                of = numbers.len(),
                "segment of the log read"
            );
        }
        writer
            .log
            .resume(closed, numbers.last().map_or(1, |last| last + 1));
        let oldest = self.oldest(self.clock.now());
        self.drop_before(writer, oldest);
        recovery.series = writer.table.len();
        recovery.elapsed = self.clock.monotonic().saturating_sub(start);
        Ok(recovery)
    }

    fn recover_segment(
        &self,
        writer: &mut Writer,
        number: u64,
        last: bool,
        recovery: &mut Recovery,
    ) -> Result<Option<ClosedSegment>, Error> {
        let path = self.log_directory.join(file_name(number));
        let segment = self.disk.read(&path).map_err(disk_error("read", &path))?;
        if let SegmentHeader::OtherVersion(version) = parse_segment_header(number, &segment) {
            return Err(Error::Version {
                path,
                version,
                known: VERSION,
            });
        }
        let oldest = self.oldest(self.clock.now());
        let mut replay = Replay {
            shared: self,
            writer,
            oldest,
            series: Vec::new(),
        };
        let read = read_segment(number, &segment, &mut replay, recovery);
        let mut length = segment.len();
        if last {
            recovery.torn_bytes = (length - read.end) as u64;
            if recovery.torn_bytes > 0 {
                recovery.torn_segment = number;
                recovery.torn_offset = read.end as u64;
            }
            length = read.end;
        } else {
            for broken in read.trailing {
                recovery.skip(broken);
            }
        }
        if length < SEGMENT_HEADER && segment.len() >= SEGMENT_HEADER {
            // Not the beginning of a segment that a crash left, but a file that is no such segment: a misnamed copy
            // perhaps. It is not ours to throw away.
            let aside = path.with_extension("wal.broken");
            self.disk
                .rename(&path, &aside)
                .map_err(disk_error("set aside", &path))?;
            recovery.skip(BrokenRecord {
                segment: number,
                offset: 0,
                length: segment.len() as u64,
                reason: "no segment of this number; the file was renamed to end in .broken",
            });
            recovery.torn_bytes = 0;
            return Ok(None);
        }
        if length < SEGMENT_HEADER {
            self.disk
                .remove(&path)
                .map_err(disk_error("remove", &path))?;
            return Ok(None);
        }
        if recovery.torn_bytes > 0 {
            self.disk
                .truncate(&path, length as u64)
                .map_err(disk_error("cut", &path))?;
        }
        Ok(Some(ClosedSegment {
            number,
            bytes: length as u64,
            newest: read.newest,
        }))
    }
}

/// A function that says what was tried with which file when the disk refused it.
pub(crate) fn disk_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk {
        action,
        path,
        source,
    }
}

impl Recovery {
    fn skip(&mut self, broken: BrokenRecord) {
        self.broken_records += 1;
        if self.broken.len() < BROKEN_NAMED_MAX {
            self.broken.push(broken);
        }
    }
}

/// Takes what is read from a segment.
trait Contents {
    /// A series is defined; its number is below the segment's length.
    fn series(&mut self, reference: u32, labels: Labels);
    /// A sample was read; false if its series is not defined.
    fn sample(&mut self, sample: LoggedSample) -> bool;
    /// Metrics are described.
    fn metadata(&mut self, descriptions: Vec<(String, Metadata)>);
}

/// What reading a segment found.
struct ReadSegment {
    /// Where the last whole record ends.
    end: usize,
    newest: i64,
    /// What is broken behind it.
    trailing: Vec<BrokenRecord>,
}

fn read_segment(
    number: u64,
    segment: &[u8],
    contents: &mut impl Contents,
    recovery: &mut Recovery,
) -> ReadSegment {
    recovery.segments += 1;
    recovery.bytes += segment.len() as u64;
    let mut read = ReadSegment {
        end: 0,
        newest: i64::MIN,
        trailing: Vec::new(),
    };
    let broken = |offset: usize, length: usize, reason| BrokenRecord {
        segment: number,
        offset: offset as u64,
        length: length as u64,
        reason,
    };
    if parse_segment_header(number, segment) == SegmentHeader::Current {
        read.end = SEGMENT_HEADER;
    } else {
        let length = segment.len().min(SEGMENT_HEADER);
        read.trailing
            .push(broken(0, length, "no whole segment header"));
    }
    let mut samples = Vec::new();
    for stretch in Stretches::new(number, segment) {
        let (offset, kind, payload) = match stretch {
            Stretch::Record {
                offset,
                kind,
                payload,
            } => (offset, kind, payload),
            Stretch::Broken {
                offset,
                length,
                reason,
            } => {
                read.trailing.push(broken(offset, length, reason));
                continue;
            }
        };
        let length = RECORD_HEADER + payload.len();
        if apply(
            kind,
            payload,
            segment.len(),
            &mut samples,
            contents,
            recovery,
        )
        .is_none()
        {
            read.trailing
                .push(broken(offset, length, "payload is malformed"));
            continue;
        }
        for sample in samples.drain(..) {
            read.newest = read.newest.max(sample.timestamp);
        }
        for broken in read.trailing.drain(..) {
            recovery.skip(broken);
        }
        recovery.records += 1;
        read.end = offset + length;
    }
    read
}

/// Applies a record; none if its payload is malformed, and then nothing of it is applied.
fn apply(
    kind: u8,
    payload: &[u8],
    segment_length: usize,
    samples: &mut Vec<LoggedSample>,
    contents: &mut impl Contents,
    recovery: &mut Recovery,
) -> Option<()> {
    match kind {
        payload::SERIES => {
            let series = payload::parse_series(payload)?;
            // Each definition takes a byte at least. A larger number would only ask for memory.
            series
                .last()
                .filter(|(last, _)| (*last as usize) < segment_length)?;
            for (reference, labels) in series {
                contents.series(reference, labels);
            }
        }
        payload::SAMPLES => {
            samples.clear();
            if payload::parse_samples(payload, samples).is_none() {
                samples.clear();
                return None;
            }
            recovery.samples += samples.len() as u64;
            for sample in samples.iter() {
                if !contents.sample(*sample) {
                    recovery.samples_undefined += 1;
                }
            }
        }
        payload::METADATA => contents.metadata(payload::parse_metadata(payload)?),
        _ => recovery.records_unknown += 1,
    }
    Some(())
}

/// Puts a segment's contents into the store.
struct Replay<'a> {
    shared: &'a Shared,
    writer: &'a mut Writer,
    oldest: i64,
    /// The store's numbers of the series, by their numbers in the segment.
    series: Vec<Option<u32>>,
}

impl Contents for Replay<'_> {
    fn series(&mut self, reference: u32, labels: Labels) {
        let known = self.writer.table.find(labels.as_packed().as_bytes());
        let id = known.unwrap_or_else(|| {
            let id = self.writer.table.create(labels);
            let series = self.writer.table.slot(id).series.clone();
            self.shared.index_mut().insert(id, series);
            id
        });
        let at = reference as usize;
        if self.series.len() <= at {
            self.series.resize(at + 1, None);
        }
        self.series[at] = Some(id);
    }

    fn sample(&mut self, sample: LoggedSample) -> bool {
        let LoggedSample {
            reference,
            timestamp,
            bits,
        } = sample;
        let Some(Some(id)) = self.series.get(reference as usize) else {
            return false;
        };
        if timestamp >= self.oldest {
            let slot = self.writer.table.slot(*id);
            if timestamp > slot.newest {
                slot.newest = timestamp;
                slot.bits = bits;
            }
            self.writer.place(*id, timestamp, bits);
        }
        true
    }

    fn metadata(&mut self, descriptions: Vec<(String, Metadata)>) {
        let mut known = self.shared.descriptions_mut();
        for (name, metadata) in descriptions {
            known.set(&name, &metadata);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wal::record::{put_record, segment_header};

    proptest! {
        #[test]
        fn any_bytes_are_inspected_without_panic(
            number in 0u64..3,
            header: bool,
            records in prop::collection::vec((0u8..5, any::<Vec<u8>>(), any::<Vec<u8>>()), 0..8),
        ) {
            let mut segment = Vec::new();
            if header {
                segment.extend_from_slice(&segment_header(number));
            }
            for (kind, payload, noise) in records {
                put_record(&mut segment, number, 0, kind, |buffer| buffer.extend(payload));
                segment.extend(noise);
            }
            let recovery = inspect_segment(number, &segment);
            let broken: u64 = recovery.broken.iter().map(|broken| broken.length).sum();
            prop_assert!(broken <= segment.len() as u64);
            prop_assert!(recovery.samples <= segment.len() as u64);
        }
    }

    #[test]
    fn a_definition_cannot_ask_for_memory() {
        let mut segment = segment_header(1).to_vec();
        put_record(&mut segment, 1, 0, payload::SERIES, |buffer| {
            payload::put_first_reference(buffer, u32::MAX - 1);
            payload::put_definition(buffer, &Labels::empty());
        });
        let recovery = inspect_segment(1, &segment);
        assert_eq!(recovery.broken[0].reason, "payload is malformed");
    }

    #[test]
    fn records_of_later_types_are_passed_over_and_counted() {
        let mut segment = segment_header(1).to_vec();
        put_record(&mut segment, 1, 0, 200, |buffer| buffer.extend(b"later"));
        put_record(&mut segment, 1, 0, payload::METADATA, |_| {});
        let recovery = inspect_segment(1, &segment);
        assert_eq!((recovery.records, recovery.records_unknown), (2, 1));
        assert_eq!(recovery.broken_records, 0);
    }
}
