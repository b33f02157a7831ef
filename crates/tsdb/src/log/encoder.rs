//! Turns series, samples and attachments into records, in memory.
//!
//! It runs under the writer's lock, so what it does for a sample is a few instructions. Records of definitions stand
//! before those of the samples that refer to them. Samples and attachments share records, so that their order is kept.

use model::Metadata;
use thiserror::Error;

use super::dictionary::{Dictionary, Form};
use super::record::{DEFINITIONS, DESCRIPTIONS, FILE_HEADER, RECORD_HEADER, SAMPLES, seal};
use super::run::RunWriter;
use crate::coding::{put_signed, put_varint};

/// Bytes at which a record is ended and the next one begun. Much smaller, and headers count; much larger, and a
/// flipped bit takes more with it.
const RECORD_FULL: usize = 1 << 20;

/// The longest labels, attachment or description that is taken; with a full record before it stays below the largest
/// payload.
const ITEM_MAX: usize = 8 << 20;

/// The fewest bytes of samples in an epoch.
const EPOCH_BYTES: u64 = 1 << 20;

/// The fewest bytes of samples in an epoch for each series. A new epoch costs each series some six bytes more than its
/// samples cost otherwise.
const EPOCH_BYTES_PER_SERIES: u64 = 16;

/// A buffer that grew larger is given back when the file ends.
const BUFFER_KEPT: usize = 1 << 20;

/// What stands at the head of an item in a record of samples, in the low two bits.
pub(crate) const RUN: u64 = 0;
/// As [`RUN`], with the timestamp of the item before.
pub(crate) const RUN_SAME_TIME: u64 = 1;
/// An attachment.
pub(crate) const ATTACHMENT: u64 = 2;

/// What begins a label in a definition: the definition ends here.
pub(crate) const END: u64 = 0;
/// A pair in full.
pub(crate) const PLAIN: u64 = 1;
/// A pair in full, which gets the next number.
pub(crate) const NUMBERED: u64 = 2;
/// A pair by its number, added to this.
pub(crate) const KNOWN: u64 = 3;

/// What was to be logged is larger than a record may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} bytes are too many for a record of the log: at most {ITEM_MAX} are allowed")]
pub(crate) struct TooLong(usize);

/// Encodes the records of one file after the other.
///
/// A sample is written as the XOR with the value that was last logged for its series *in this epoch*, or with 0 if there
/// was none. The caller remembers that value and the epoch of it for each series, and gives it. Epochs change only in
/// [`LogEncoder::finish`] and [`LogEncoder::rotate`] and never come again, so it is enough to ask once for each batch.
pub(crate) struct LogEncoder {
    number: u64,
    /// Where in the file the next record will stand.
    offset: u64,
    /// Whole records.
    finished: Vec<u8>,
    records: u64,
    references: u32,
    /// The record that is open, with room for its header; empty if none is.
    definitions: Vec<u8>,
    dictionary: Dictionary,
    /// As `definitions`.
    samples: Vec<u8>,
    run: RunWriter,
    /// Of the item before in the open record.
    next_reference: u32,
    timestamp: i64,
    /// As `definitions`.
    descriptions: Vec<u8>,
    epoch: u32,
    /// Of the next record of samples in the epoch.
    sequence: u64,
    epoch_bytes: u64,
    /// The fewest in an epoch.
    epoch_bytes_min: u64,
}

impl LogEncoder {
    /// Begins the file `number`.
    pub(crate) fn new(number: u64) -> Self {
        Self::with_epochs(number, EPOCH_BYTES)
    }

    /// Begins the file `number`; an epoch has `epoch_bytes_min` bytes of samples at least.
    pub(super) fn with_epochs(number: u64, epoch_bytes_min: u64) -> Self {
        Self {
            number,
            offset: FILE_HEADER as u64,
            finished: Vec::new(),
            records: 0,
            references: 0,
            definitions: Vec::new(),
            dictionary: Dictionary::new(),
            samples: Vec::new(),
            run: RunWriter::new(),
            next_reference: 0,
            timestamp: 0,
            descriptions: Vec::new(),
            epoch: 1,
            sequence: 0,
            epoch_bytes: 0,
            epoch_bytes_min,
        }
    }

    /// Begins another file: no series is defined in it, and the epoch is another one. What was not taken from
    /// [`LogEncoder::finish`] is lost.
    pub(crate) fn rotate(&mut self, number: u64) {
        self.number = number;
        self.offset = FILE_HEADER as u64;
        for buffer in [
            &mut self.finished,
            &mut self.definitions,
            &mut self.samples,
            &mut self.descriptions,
        ] {
            buffer.clear();
            buffer.shrink_to(BUFFER_KEPT);
        }
        self.run.clear();
        self.references = 0;
        self.dictionary.clear();
        self.next_epoch();
    }

    /// The number of the file.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The epoch of the samples that are added now, from 1 on. It rises over files too.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How many series are defined in the file; also the reference of the next one.
    #[cfg(test)]
    pub(crate) fn references(&self) -> u32 {
        self.references
    }

    /// How long the file is with all finished records, in bytes.
    #[cfg(test)]
    pub(crate) fn file_length(&self) -> u64 {
        self.offset
    }

    /// How many records were finished, in all files.
    #[cfg(test)]
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Bytes that are encoded and not yet taken, about.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.finished.len() + self.definitions.len() + self.samples.len() + self.descriptions.len()
    }

    /// Heap memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.finished.capacity()
            + self.definitions.capacity()
            + self.samples.capacity()
            + self.descriptions.capacity()
            + self.dictionary.memory()
            + self.run.memory()
    }

    /// Defines a series by its labels, in their order, and gives the number by which samples refer to it.
    ///
    /// Errors: the labels are longer than 8 MiB; nothing is defined then.
    pub(crate) fn define<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<u32, TooLong> {
        // Code and lengths take at most nine bytes.
        let length = labels
            .clone()
            .map(|(name, value)| name.len() + value.len() + 9);
        check_length(length.sum())?;
        let reference = self.references;
        if self.definitions.is_empty() {
            self.definitions.extend_from_slice(&[0; RECORD_HEADER]);
            put_varint(&mut self.definitions, u64::from(reference));
            put_varint(&mut self.definitions, u64::from(self.dictionary.len()));
        }
        for (name, value) in labels {
            let code = match self.dictionary.look_up(name, value) {
                Form::Known(number) => {
                    put_varint(&mut self.definitions, KNOWN + u64::from(number));
                    continue;
                }
                Form::Plain => PLAIN,
                Form::Numbered => NUMBERED,
            };
            put_varint(&mut self.definitions, code);
            put_text(&mut self.definitions, name);
            put_text(&mut self.definitions, value);
        }
        put_varint(&mut self.definitions, END);
        self.references += 1;
        if self.definitions.len() >= RECORD_FULL {
            self.end_definitions();
        }
        Ok(reference)
    }

    /// Adds a sample of a defined series; `timestamp` is in milliseconds, `bits` are those of the value, `previous` those
    /// of the value last logged for the series in this epoch, 0 if there is none.
    #[inline]
    pub(crate) fn sample(&mut self, reference: u32, timestamp: i64, bits: u64, previous: u64) {
        if !self.run.takes(reference, timestamp) {
            self.begin_run(reference, timestamp);
        }
        self.run.push(bits ^ previous);
    }

    /// Adds something that belongs to a defined series and a timestamp; `kind` and `bytes` are the caller's.
    ///
    /// Errors: the bytes are more than 8 MiB; nothing is added then.
    pub(crate) fn attachment(
        &mut self,
        reference: u32,
        kind: u8,
        timestamp: i64,
        bytes: &[u8],
    ) -> Result<(), TooLong> {
        check_length(bytes.len())?;
        self.end_run();
        self.open_samples();
        put_varint(&mut self.samples, u64::from(kind) << 2 | ATTACHMENT);
        self.put_reference(reference);
        self.put_timestamp(timestamp);
        put_varint(&mut self.samples, bytes.len() as u64);
        self.samples.extend_from_slice(bytes);
        self.next_reference = reference;
        self.end_samples_if_full();
        Ok(())
    }

    /// Adds the description of a metric.
    ///
    /// Errors: the texts are longer than 8 MiB; nothing is added then.
    pub(crate) fn describe(&mut self, name: &str, metadata: &Metadata) -> Result<(), TooLong> {
        let kind = metadata.kind.as_str();
        let texts = [name, kind, &metadata.help, &metadata.unit];
        check_length(texts.iter().map(|text| text.len() + 4).sum())?;
        if self.descriptions.is_empty() {
            self.descriptions.extend_from_slice(&[0; RECORD_HEADER]);
        }
        for text in texts {
            put_text(&mut self.descriptions, text);
        }
        if self.descriptions.len() >= RECORD_FULL {
            self.end_descriptions();
        }
        Ok(())
    }

    /// Ends all records and gives them: they go to the end of the file, once. The caller empties the buffer. A new epoch
    /// may begin.
    pub(crate) fn finish(&mut self) -> &mut Vec<u8> {
        self.end_run();
        self.end_samples();
        self.end_definitions();
        self.end_descriptions();
        let series = u64::from(self.references) * EPOCH_BYTES_PER_SERIES;
        if self.epoch_bytes >= self.epoch_bytes_min.max(series) {
            self.next_epoch();
        }
        &mut self.finished
    }

    fn next_epoch(&mut self) {
        self.epoch += 1;
        self.sequence = 0;
        self.epoch_bytes = 0;
    }

    #[cold]
    fn begin_run(&mut self, reference: u32, timestamp: i64) {
        self.end_run();
        self.run.begin(reference, timestamp);
    }

    fn end_run(&mut self) {
        let count = self.run.count() as u64;
        if count == 0 {
            return;
        }
        self.open_samples();
        let (first, next) = self.run.series();
        let timestamp = self.run.timestamp();
        let same = self.timestamp == timestamp;
        let head = if same { RUN_SAME_TIME } else { RUN };
        put_varint(&mut self.samples, count << 2 | head);
        self.put_reference(first);
        if !same {
            self.put_timestamp(timestamp);
        }
        self.run.end(&mut self.samples);
        self.next_reference = next;
        self.end_samples_if_full();
    }

    fn open_samples(&mut self) {
        if self.samples.is_empty() {
            self.samples.extend_from_slice(&[0; RECORD_HEADER]);
            put_varint(&mut self.samples, u64::from(self.epoch));
            put_varint(&mut self.samples, self.sequence);
            self.next_reference = 0;
            self.timestamp = 0;
        }
    }

    fn put_reference(&mut self, reference: u32) {
        let step = i64::from(reference) - i64::from(self.next_reference);
        put_signed(&mut self.samples, step);
    }

    fn put_timestamp(&mut self, timestamp: i64) {
        put_signed(&mut self.samples, timestamp.wrapping_sub(self.timestamp));
        self.timestamp = timestamp;
    }

    fn end_samples_if_full(&mut self) {
        if self.samples.len() >= RECORD_FULL {
            self.end_samples();
        }
    }

    fn end_samples(&mut self) {
        if self.samples.is_empty() {
            return;
        }
        // What the samples refer to comes first.
        self.end_definitions();
        self.epoch_bytes += self.samples.len() as u64;
        self.sequence += 1;
        let mut samples = std::mem::take(&mut self.samples);
        self.end_record(&mut samples, SAMPLES);
        self.samples = samples;
    }

    fn end_definitions(&mut self) {
        let mut definitions = std::mem::take(&mut self.definitions);
        self.end_record(&mut definitions, DEFINITIONS);
        self.definitions = definitions;
    }

    fn end_descriptions(&mut self) {
        let mut descriptions = std::mem::take(&mut self.descriptions);
        self.end_record(&mut descriptions, DESCRIPTIONS);
        self.descriptions = descriptions;
    }

    /// Moves an open record, if it is one, behind the finished ones.
    fn end_record(&mut self, record: &mut Vec<u8>, kind: u8) {
        if record.is_empty() {
            return;
        }
        seal(record, kind, self.number, self.offset);
        self.offset += record.len() as u64;
        self.records += 1;
        if self.finished.is_empty() {
            std::mem::swap(&mut self.finished, record);
        } else {
            self.finished.append(record);
        }
    }
}

fn check_length(length: usize) -> Result<(), TooLong> {
    if length > ITEM_MAX {
        return Err(TooLong(length));
    }
    Ok(())
}

fn put_text(buffer: &mut Vec<u8>, text: &str) {
    put_varint(buffer, text.len() as u64);
    buffer.extend_from_slice(text.as_bytes());
}
