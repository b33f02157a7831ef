//! The testkit's store in memory, which can also be broken and can let queries stand still.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use model::{
    AppendError, Appended, Budget, Exemplar, Labels, Matcher, Metadata, SampleBatch, SampleSink,
    Scope, SelectedSeries, Selection, SeriesSource, SourceError, StorageAdmin, StorageError,
    StorageStatistics, Timestamp,
};
use testkit::MemoryStore;

pub(super) struct Store {
    inner: MemoryStore,
    /// When set, nothing can be written or read.
    pub(super) broken: Mutex<Option<String>>,
    /// The memory for questions.
    pub(super) budget: Mutex<Budget>,
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
    /// An empty store that takes nothing older than the newest sample of its series.
    pub(super) fn new() -> Self {
        Self {
            inner: MemoryStore::new(Duration::ZERO),
            broken: Mutex::default(),
            budget: Mutex::default(),
            hold: Mutex::default(),
            released: Condvar::new(),
        }
    }

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

    fn readable(&self) -> Result<&MemoryStore, SourceError> {
        match self.broken.lock().unwrap().clone() {
            Some(reason) => Err(SourceError::Storage(reason)),
            None => Ok(&self.inner),
        }
    }

    fn writable(&self) -> Result<&MemoryStore, AppendError> {
        match self.broken.lock().unwrap().clone() {
            Some(reason) => Err(AppendError::Storage(reason)),
            None => Ok(&self.inner),
        }
    }
}

impl Store {
    fn changeable(&self) -> Result<&MemoryStore, StorageError> {
        match self.broken.lock().unwrap().clone() {
            Some(reason) => Err(StorageError::Storage(reason)),
            None => Ok(&self.inner),
        }
    }
}

impl SampleSink for Store {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        self.writable()?.append(batch)
    }

    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError> {
        self.writable()?.describe(descriptions)
    }
}

impl SeriesSource for Store {
    fn budget(&self) -> Budget {
        self.budget.lock().unwrap().clone()
    }

    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        self.stand();
        self.readable()?.select(selection)
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        self.readable()?.series(scope)
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.readable()?.label_names(scope)
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.readable()?.label_values(name, scope)
    }

    fn exemplars(&self, scope: &Scope) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
        self.readable()?.exemplars(scope)
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        self.readable()?.metadata()
    }
}

impl StorageAdmin for Store {
    fn delete(
        &self,
        selectors: &[Vec<Matcher>],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<(), StorageError> {
        self.stand();
        self.changeable()?.delete(selectors, start, end)
    }

    fn clean_tombstones(&self) -> Result<(), StorageError> {
        self.changeable()?.clean_tombstones()
    }

    fn snapshot(&self, skip_head: bool) -> Result<String, StorageError> {
        self.changeable()?;
        Ok(format!("20261121T101500Z-{skip_head}"))
    }

    fn statistics(&self, limit: usize) -> StorageStatistics {
        self.inner.statistics(limit)
    }
}
