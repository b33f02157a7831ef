//! The port out of the store: first which series match, then the samples of each.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::{Budget, Exemplar, Histogram, Labels, Matcher, Metadata, Timestamp};

/// Gives samples out. The store and the remote engines of cluster mode implement it.
pub trait SeriesSource: Send + Sync {
    /// The series that fulfil all matchers and may have samples in the range, sorted by their labels.
    ///
    /// What is appended later does not change the answer's list of series.
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError>;

    /// The label sets of the series in scope, sorted.
    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError>;

    /// The names of all labels of the series in scope, sorted.
    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError>;

    /// The values that a label has in the series in scope, sorted.
    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError>;

    /// The exemplars whose timestamps are in the scope's range, oldest first, by the labels of their series, sorted;
    /// series without any are left out. Of those at one timestamp the one appended first comes first.
    fn exemplars(&self, scope: &Scope) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError>;

    /// Type, help and unit by metric name.
    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError>;

    /// The memory for questions. What is selected counts in it as long as it is held; whoever goes on with it reserves
    /// from it too.
    fn budget(&self) -> Budget {
        Budget::default()
    }
}

/// Which samples are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Conditions that a series must fulfil, all of them.
    pub matchers: Vec<Matcher>,
    /// The first moment, inclusive.
    pub start: Timestamp,
    /// The last moment, inclusive.
    pub end: Timestamp,
}

/// Which series a question about labels concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// A series must fulfil all matchers of any of these; an empty list takes every series.
    pub selectors: Vec<Vec<Matcher>>,
    /// Only series that may have samples from here, inclusive …
    pub start: Timestamp,
    /// … to here, inclusive.
    pub end: Timestamp,
    /// The first so many answers are enough; 0 asks for all.
    pub limit: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            selectors: Vec::new(),
            start: Timestamp::MIN,
            end: Timestamp::MAX,
            limit: 0,
        }
    }
}

/// Series that were selected, whose samples are read one series at a time, by any thread and in any order.
pub trait SelectedSeries: Send + Sync {
    /// How many series there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that are reserved for the list, in the budget of its source; 0 if it does not count them.
    fn bytes(&self) -> usize {
        0
    }

    /// The labels of a series, `index` < [`SelectedSeries::len`].
    fn labels(&self, index: usize) -> &Labels;

    /// Appends the samples of a series in the selected range to `columns`, oldest first, stale markers included.
    fn read(&self, index: usize, columns: &mut SampleColumns) -> Result<(), SourceError>;

    /// Appends the native histograms of a series in the selected range with their timestamps, oldest first, stale
    /// markers included. A series may have both numbers and histograms.
    fn read_histograms(
        &self,
        index: usize,
        histograms: &mut Vec<(i64, Histogram)>,
    ) -> Result<(), SourceError>;

    /// Appends since when the counter of a series has counted: timestamps of samples up to the end of the range,
    /// strictly rising, each with the start that holds from there to the next. Both are milliseconds since
    /// 1970-01-01 UTC.
    ///
    /// What only repeats the one before may be left out. What holds at the start of the range may be among them
    /// with an earlier timestamp.
    fn read_starts(&self, index: usize, starts: &mut Vec<(i64, i64)>) -> Result<(), SourceError>;
}

/// Samples of one series as two columns of equal length, sorted by strictly rising timestamp.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleColumns {
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamps: Vec<i64>,
    /// The value at the timestamp of the same index.
    pub values: Vec<f64>,
}

impl SampleColumns {
    /// Adds a sample, which must be newer than the last.
    pub fn push(&mut self, timestamp: i64, value: f64) {
        self.timestamps.push(timestamp);
        self.values.push(value);
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Forgets the samples and keeps the memory.
    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.values.clear();
    }
}

/// Why a source gives no answer.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Stored data cannot be read.
    #[error("cannot read stored samples: {0}")]
    Storage(String),
    /// The answer would be larger than is allowed; the text names the limit and how to raise it.
    #[error("{0}")]
    Limit(String),
    /// There is no room for the answer as long as others are being answered; the text says so.
    #[error("{0}")]
    Busy(String),
}
