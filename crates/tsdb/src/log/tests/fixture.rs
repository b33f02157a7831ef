//! A writer that remembers what it logged, and a reader that collects what it is given.

use std::collections::BTreeMap;

use model::{Metadata, MetricKind};
use proptest::prelude::*;

use crate::log::record::file_header;
use crate::log::{LogContents, LogEncoder, Pairs, Run};

/// What was put into the log, or came out of it, in its order for each series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contents {
    pub(crate) series: BTreeMap<u32, Vec<(String, String)>>,
    pub(crate) entries: BTreeMap<u32, Vec<Entry>>,
    pub(crate) descriptions: Vec<(String, Metadata)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Sample(i64, u64),
    Attachment(u8, i64, Vec<u8>),
}

impl LogContents for Contents {
    fn define(&mut self, reference: u32, labels: Pairs<'_>) {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let before = self.series.insert(reference, labels.map(own).collect());
        assert_eq!(before, None, "defined twice");
    }

    fn samples(&mut self, run: Run<'_>) {
        for (reference, bits) in (run.reference..).zip(run.bits) {
            assert!(self.series.contains_key(&reference), "not defined");
            let entries = self.entries.entry(reference).or_default();
            entries.push(Entry::Sample(run.timestamp, *bits));
        }
    }

    fn attachment(&mut self, reference: u32, kind: u8, timestamp: i64, bytes: &[u8]) {
        assert!(self.series.contains_key(&reference), "not defined");
        let entries = self.entries.entry(reference).or_default();
        entries.push(Entry::Attachment(kind, timestamp, bytes.to_owned()));
    }

    fn describe(&mut self, name: &str, metadata: Metadata) {
        self.descriptions.push((name.to_owned(), metadata));
    }
}

impl Contents {
    pub(crate) fn samples(&self) -> u64 {
        let entries = self.entries.values().flatten();
        let samples = entries.filter(|entry| matches!(entry, Entry::Sample(..)));
        samples.count() as u64
    }

    /// Whether everything in it is in `whole` too, in its order.
    pub(crate) fn is_part_of(&self, whole: &Self) -> bool {
        let series = |(reference, labels)| whole.series.get(reference) == Some(labels);
        let entries = |(reference, entries): (&u32, &Vec<Entry>)| {
            let mut all = whole.entries.get(reference).into_iter().flatten();
            entries.iter().all(|entry| all.any(|other| other == entry))
        };
        let mut all = whole.descriptions.iter();
        self.series.iter().all(series)
            && self.entries.iter().all(entries)
            && self
                .descriptions
                .iter()
                .all(|one| all.any(|other| other == one))
    }
}

/// Something that a writer does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Define(Vec<(String, String)>),
    /// A number of samples of consecutive series, from one of them on.
    Samples(prop::sample::Index, usize, i64, Vec<u64>),
    Attach(prop::sample::Index, u8, i64, Vec<u8>),
    Describe(String, Metadata),
    Finish,
    /// So many samples that another epoch begins.
    Epoch,
}

pub(crate) fn actions(count: usize) -> impl Strategy<Value = Vec<Action>> {
    let pairs = prop::collection::vec(("[a-c]{1,2}", "[x-zä]{0,3}"), 0..5);
    let index = any::<prop::sample::Index>;
    let values = prop::collection::vec(crate::tests::bits(), 1..5);
    let times = crate::tests::timestamps;
    let action = prop_oneof![
        4 => pairs.prop_map(Action::Define),
        8 => (index(), 1usize..200, times(), values)
            .prop_map(|(first, count, time, bits)| Action::Samples(first, count, time, bits)),
        2 => (index(), any::<u8>(), times(), any::<Vec<u8>>())
            .prop_map(|(series, kind, time, bytes)| Action::Attach(series, kind, time, bytes)),
        1 => ("[a-z]{0,9}", ".{0,9}").prop_map(|(name, help)| {
            let kind = MetricKind::Counter;
            Action::Describe(name, Metadata { kind, help, unit: "s".to_owned() })
        }),
        3 => Just(Action::Finish),
    ];
    prop::collection::vec(action, 0..count)
}

/// Short epochs, so that a few samples fill several.
const EPOCH_BYTES: u64 = 2_000;

/// A log in memory.
pub(crate) struct Writer {
    pub(crate) encoder: LogEncoder,
    pub(crate) file: Vec<u8>,
    pub(crate) contents: Contents,
    /// Epoch and bits of the value that was last logged.
    last: Vec<(u32, u64)>,
}

impl Writer {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            encoder: LogEncoder::with_epochs(number, EPOCH_BYTES),
            file: file_header(number).to_vec(),
            contents: Contents::default(),
            last: Vec::new(),
        }
    }

    pub(crate) fn define(&mut self, labels: &[(String, String)]) -> u32 {
        let pairs = labels.iter().map(|(name, value)| (&**name, &**value));
        let reference = self.encoder.define(pairs).unwrap();
        assert_eq!(reference as usize, self.last.len());
        self.last.push((0, 0));
        self.contents.series.insert(reference, labels.to_vec());
        reference
    }

    pub(crate) fn sample(&mut self, reference: u32, timestamp: i64, bits: u64) {
        let epoch = self.encoder.epoch();
        let (known, last) = self.last[reference as usize];
        let previous = if known == epoch { last } else { 0 };
        self.encoder.sample(reference, timestamp, bits, previous);
        self.last[reference as usize] = (epoch, bits);
        let entries = self.contents.entries.entry(reference).or_default();
        entries.push(Entry::Sample(timestamp, bits));
    }

    pub(crate) fn attach(&mut self, reference: u32, kind: u8, timestamp: i64, bytes: &[u8]) {
        self.encoder
            .attachment(reference, kind, timestamp, bytes)
            .unwrap();
        let entries = self.contents.entries.entry(reference).or_default();
        entries.push(Entry::Attachment(kind, timestamp, bytes.to_owned()));
    }

    pub(crate) fn finish(&mut self) {
        let bytes = self.encoder.finish();
        self.file.append(bytes);
        assert_eq!(self.file.len() as u64, self.encoder.file_length());
    }

    /// Begins another epoch; there must be a series.
    pub(crate) fn next_epoch(&mut self) {
        let epoch = self.encoder.epoch();
        let mut bits = 0x9e37_79b9_7f4a_7c15u64;
        while self.encoder.epoch() == epoch {
            for step in 0..500 {
                bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ bits >> 31;
                self.sample(0, step, bits);
            }
            self.finish();
        }
    }

    pub(crate) fn carry_out(&mut self, action: Action) {
        let series = self.last.len();
        match action {
            Action::Define(labels) => _ = self.define(&labels),
            Action::Samples(first, count, timestamp, bits) if series > 0 => {
                let first = first.index(series);
                for (reference, bits) in (first..series).take(count).zip(bits.iter().cycle()) {
                    self.sample(reference as u32, timestamp, *bits);
                }
            }
            Action::Attach(reference, kind, timestamp, bytes) if series > 0 => {
                let reference = reference.index(series) as u32;
                self.attach(reference, kind, timestamp, &bytes);
            }
            Action::Describe(name, metadata) => {
                self.encoder.describe(&name, &metadata).unwrap();
                self.contents.descriptions.push((name, metadata));
            }
            Action::Finish => self.finish(),
            Action::Epoch if series > 0 => self.next_epoch(),
            Action::Samples(..) | Action::Attach(..) | Action::Epoch => {}
        }
    }
}
