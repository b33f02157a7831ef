//! A store in memory, as simple as can be: a sorted map, no window, no retention.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex};

use model::{
    AppendError, Appended, Labels, Matcher, Metadata, RejectReason, Rejected, SampleBatch,
    SampleColumns, SampleSink, Scope, SelectedSeries, Selection, SeriesSource, SourceError,
    Timestamp,
};

#[derive(Default)]
pub(super) struct Store {
    series: Mutex<BTreeMap<Labels, BTreeMap<i64, f64>>>,
    metadata: Mutex<BTreeMap<String, Metadata>>,
    /// When set, nothing can be written or read.
    pub(super) broken: Mutex<Option<String>>,
    hold: Mutex<Hold>,
    released: Condvar,
}

/// Whether queries stand still, and how many do.
#[derive(Default)]
struct Hold {
    on: bool,
    standing: usize,
}

impl Store {
    /// Lets queries stand still until [`Store::release`].
    pub(super) fn hold(&self) {
        self.hold.lock().unwrap().on = true;
    }

    pub(super) fn release(&self) {
        self.hold.lock().unwrap().on = false;
        self.released.notify_all();
    }

    /// Whether a query stands still.
    pub(super) fn holds(&self) -> bool {
        self.hold.lock().unwrap().standing > 0
    }

    fn stand(&self) {
        let mut hold = self.hold.lock().unwrap();
        hold.standing += 1;
        let mut hold = self.released.wait_while(hold, |hold| hold.on).unwrap();
        hold.standing -= 1;
    }

    fn in_scope(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        if let Some(reason) = self.broken.lock().unwrap().clone() {
            return Err(SourceError::Storage(reason));
        }
        let fits = |labels: &Labels, matchers: &Vec<Matcher>| {
            matchers
                .iter()
                .all(|matcher| matcher.matches_labels(labels))
        };
        let range = scope.start.as_millis()..=scope.end.as_millis();
        let series = self.series.lock().unwrap();
        let found = series
            .iter()
            .filter(|(_, samples)| samples.range(range.clone()).next().is_some())
            .map(|(labels, _)| labels)
            .filter(|labels| {
                scope.selectors.is_empty() || scope.selectors.iter().any(|one| fits(labels, one))
            });
        Ok(found.cloned().collect())
    }
}

impl SampleSink for Store {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        if let Some(reason) = self.broken.lock().unwrap().clone() {
            return Err(AppendError::Storage(reason));
        }
        let mut appended = Appended::default();
        let mut all = self.series.lock().unwrap();
        for (row, sample) in batch.rows.iter().enumerate() {
            let mut reject = |reason| appended.rejected.push(Rejected { row, reason });
            let labels = match (batch.encoding.decode)(sample.key) {
                Ok(labels) => labels,
                Err(error) => {
                    reject(RejectReason::InvalidLabels(error));
                    continue;
                }
            };
            let series = all.entry(labels).or_default();
            let timestamp = sample.timestamp;
            let newest = series
                .last_key_value()
                .map_or(i64::MIN, |(newest, _)| *newest);
            match series.get(&timestamp.as_millis()) {
                Some(known) if known.to_bits() != sample.value.to_bits() => {
                    reject(RejectReason::Duplicate { timestamp });
                }
                None if timestamp.as_millis() < newest => reject(RejectReason::OutOfOrder {
                    timestamp,
                    newest: Timestamp::from_millis(newest),
                }),
                _ => {
                    series.insert(timestamp.as_millis(), sample.value);
                    appended.accepted += 1;
                }
            }
        }
        Ok(appended)
    }

    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError> {
        self.metadata
            .lock()
            .unwrap()
            .extend(descriptions.iter().cloned());
        Ok(())
    }
}

impl SeriesSource for Store {
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        self.stand();
        let scope = Scope {
            selectors: vec![selection.matchers.clone()],
            start: selection.start,
            end: selection.end,
            limit: 0,
        };
        let range = selection.start.as_millis()..=selection.end.as_millis();
        let mut selected = Vec::new();
        for labels in self.in_scope(&scope)? {
            let mut columns = SampleColumns::default();
            for (timestamp, value) in self.series.lock().unwrap()[&labels].range(range.clone()) {
                columns.push(*timestamp, *value);
            }
            selected.push((labels, columns));
        }
        Ok(Box::new(Selected(selected)))
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        Ok(first(scope, self.in_scope(scope)?))
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        let mut names = BTreeSet::new();
        for labels in self.in_scope(scope)? {
            names.extend(labels.iter().map(|(name, _)| name.to_owned()));
        }
        Ok(first(scope, names))
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        let mut values = BTreeSet::new();
        for labels in self.in_scope(scope)? {
            values.extend(labels.get(name).map(str::to_owned));
        }
        Ok(first(scope, values))
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        Ok(self.metadata.lock().unwrap().clone())
    }
}

fn first<T>(scope: &Scope, all: impl IntoIterator<Item = T>) -> Vec<T> {
    let limit = if scope.limit == 0 {
        usize::MAX
    } else {
        scope.limit
    };
    all.into_iter().take(limit).collect()
}

struct Selected(Vec<(Labels, SampleColumns)>);

impl SelectedSeries for Selected {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.0[index].0
    }

    fn read(&self, index: usize, columns: &mut SampleColumns) -> Result<(), SourceError> {
        *columns = self.0[index].1.clone();
        Ok(())
    }
}
