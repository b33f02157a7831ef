//! Samples on their way to the groups that ask for them: each row is written once, and what is the same of all rows of a
//! series is kept from one to the next.

use std::collections::{BTreeMap, HashMap};

use model::KeyEncoding;

use super::groups::{GroupNumber, Groups};
use super::message::{self, Update};
use super::waiting::Chunk;
use crate::metrics::FeedMetrics;

/// Series that are remembered; when there are more, the memory begins anew.
const SERIES_MAX: usize = 50_000;

/// Bytes of keys and texts that are remembered, for series with very long labels.
const SERIES_BYTES_MAX: usize = 32 << 20;

/// A message is sent when it has this many bytes: so few that many fit into a queue, so many that the head of each is
/// nothing.
const MESSAGE_BYTES: usize = 64 << 10;

/// Writes samples for groups.
#[derive(Default)]
pub(super) struct Samples {
    memory: Memory,
    /// What is written for each group and not yet told.
    written: BTreeMap<GroupNumber, String>,
    row: String,
}

/// What is remembered of series.
#[derive(Default)]
struct Memory {
    /// By the id of the keys' encoding, then by key.
    series: HashMap<u8, HashMap<Box<[u8]>, Known>>,
    count: usize,
    bytes: usize,
}

struct Known {
    /// The text of a sample up to its value.
    text: Box<str>,
    groups: Vec<GroupNumber>,
    /// The version of the groups at which they were looked up.
    version: u64,
}

impl Samples {
    /// Writes the rows of a chunk for all who ask for them, and tells what is enough for a message.
    pub(super) fn add(&mut self, chunk: &Chunk, groups: &Groups, metrics: &FeedMetrics) {
        for (key, timestamp, value) in chunk.rows() {
            let Some(known) = self.memory.known(chunk.encoding(), key, groups) else {
                continue;
            };
            if known.groups.is_empty() {
                continue;
            }
            self.row.clear();
            self.row.push_str(&known.text);
            message::push_sample(&mut self.row, timestamp, value);
            for group in &known.groups {
                let written = self.written.entry(*group).or_default();
                if !written.is_empty() {
                    written.push(',');
                }
                written.push_str(&self.row);
                if written.len() >= MESSAGE_BYTES {
                    groups.tell(*group, &Update::metrics(written), metrics);
                    written.clear();
                }
            }
        }
    }

    /// Tells the rest.
    pub(super) fn finish(&mut self, groups: &Groups, metrics: &FeedMetrics) {
        for (group, samples) in std::mem::take(&mut self.written) {
            if !samples.is_empty() {
                groups.tell(group, &Update::metrics(&samples), metrics);
            }
        }
    }
}

impl Memory {
    /// What is known of the series with this key; none if it cannot be read, which the store would not have taken.
    fn known(&mut self, encoding: KeyEncoding, key: &[u8], groups: &Groups) -> Option<&Known> {
        let version = groups.version();
        let is_current = |known: &Known| known.version == version;
        let series = self.series.entry(encoding.id).or_default();
        if !series.get(key).is_some_and(is_current) {
            self.learn(encoding, key, groups)?;
        }
        self.series.get(&encoding.id)?.get(key)
    }

    fn learn(&mut self, encoding: KeyEncoding, key: &[u8], groups: &Groups) -> Option<()> {
        let labels = (encoding.decode)(key).ok()?;
        let mut text = String::new();
        message::push_series(&mut text, &labels);
        let known = Known {
            groups: groups.of_series(&labels),
            version: groups.version(),
            text: text.into(),
        };
        let bytes = key.len() + known.text.len();
        if self.count >= SERIES_MAX || self.bytes + bytes > SERIES_BYTES_MAX {
            *self = Self::default();
        }
        let series = self.series.entry(encoding.id).or_default();
        if series.insert(key.into(), known).is_none() {
            self.count += 1;
            self.bytes += bytes;
        }
        Some(())
    }
}
