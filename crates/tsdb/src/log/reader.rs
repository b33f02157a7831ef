//! Reads the payloads of records, and hands over what can be trusted.
//!
//! Values build on each other within an epoch, so records of samples are numbered in it. Once a number is missing,
//! nothing more of the epoch is taken. Definitions and label pairs are numbered over the whole file; what stood in a
//! missing record stays undefined.

use model::{Metadata, MetricKind};

use super::encoder::{ATTACHMENT, END, KNOWN, NUMBERED, PLAIN, RUN, RUN_SAME_TIME};
use super::record::{DEFINITIONS, DESCRIPTIONS, SAMPLES};
use super::report::ReplayReport;
use super::run::read_run;
use crate::coding::Cursor;

/// Takes what is read from a log, in the order of the log.
pub(crate) trait LogContents {
    /// A series is defined; its reference is larger than those before, and smaller than the length of the file.
    fn define(&mut self, reference: u32, labels: Pairs<'_>);
    /// Samples of defined series.
    fn samples(&mut self, run: Run<'_>);
    /// An attachment of a defined series.
    fn attachment(&mut self, reference: u32, kind: u8, timestamp: i64, bytes: &[u8]);
    /// A metric is described.
    fn describe(&mut self, name: &str, metadata: Metadata);
}

/// Samples with one timestamp, of series whose references follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run<'a> {
    /// The first of the references.
    pub(crate) reference: u32,
    /// In milliseconds.
    pub(crate) timestamp: i64,
    /// The bits of the values.
    pub(crate) bits: &'a [u64],
}

/// Names and values of a definition, in the order in which they were given.
#[derive(Clone)]
pub(crate) struct Pairs<'a> {
    parts: std::slice::Iter<'a, Part<'a>>,
    known: &'a KnownPairs,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Text(&'a str, &'a str),
    Known(u32),
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        match *self.parts.next()? {
            Part::Text(name, value) => Some((name, value)),
            Part::Known(number) => self.known.get(number),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.parts.size_hint()
    }
}

impl ExactSizeIterator for Pairs<'_> {}

/// Label pairs by their number in the file.
#[derive(Default)]
struct KnownPairs {
    text: String,
    /// Start, end of the name, end of the value; none if it is lost.
    places: Vec<Option<(usize, usize, usize)>>,
}

impl KnownPairs {
    fn get(&self, number: u32) -> Option<(&str, &str)> {
        let (start, middle, end) = (*self.places.get(number as usize)?)?;
        Some((&self.text[start..middle], &self.text[middle..end]))
    }

    fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        let middle = self.text.len();
        self.text.push_str(value);
        self.places.push(Some((start, middle, self.text.len())));
    }
}

/// What is known while a file is read.
#[derive(Default)]
pub(crate) struct Reader {
    pairs: KnownPairs,
    /// By reference: whether it is defined.
    defined: Vec<bool>,
    /// Whether any below the length is not.
    gaps: bool,
    /// By reference: the bits of the last value in the epoch.
    values: Vec<u64>,
    epoch: u64,
    /// The number that the next record of the epoch must have; none once one was missing.
    sequence: Option<u64>,
}

impl Reader {
    /// Applies the payload of the record at `offset`; none if it is malformed, and then only what stands before the fault
    /// is applied.
    pub(crate) fn apply(
        &mut self,
        kind: u8,
        payload: &[u8],
        offset: u64,
        contents: &mut impl LogContents,
        report: &mut ReplayReport,
    ) -> Option<()> {
        let mut cursor = Cursor::new(payload);
        match kind {
            DEFINITIONS => self.definitions(&mut cursor, offset, contents, report),
            SAMPLES => self.sample_record(&mut cursor, contents, report),
            DESCRIPTIONS => descriptions(&mut cursor, contents, report),
            _ => {
                report.records_unknown += 1;
                Some(())
            }
        }
    }

    fn definitions(
        &mut self,
        cursor: &mut Cursor<'_>,
        offset: u64,
        contents: &mut impl LogContents,
        report: &mut ReplayReport,
    ) -> Option<()> {
        let reference = self.rising(cursor.varint()?, self.defined.len(), offset)?;
        let pair = self.rising(cursor.varint()?, self.pairs.places.len(), offset)?;
        self.gaps |= reference > self.defined.len();
        self.defined.resize(reference, false);
        self.values.resize(reference, 0);
        self.pairs.places.resize(pair, None);
        let mut parts = Vec::new();
        while !cursor.is_empty() {
            parts.clear();
            let whole = self.definition(cursor, &mut parts)?;
            let reference = u32::try_from(self.defined.len()).ok()?;
            self.defined.push(whole);
            self.values.push(0);
            if whole {
                report.definitions += 1;
                let pairs = Pairs {
                    parts: parts.iter(),
                    known: &self.pairs,
                };
                contents.define(reference, pairs);
            } else {
                self.gaps = true;
                report.definitions_lost += 1;
            }
        }
        Some(())
    }

    /// A number that does not fall, and counts things that took a byte each at least before `offset`: a larger one would
    /// only ask for memory.
    fn rising(&self, number: u64, known: usize, offset: u64) -> Option<usize> {
        let fits = number <= offset && number <= u64::from(u32::MAX);
        let number = usize::try_from(number).ok()?;
        (fits && number >= known).then_some(number)
    }

    /// Reads a definition; false if a pair of it is lost.
    fn definition<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        parts: &mut Vec<Part<'a>>,
    ) -> Option<bool> {
        let mut whole = true;
        loop {
            match cursor.varint()? {
                END => return Some(whole),
                code @ (PLAIN | NUMBERED) => {
                    let (name, value) = (text(cursor)?, text(cursor)?);
                    if code == NUMBERED {
                        self.pairs.push(name, value);
                    }
                    parts.push(Part::Text(name, value));
                }
                code => {
                    let number = u32::try_from(code - KNOWN).ok()?;
                    let place = self.pairs.places.get(number as usize)?;
                    whole &= place.is_some();
                    parts.push(Part::Known(number));
                }
            }
        }
    }

    fn sample_record(
        &mut self,
        cursor: &mut Cursor<'_>,
        contents: &mut impl LogContents,
        report: &mut ReplayReport,
    ) -> Option<()> {
        let (epoch, sequence) = (cursor.varint()?, cursor.varint()?);
        let trusted = self.enter(epoch, sequence);
        let read = self.items(cursor, trusted, contents, report);
        if read.is_none() {
            self.sequence = None;
        }
        read
    }

    /// Whether a record of an epoch follows the one before it.
    fn enter(&mut self, epoch: u64, sequence: u64) -> bool {
        if epoch < self.epoch {
            return false;
        }
        if epoch > self.epoch {
            self.epoch = epoch;
            self.sequence = Some(0);
            self.values.fill(0);
        }
        let follows = self.sequence == Some(sequence);
        self.sequence = sequence.checked_add(1).filter(|_| follows);
        follows
    }

    fn items(
        &mut self,
        cursor: &mut Cursor<'_>,
        trusted: bool,
        contents: &mut impl LogContents,
        report: &mut ReplayReport,
    ) -> Option<()> {
        let mut next_reference = 0u32;
        let mut timestamp = 0i64;
        while !cursor.is_empty() {
            let head = cursor.varint()?;
            let reference = i64::from(next_reference).checked_add(cursor.signed()?)?;
            let reference = u32::try_from(reference).ok()?;
            let (form, argument) = (head & 3, head >> 2);
            if form == RUN || form == ATTACHMENT {
                timestamp = timestamp.wrapping_add(cursor.signed()?);
            }
            match form {
                RUN | RUN_SAME_TIME => {
                    let count = u32::try_from(argument).ok().filter(|count| *count > 0)?;
                    next_reference = reference.checked_add(count)?;
                    self.run(
                        cursor, reference, timestamp, count, trusted, contents, report,
                    )?;
                }
                ATTACHMENT => {
                    let kind = u8::try_from(argument).ok()?;
                    let bytes = cursor.prefixed()?;
                    next_reference = reference;
                    if self.defined.get(reference as usize) == Some(&true) {
                        report.attachments += 1;
                        report.saw(timestamp);
                        contents.attachment(reference, kind, timestamp, bytes);
                    } else {
                        report.samples_undefined += 1;
                    }
                }
                _ => return None,
            }
        }
        Some(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what a run is, and where it goes"
    )]
    fn run(
        &mut self,
        cursor: &mut Cursor<'_>,
        reference: u32,
        timestamp: i64,
        count: u32,
        trusted: bool,
        contents: &mut impl LogContents,
        report: &mut ReplayReport,
    ) -> Option<()> {
        let (first, count) = (reference as usize, count as usize);
        let known = self.values.len().saturating_sub(first).min(count);
        if !trusted {
            read_run(cursor, count, |_, _| {})?;
            report.samples_untrusted += count as u64;
            return Some(());
        }
        let values = if known > 0 {
            &mut self.values[first..first + known]
        } else {
            &mut []
        };
        read_run(cursor, count, |position, change| {
            if let Some(value) = values.get_mut(position) {
                *value ^= change;
            }
        })?;
        report.samples_undefined += (count - known) as u64;
        if known == 0 {
            return Some(());
        }
        let run = Run {
            reference,
            timestamp,
            bits: values,
        };
        if self.gaps {
            let defined = &self.defined[first..first + known];
            let samples = hand_over_defined(run, defined, contents);
            report.samples_undefined += (known - samples) as u64;
            report.samples += samples as u64;
            if samples == 0 {
                return Some(());
            }
        } else {
            contents.samples(run);
            report.samples += known as u64;
        }
        report.saw(timestamp);
        Some(())
    }
}

/// Hands over the parts of a run whose series are defined; how many samples they are.
fn hand_over_defined(run: Run<'_>, defined: &[bool], contents: &mut impl LogContents) -> usize {
    let mut samples = 0;
    let mut position = 0;
    for part in defined.chunk_by(|left, right| left == right) {
        if part[0] {
            samples += part.len();
            contents.samples(Run {
                reference: run.reference + position as u32,
                timestamp: run.timestamp,
                bits: &run.bits[position..position + part.len()],
            });
        }
        position += part.len();
    }
    samples
}

fn descriptions(
    cursor: &mut Cursor<'_>,
    contents: &mut impl LogContents,
    report: &mut ReplayReport,
) -> Option<()> {
    while !cursor.is_empty() {
        let name = text(cursor)?;
        let kind = text(cursor)?;
        let metadata = Metadata {
            kind: kind.parse().unwrap_or(MetricKind::Unknown),
            help: text(cursor)?.to_owned(),
            unit: text(cursor)?.to_owned(),
        };
        report.descriptions += 1;
        contents.describe(name, metadata);
    }
    Some(())
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    std::str::from_utf8(cursor.prefixed()?).ok()
}
