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

/// Bytes of keys, texts and lists of groups that are remembered, for series with very long labels or many who ask for them.
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
    groups: Box<[GroupNumber]>,
    /// The version of the groups at which they were looked up.
    version: u64,
}

impl Known {
    fn bytes(&self, key: &[u8]) -> usize {
        key.len() + self.text.len() + size_of_val(&*self.groups)
    }
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
            groups: groups.of_series(&labels).into(),
            version: groups.version(),
            text: text.into(),
        };
        self.forget(encoding, key);
        let bytes = known.bytes(key);
        if self.count >= SERIES_MAX || self.bytes + bytes > SERIES_BYTES_MAX {
            *self = Self::default();
        }
        let series = self.series.entry(encoding.id).or_default();
        series.insert(key.into(), known);
        self.count += 1;
        self.bytes += bytes;
        Some(())
    }

    fn forget(&mut self, encoding: KeyEncoding, key: &[u8]) {
        let series = self.series.get_mut(&encoding.id);
        if let Some(known) = series.and_then(|series| series.remove(key)) {
            self.count -= 1;
            self.bytes -= known.bytes(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Labels;

    use super::super::groups::Client;
    use super::super::outbox::Outbox;
    use super::super::topic::Topic;
    use super::*;
    use crate::FeedLimits;

    /// Lets one more client ask for the samples that lack a label.
    fn ask(groups: &mut Groups, number: u64) {
        let client = Arc::new(Client {
            number,
            outbox: Outbox::new(1, 1),
        });
        let topic = Topic::Metrics {
            name: None,
            labels: vec![(format!("absent_{number}"), String::new())],
        };
        let limits = FeedLimits::default();
        groups.subscribe(&client, None, topic, &limits).unwrap();
    }

    #[test]
    fn what_is_remembered_of_series_counts_the_groups_that_ask_and_each_series_once() {
        let (mut groups, mut memory) = (Groups::default(), Memory::default());
        let series = |job: &str| Labels::from_pairs([("__name__", "up"), ("job", job)]).unwrap();
        let mut learn = |groups: &Groups, job: &str| {
            let labels = series(job);
            memory.known(KeyEncoding::PACKED, labels.as_packed().as_bytes(), groups);
            (memory.count, memory.bytes)
        };
        ask(&mut groups, 1);
        let (_, with_one) = learn(&groups, "a");
        for number in 2..=200 {
            ask(&mut groups, number);
        }
        let (count, with_many) = learn(&groups, "a");
        assert_eq!(count, 1);
        assert!(
            with_many >= with_one + 199 * size_of::<GroupNumber>(),
            "{with_many}"
        );
        ask(&mut groups, 201);
        learn(&groups, "a");
        let (count, bytes) = learn(&groups, "b");
        assert_eq!(count, 2);
        // Once more what one takes; what was known of the first before is not counted twice.
        assert!(bytes < with_many * 3, "{bytes}");
    }
}
