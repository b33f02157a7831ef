//! A store that is correct at sight: a map from labels to a map from time to value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use model::{
    AppendError, Appended, Labels, Matcher, Metadata, RejectReason, Rejected, Row, SampleBatch,
    SampleColumns, SampleSink, Scope, SelectedSeries, Selection, SeriesSource, SourceError,
    Timestamp,
};

/// A sink and source in memory, against which others are compared.
#[derive(Debug)]
pub struct MemoryStore {
    out_of_order_window: Duration,
    content: RwLock<Content>,
}

#[derive(Debug, Default)]
struct Content {
    series: BTreeMap<Labels, BTreeMap<i64, f64>>,
    metadata: BTreeMap<String, Metadata>,
}

impl MemoryStore {
    /// An empty store that refuses samples older than the newest of their series by more than the window.
    pub fn new(out_of_order_window: Duration) -> Self {
        Self {
            out_of_order_window,
            content: RwLock::default(),
        }
    }

    /// A store with the given samples, in any order; of two at one time the last stays.
    pub fn with_samples(samples: impl IntoIterator<Item = (Labels, i64, f64)>) -> Self {
        let store = Self::new(Duration::MAX);
        for (labels, timestamp, value) in samples {
            store.insert(&labels, timestamp, value);
        }
        store
    }

    /// Puts a sample in, whatever its age, replacing one at the same time.
    pub fn insert(&self, labels: &Labels, timestamp_ms: i64, value: f64) {
        let mut content = self.write();
        let series = content.series.entry(labels.clone()).or_default();
        series.insert(timestamp_ms, value);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.write() = Content::default();
    }

    fn append_row(&self, batch: &SampleBatch<'_>, row: &Row<'_>) -> Result<(), RejectReason> {
        let labels = (batch.encoding.decode)(row.key)?;
        let mut content = self.write();
        let samples = content.series.entry(labels).or_default();
        let timestamp = row.timestamp;
        if let Some(known) = samples.get(&timestamp.as_millis()) {
            if known.to_bits() == row.value.to_bits() {
                return Ok(());
            }
            return Err(RejectReason::Duplicate { timestamp });
        }
        if let Some((newest, _)) = samples.last_key_value() {
            let newest = Timestamp::from_millis(*newest);
            if newest.since(timestamp) > self.out_of_order_window {
                return Err(RejectReason::OutOfOrder { timestamp, newest });
            }
        }
        samples.insert(timestamp.as_millis(), row.value);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content
            .read()
            .expect("invariant: no one panics while holding the content")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content
            .write()
            .expect("invariant: no one panics while holding the content")
    }

    fn in_scope(&self, scope: &Scope) -> Vec<Labels> {
        let content = self.read();
        let (start, end) = (scope.start.as_millis(), scope.end.as_millis());
        let wanted = |labels: &Labels, samples: &BTreeMap<i64, f64>| {
            let selected = scope.selectors.is_empty()
                || scope
                    .selectors
                    .iter()
                    .any(|matchers| matches_all(matchers, labels));
            selected && start <= end && samples.range(start..=end).next().is_some()
        };
        let series = content
            .series
            .iter()
            .filter(|(labels, samples)| wanted(labels, samples));
        series.map(|(labels, _)| labels.clone()).collect()
    }
}

impl SampleSink for MemoryStore {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        let mut appended = Appended::default();
        for (index, row) in batch.rows.iter().enumerate() {
            match self.append_row(batch, row) {
                Ok(()) => appended.accepted += 1,
                Err(reason) => appended.rejected.push(Rejected { row: index, reason }),
            }
        }
        Ok(appended)
    }

    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError> {
        let mut content = self.write();
        for (name, metadata) in descriptions {
            content.metadata.insert(name.clone(), metadata.clone());
        }
        Ok(())
    }
}

impl SeriesSource for MemoryStore {
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        let (start, end) = (selection.start.as_millis(), selection.end.as_millis());
        let mut series = Vec::new();
        for (labels, samples) in &self.read().series {
            if start > end || !matches_all(&selection.matchers, labels) {
                continue;
            }
            let mut columns = SampleColumns::default();
            for (timestamp, value) in samples.range(start..=end) {
                columns.push(*timestamp, *value);
            }
            if !columns.is_empty() {
                series.push((labels.clone(), columns));
            }
        }
        Ok(Box::new(Selected(series)))
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        Ok(limited(self.in_scope(scope), scope.limit))
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        let mut names = BTreeSet::new();
        for labels in self.in_scope(scope) {
            names.extend(labels.iter().map(|(name, _)| name.to_owned()));
        }
        Ok(limited(names.into_iter().collect(), scope.limit))
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        let mut values = BTreeSet::new();
        for labels in self.in_scope(scope) {
            values.extend(labels.get(name).map(str::to_owned));
        }
        Ok(limited(values.into_iter().collect(), scope.limit))
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        Ok(self.read().metadata.clone())
    }
}

/// A copy of what was there at the time of the selection.
struct Selected(Vec<(Labels, SampleColumns)>);

impl SelectedSeries for Selected {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.0[index].0
    }

    fn read(&self, index: usize, columns: &mut SampleColumns) -> Result<(), SourceError> {
        let samples = &self.0[index].1;
        columns.timestamps.extend_from_slice(&samples.timestamps);
        columns.values.extend_from_slice(&samples.values);
        Ok(())
    }
}

fn matches_all(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers
        .iter()
        .all(|matcher| matcher.matches_labels(labels))
}

fn limited<T>(mut items: Vec<T>, limit: usize) -> Vec<T> {
    if limit > 0 {
        items.truncate(limit);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(
        store: &MemoryStore,
        labels: &Labels,
        timestamp: i64,
        value: f64,
    ) -> Vec<RejectReason> {
        let batch = SampleBatch::packed([(labels, Timestamp::from_millis(timestamp), value)]);
        let rejected = store.append(&batch).unwrap().rejected;
        rejected
            .into_iter()
            .map(|rejected| rejected.reason)
            .collect()
    }

    #[test]
    fn samples_are_accepted_within_the_window_and_once() {
        let store = MemoryStore::new(Duration::from_millis(10));
        let labels = Labels::from_pairs([("__name__", "up")]).unwrap();
        assert_eq!(append(&store, &labels, 100, 1.0), []);
        assert_eq!(append(&store, &labels, 100, 1.0), []);
        assert_eq!(append(&store, &labels, 90, 2.0), []);
        let timestamp = Timestamp::from_millis(100);
        assert_eq!(
            append(&store, &labels, 100, 3.0),
            [RejectReason::Duplicate { timestamp }]
        );
        let (timestamp, newest) = (Timestamp::from_millis(89), timestamp);
        let refused = [RejectReason::OutOfOrder { timestamp, newest }];
        assert_eq!(append(&store, &labels, 89, 0.0), refused);

        let selection = Selection {
            matchers: vec![Matcher::equal("__name__", "up")],
            start: Timestamp::from_millis(90),
            end: Timestamp::from_millis(99),
        };
        let selected = store.select(&selection).unwrap();
        let mut columns = SampleColumns::default();
        selected.read(0, &mut columns).unwrap();
        assert_eq!((columns.timestamps, columns.values), (vec![90], vec![2.0]));
    }

    #[test]
    fn labels_are_listed_sorted_and_up_to_the_limit() {
        let series =
            |name: &str, job: &str| Labels::from_pairs([("__name__", name), ("job", job)]).unwrap();
        let samples =
            [("b", "x"), ("a", "y"), ("a", "x")].map(|(name, job)| (series(name, job), 5, 1.0));
        let store = MemoryStore::with_samples(samples);
        assert_eq!(
            store.label_values("job", &Scope::default()).unwrap(),
            ["x", "y"]
        );
        assert_eq!(
            store.label_names(&Scope::default()).unwrap(),
            ["__name__", "job"]
        );
        let scope = Scope {
            limit: 1,
            ..Scope::default()
        };
        assert_eq!(store.series(&scope).unwrap(), [series("a", "x")]);
        let late = Scope {
            start: Timestamp::from_millis(6),
            ..Scope::default()
        };
        assert_eq!(store.series(&late).unwrap(), []);
    }
}
