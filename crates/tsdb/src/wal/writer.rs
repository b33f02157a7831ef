//! Appends to the log: one buffer and one write for each batch.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Disk, DiskFile, Labels, Metadata, Timestamp};

use super::file_name;
use super::payload::{self, LoggedSample};
use super::record::{finish_record, put_record, segment_header};
use super::sync::SyncQueue;

/// Bytes of payload at which a record is ended and the next one begun.
const PAYLOAD_FULL: usize = 1 << 20;

/// Samples in a record; none takes more than 30 bytes, so the payload stays far below its limit.
const RECORD_SAMPLES: usize = 1 << 16;

/// A buffer that grew larger for one batch is given back.
const BUFFER_KEPT: usize = 4 << 20;

/// How many times the bytes of its definitions a segment's samples must take before it may be full. Without it a
/// million series would fill each segment with definitions only.
const SAMPLES_PER_DEFINITION_BYTE: u64 = 2;

/// After this time a segment of full length ends even so. Where ever new series come and go, definitions are most of
/// it, and what never ends is never removed. A short retention makes it shorter.
const AGE_MAX: Duration = Duration::from_secs(2 * 3600);

/// A segment that is written no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosedSegment {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    /// The newest timestamp in it.
    pub(crate) newest: i64,
}

/// Writes records. Between [`LogWriter::begin`] and [`LogWriter::commit`] they gather in memory.
pub(crate) struct LogWriter {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    segment_bytes: u64,
    age_max: Duration,
    queue: Arc<SyncQueue>,
    closed: Vec<ClosedSegment>,
    next_number: u64,
    segment: Option<Segment>,
    buffer: Vec<u8>,
    /// Where in the buffer the record starts that takes definitions.
    definitions: Option<usize>,
}

struct Segment {
    number: u64,
    begun: Timestamp,
    file: Box<dyn DiskFile>,
    length: u64,
    definition_bytes: u64,
    references: u32,
    newest: i64,
}

impl LogWriter {
    /// Starts with segment 1, unless [`LogWriter::resume`] says otherwise.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        segment_bytes: u64,
        retention: Duration,
        queue: Arc<SyncQueue>,
    ) -> Self {
        let age_max = match retention {
            retention if retention.is_zero() => AGE_MAX,
            retention => AGE_MAX.min(retention / 8),
        };
        Self {
            disk,
            directory,
            segment_bytes,
            age_max,
            queue,
            closed: Vec::new(),
            next_number: 1,
            segment: None,
            buffer: Vec::new(),
            definitions: None,
        }
    }

    /// Goes on behind the segments that there are. None of them is written any more, so that whatever is broken in
    /// them stays where it was reported.
    pub(crate) fn resume(&mut self, closed: Vec<ClosedSegment>, next_number: u64) {
        self.closed = closed;
        self.next_number = next_number;
    }

    /// Makes ready for records; true if they begin a new segment.
    pub(crate) fn begin(&mut self, now: Timestamp) -> io::Result<bool> {
        if let Some(segment) = &self.segment {
            let sample_bytes = segment.length - segment.definition_bytes;
            let full = sample_bytes >= self.segment_bytes
                && sample_bytes >= SAMPLES_PER_DEFINITION_BYTE * segment.definition_bytes;
            let old = segment.length >= self.segment_bytes && now >= segment.begun + self.age_max;
            if !full && !old {
                return Ok(false);
            }
        }
        if let Some(segment) = self.segment.take() {
            self.closed.push(ClosedSegment {
                number: segment.number,
                bytes: segment.length,
                newest: segment.newest,
            });
        }
        let number = self.next_number;
        let file = self
            .disk
            .open_append(&self.directory.join(file_name(number)))?;
        self.queue.add(file.try_clone()?);
        self.next_number += 1;
        self.buffer.extend_from_slice(&segment_header(number));
        self.segment = Some(Segment {
            number,
            begun: now,
            file,
            length: 0,
            definition_bytes: 0,
            references: 0,
            newest: i64::MIN,
        });
        Ok(true)
    }

    /// The number of the segment that is written.
    pub(crate) fn number(&self) -> u64 {
        self.open_segment().number
    }

    /// Defines a series in the segment and gives its number there.
    pub(crate) fn define(&mut self, labels: &Labels) -> u32 {
        let segment = self.segment.as_mut().expect("invariant: the log has begun");
        let reference = segment.references;
        segment.references += 1;
        let before = self.buffer.len();
        if self.definitions.is_none() {
            self.definitions = Some(before);
            self.buffer
                .extend_from_slice(&[0; super::record::RECORD_HEADER]);
            payload::put_first_reference(&mut self.buffer, reference);
        }
        payload::put_definition(&mut self.buffer, labels);
        segment.definition_bytes += (self.buffer.len() - before) as u64;
        if self
            .definitions
            .is_some_and(|start| self.buffer.len() - start >= PAYLOAD_FULL)
        {
            self.finish_definitions();
        }
        reference
    }

    /// Adds samples of series that are defined in the segment.
    pub(crate) fn samples(&mut self, samples: &[LoggedSample]) {
        self.finish_definitions();
        let (number, base) = self.place();
        for part in samples.chunks(RECORD_SAMPLES) {
            put_record(&mut self.buffer, number, base, payload::SAMPLES, |buffer| {
                payload::put_samples(buffer, part);
            });
        }
        let newest = samples.iter().map(|sample| sample.timestamp).max();
        if let (Some(segment), Some(newest)) = (&mut self.segment, newest) {
            segment.newest = segment.newest.max(newest);
        }
    }

    /// Adds descriptions of metrics.
    pub(crate) fn metadata<'a>(
        &mut self,
        descriptions: impl IntoIterator<Item = (&'a String, &'a Metadata)>,
    ) {
        let (number, base) = self.place();
        let mut descriptions = descriptions.into_iter().peekable();
        while descriptions.peek().is_some() {
            put_record(
                &mut self.buffer,
                number,
                base,
                payload::METADATA,
                |buffer| {
                    let full = buffer.len() + PAYLOAD_FULL;
                    while buffer.len() < full
                        && let Some((name, metadata)) = descriptions.next()
                    {
                        payload::put_metadata(buffer, name, metadata);
                    }
                },
            );
        }
    }

    /// Writes the records; true if everything before had been durable.
    ///
    /// Errors: an unknown part of them may be written; the log must not be used any more.
    pub(crate) fn commit(&mut self) -> io::Result<bool> {
        self.finish_definitions();
        if self.buffer.is_empty() {
            return Ok(false);
        }
        let segment = self.segment.as_mut().expect("invariant: the log has begun");
        segment.file.append(&self.buffer)?;
        segment.length += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT);
        Ok(self.queue.mark_dirty())
    }

    /// Removes the segments that have no sample from `floor` on.
    ///
    /// Errors: the first of those that could not be removed; they are tried again the next time.
    pub(crate) fn remove_before(&mut self, floor: i64) -> io::Result<()> {
        let mut first_error = Ok(());
        for segment in std::mem::take(&mut self.closed) {
            if segment.newest >= floor {
                self.closed.push(segment);
                continue;
            }
            let path = self.directory.join(file_name(segment.number));
            match self.disk.remove(&path) {
                Ok(()) => {}
                // Someone else has removed it, which is as good.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.closed.push(segment);
                    first_error = first_error.and(Err(error));
                }
            }
        }
        first_error
    }

    /// How many segments there are, and their bytes.
    pub(crate) fn size(&self) -> (usize, u64) {
        let closed: u64 = self.closed.iter().map(|segment| segment.bytes).sum();
        let open = self.segment.as_ref().map_or(0, |segment| segment.length);
        (
            self.closed.len() + usize::from(self.segment.is_some()),
            closed + open,
        )
    }

    fn finish_definitions(&mut self) {
        if let Some(start) = self.definitions.take() {
            let (number, base) = self.place();
            finish_record(&mut self.buffer, start, number, base, payload::SERIES);
        }
    }

    /// The segment's number, and the offset in it of the buffer's first byte.
    fn place(&self) -> (u64, u64) {
        let segment = self.open_segment();
        (segment.number, segment.length)
    }

    fn open_segment(&self) -> &Segment {
        self.segment.as_ref().expect("invariant: the log has begun")
    }
}
