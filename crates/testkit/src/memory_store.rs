//! A store that is correct at sight: a map from labels to maps from time to what was then.

mod admin;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use model::{
    AppendError, Appended, Exemplar, ExemplarRow, Histogram, Labels, Matcher, Metadata,
    RejectReason, Rejected, RowKind, SampleBatch, SampleColumns, SampleSink, Scope, SelectedSeries,
    Selection, SeriesSource, SourceError, StartRow, Timestamp,
};

/// A sink and source in memory, against which others are compared.
#[derive(Debug)]
pub struct MemoryStore {
    out_of_order_window: Duration,
    content: RwLock<Content>,
}

#[derive(Debug, Default)]
struct Content {
    series: BTreeMap<Labels, Series>,
    metadata: BTreeMap<String, Metadata>,
}

/// All that is known of a series, by time.
#[derive(Debug, Default)]
struct Series {
    samples: BTreeMap<i64, f64>,
    histograms: BTreeMap<i64, Histogram>,
    exemplars: BTreeMap<i64, Vec<Exemplar>>,
    starts: BTreeMap<i64, i64>,
}

impl Series {
    fn has_samples(&self, start: i64, end: i64) -> bool {
        start <= end
            && (self.samples.range(start..=end).next().is_some()
                || self.histograms.range(start..=end).next().is_some())
    }

    fn is_empty(&self) -> bool {
        self.samples.is_empty()
            && self.histograms.is_empty()
            && self.exemplars.is_empty()
            && self.starts.is_empty()
    }

    /// The newest sample of any kind.
    fn newest(&self) -> Option<Timestamp> {
        let samples = self.samples.last_key_value().map(|(time, _)| *time);
        let histograms = self.histograms.last_key_value().map(|(time, _)| *time);
        samples.max(histograms).map(Timestamp::from_millis)
    }
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
        series.samples.insert(timestamp_ms, value);
    }

    /// Puts a native histogram in, whatever its age, replacing one at the same time.
    pub fn insert_histogram(&self, labels: &Labels, timestamp_ms: i64, histogram: Histogram) {
        let mut content = self.write();
        let series = content.series.entry(labels.clone()).or_default();
        series.histograms.insert(timestamp_ms, histogram);
    }

    /// Notes since when a counter has counted that had a sample at a time; both in milliseconds.
    pub fn insert_start(&self, labels: &Labels, timestamp_ms: i64, start_ms: i64) {
        let mut content = self.write();
        let series = content.series.entry(labels.clone()).or_default();
        series.starts.insert(timestamp_ms, start_ms);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.write() = Content::default();
    }

    /// Does something with the series of a key, which it may create.
    fn with_series(
        &self,
        batch: &SampleBatch<'_>,
        key: &[u8],
        change: impl FnOnce(&mut Series) -> Result<(), RejectReason>,
    ) -> Result<(), RejectReason> {
        let labels = (batch.encoding.decode)(key)?;
        change(self.write().series.entry(labels).or_default())
    }

    /// Takes a sample that is not known yet, if it is not too late.
    fn admit(&self, newest: Option<Timestamp>, timestamp: Timestamp) -> Result<(), RejectReason> {
        match newest {
            Some(newest) if newest.since(timestamp) > self.out_of_order_window => {
                Err(RejectReason::OutOfOrder { timestamp, newest })
            }
            _ => Ok(()),
        }
    }

    fn append_value(
        &self,
        series: &mut Series,
        timestamp: Timestamp,
        value: f64,
    ) -> Result<(), RejectReason> {
        match series.samples.get(&timestamp.as_millis()) {
            Some(known) if known.to_bits() == value.to_bits() => Ok(()),
            Some(_) => Err(RejectReason::Duplicate { timestamp }),
            None => {
                self.admit(series.newest(), timestamp)?;
                series.samples.insert(timestamp.as_millis(), value);
                Ok(())
            }
        }
    }

    fn append_histogram(
        &self,
        series: &mut Series,
        timestamp: Timestamp,
        histogram: &Histogram,
    ) -> Result<(), RejectReason> {
        match series.histograms.get(&timestamp.as_millis()) {
            Some(known) if known == histogram => Ok(()),
            Some(_) => Err(RejectReason::Duplicate { timestamp }),
            None => {
                self.admit(series.newest(), timestamp)?;
                let histogram = histogram.clone();
                series.histograms.insert(timestamp.as_millis(), histogram);
                Ok(())
            }
        }
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
        let series = content
            .series
            .iter()
            .filter(|(labels, series)| is_in(scope, labels) && series.has_samples(start, end));
        series.map(|(labels, _)| labels.clone()).collect()
    }
}

fn append_exemplar(series: &mut Series, row: &ExemplarRow<'_>) {
    let timestamp = row.exemplar.timestamp.as_millis();
    let known = series.exemplars.entry(timestamp).or_default();
    if !known.contains(&row.exemplar) {
        known.push(row.exemplar.clone());
    }
}

fn append_start(series: &mut Series, row: &StartRow<'_>) -> Result<(), RejectReason> {
    let timestamp = row.timestamp;
    let start = row.start.as_millis();
    match *series.starts.entry(timestamp.as_millis()).or_insert(start) {
        known if known == start => Ok(()),
        _ => Err(RejectReason::Duplicate { timestamp }),
    }
}

impl SampleSink for MemoryStore {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        let mut appended = Appended::default();
        let mut note = |kind, row, result: Result<(), RejectReason>| {
            match (result, kind) {
                (Ok(()), RowKind::Sample) => appended.accepted += 1,
                (Ok(()), RowKind::Histogram) => appended.histograms += 1,
                (Ok(()), RowKind::Exemplar) => appended.exemplars += 1,
                (Ok(()), RowKind::Start) => appended.starts += 1,
                (Err(reason), kind) => appended.rejected.push(Rejected { kind, row, reason }),
            };
        };
        for (index, row) in batch.rows.iter().enumerate() {
            let result = self.with_series(batch, row.key, |series| {
                self.append_value(series, row.timestamp, row.value)
            });
            note(RowKind::Sample, index, result);
        }
        for (index, row) in batch.histograms.iter().enumerate() {
            let result = self.with_series(batch, row.key, |series| {
                self.append_histogram(series, row.timestamp, &row.histogram)
            });
            note(RowKind::Histogram, index, result);
        }
        for (index, row) in batch.exemplars.iter().enumerate() {
            let result = self.with_series(batch, row.key, |series| {
                append_exemplar(series, row);
                Ok(())
            });
            note(RowKind::Exemplar, index, result);
        }
        for (index, row) in batch.starts.iter().enumerate() {
            let result = self.with_series(batch, row.key, |series| append_start(series, row));
            note(RowKind::Start, index, result);
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
        let mut selected = Vec::new();
        for (labels, series) in &self.read().series {
            if !series.has_samples(start, end) || !matches_all(&selection.matchers, labels) {
                continue;
            }
            let mut columns = SampleColumns::default();
            for (timestamp, value) in series.samples.range(start..=end) {
                columns.push(*timestamp, *value);
            }
            let histograms = series.histograms.range(start..=end);
            let before = series.starts.range(..start).next_back();
            let starts = before.into_iter().chain(series.starts.range(start..=end));
            selected.push(SelectedOne {
                labels: labels.clone(),
                columns,
                histograms: histograms.map(|(at, it)| (*at, it.clone())).collect(),
                starts: starts.map(|(at, start)| (*at, *start)).collect(),
            });
        }
        Ok(Box::new(Selected(selected)))
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

    fn exemplars(&self, scope: &Scope) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
        let (start, end) = (scope.start.as_millis(), scope.end.as_millis());
        let mut found = Vec::new();
        for (labels, series) in &self.read().series {
            if start > end || !is_in(scope, labels) {
                continue;
            }
            let all = series.exemplars.range(start..=end);
            let exemplars: Vec<_> = all.flat_map(|(_, same_time)| same_time).cloned().collect();
            if !exemplars.is_empty() {
                found.push((labels.clone(), exemplars));
            }
        }
        Ok(limited(found, scope.limit))
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        Ok(self.read().metadata.clone())
    }
}

/// A copy of what was there at the time of the selection.
struct Selected(Vec<SelectedOne>);

struct SelectedOne {
    labels: Labels,
    columns: SampleColumns,
    histograms: Vec<(i64, Histogram)>,
    starts: Vec<(i64, i64)>,
}

impl SelectedSeries for Selected {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.0[index].labels
    }

    fn read(&self, index: usize, columns: &mut SampleColumns) -> Result<(), SourceError> {
        let samples = &self.0[index].columns;
        columns.timestamps.extend_from_slice(&samples.timestamps);
        columns.values.extend_from_slice(&samples.values);
        Ok(())
    }

    fn read_histograms(
        &self,
        index: usize,
        histograms: &mut Vec<(i64, Histogram)>,
    ) -> Result<(), SourceError> {
        histograms.extend_from_slice(&self.0[index].histograms);
        Ok(())
    }

    fn read_starts(&self, index: usize, starts: &mut Vec<(i64, i64)>) -> Result<(), SourceError> {
        starts.extend_from_slice(&self.0[index].starts);
        Ok(())
    }
}

/// Whether a series is in scope, whatever its times.
fn is_in(scope: &Scope, labels: &Labels) -> bool {
    let mut selectors = scope.selectors.iter();
    scope.selectors.is_empty() || selectors.any(|matchers| matches_all(matchers, labels))
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
    fn it_keeps_rows_of_every_kind() {
        let window = Duration::from_secs(3600);
        crate::contract::check_attachments(|_| MemoryStore::new(window));
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
    fn it_keeps_the_contract_of_those_who_run_a_store() {
        crate::contract::check_admin(|_| MemoryStore::new(Duration::from_secs(3600)));
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
