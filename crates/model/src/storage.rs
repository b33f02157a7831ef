//! The port to the store for whoever runs it: delete, make room, copy, and tell what takes the room.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

use thiserror::Error;

use crate::{Labels, Matcher, NAME, Timestamp};

/// Does with a store what an operator asks for. Everything but [`StorageAdmin::statistics`] may take minutes.
pub trait StorageAdmin: Send + Sync {
    /// Deletes the samples from `start` to `end`, both inclusive, of the series that fulfil all matchers of any of the
    /// selectors. When it returns nobody sees them any more, after a loss of power too; their room comes back later.
    ///
    /// Errors: nothing was deleted.
    fn delete(
        &self,
        selectors: &[Vec<Matcher>],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<(), StorageError>;

    /// Takes deleted samples out of the files, and so gives their room back.
    ///
    /// Errors: some of them are still there, and still invisible.
    fn clean_tombstones(&self) -> Result<(), StorageError>;

    /// Copies what is stored into a new directory below `snapshots/` of the data directory, as a store that can be opened;
    /// the answer is the directory's name. With `skip_head` what only the log holds is left out.
    ///
    /// Errors: no directory is left behind.
    fn snapshot(&self, skip_head: bool) -> Result<String, StorageError>;

    /// What there is, and what there is most of: `limit` names in each list.
    fn statistics(&self, limit: usize) -> StorageStatistics;
}

/// Why the store did not do what it was asked for.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The disk refused, now or earlier.
    #[error("cannot change the store: {0}")]
    Storage(String),
    /// It cannot be done as it was asked for, or not now; the text says what would be right.
    #[error("{0}")]
    Refused(String),
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorageStatistics {
    /// What is in memory.
    pub head: HeadStatistics,
    /// What is in immutable files.
    pub blocks: BlockStatistics,
    /// Series in memory by the name of their metric, the largest number first.
    pub series_by_metric: Vec<NamedCount>,
    /// Values of a label in memory by its name, the largest number first.
    pub values_by_label: Vec<NamedCount>,
    /// Bytes of the values of a label in memory by its name, each occurrence counted, the largest number first.
    pub bytes_by_label: Vec<NamedCount>,
    /// Series in memory by pairs, written `name=value`, the largest number first.
    pub series_by_pair: Vec<NamedCount>,
}

/// What is in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadStatistics {
    /// Series that get samples.
    pub series: u64,
    /// Different pairs of a label's name and value.
    pub label_pairs: u64,
    /// Packed pieces of samples.
    pub chunks: u64,
    /// Samples.
    pub samples: u64,
    /// The oldest and the newest timestamp; none without samples.
    pub range: Option<(Timestamp, Timestamp)>,
}

/// What is in immutable files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockStatistics {
    /// How many files there are.
    pub count: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The oldest and the newest timestamp; none without blocks.
    pub range: Option<(Timestamp, Timestamp)>,
}

/// How much there is of something that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCount {
    /// What is counted.
    pub name: String,
    /// How much there is of it.
    pub count: u64,
}

impl StorageStatistics {
    /// Counts label sets one by one: series, pairs and the four lists of at most `limit` names.
    pub fn of_series<'a>(series: impl IntoIterator<Item = &'a Labels>, limit: usize) -> Self {
        let mut statistics = Self::default();
        let mut by_metric: HashMap<&str, u64> = HashMap::new();
        let mut by_pair: HashMap<(&str, &str), u64> = HashMap::new();
        for labels in series {
            statistics.head.series += 1;
            by_metric
                .entry(labels.get(NAME).unwrap_or(""))
                .or_default()
                .add_assign(1);
            for pair in labels.iter() {
                by_pair.entry(pair).or_default().add_assign(1);
            }
        }
        let mut by_label: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for ((name, value), count) in &by_pair {
            let (values, bytes) = by_label.entry(name).or_default();
            *values += 1;
            *bytes += value.len() as u64 * count;
        }
        statistics.head.label_pairs = by_pair.len() as u64;
        statistics.series_by_metric = largest(by_metric, limit);
        let values = by_label.iter().map(|(name, (values, _))| (*name, *values));
        statistics.values_by_label = largest(values, limit);
        let bytes = by_label.iter().map(|(name, (_, bytes))| (*name, *bytes));
        statistics.bytes_by_label = largest(bytes, limit);
        let pairs = by_pair
            .into_iter()
            .map(|((name, value), count)| (format!("{name}={value}"), count));
        statistics.series_by_pair = largest(pairs, limit);
        statistics
    }
}

/// The largest counts, and of equal ones the first by name.
fn largest<N: Into<String> + Ord>(
    counts: impl IntoIterator<Item = (N, u64)>,
    limit: usize,
) -> Vec<NamedCount> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, less), (b, more)| more.cmp(less).then_with(|| a.cmp(b)));
    counts.truncate(limit);
    let named = |(name, count): (N, u64)| NamedCount {
        name: name.into(),
        count,
    };
    counts.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_most_of_comes_first() {
        let series = [("up", "a"), ("up", "bb"), ("load", "bb")]
            .map(|(name, job)| Labels::from_pairs([(NAME, name), ("job", job)]).unwrap());
        let statistics = StorageStatistics::of_series(&series, 2);
        let shown = |counts: &[NamedCount]| -> Vec<String> {
            let shown = counts.iter().map(|of| format!("{} {}", of.name, of.count));
            shown.collect()
        };
        assert_eq!(
            (statistics.head.series, statistics.head.label_pairs),
            (3, 4)
        );
        assert_eq!(shown(&statistics.series_by_metric), ["up 2", "load 1"]);
        assert_eq!(shown(&statistics.values_by_label), ["__name__ 2", "job 2"]);
        assert_eq!(shown(&statistics.bytes_by_label), ["__name__ 8", "job 5"]);
        assert_eq!(
            shown(&statistics.series_by_pair),
            ["__name__=up 2", "job=bb 2"]
        );
    }
}
