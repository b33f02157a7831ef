//! The store as rules ask it: the same samples, within their own part of the memory for questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    Budget, Exemplar, Labels, Metadata, Scope, SelectedSeries, Selection, SeriesSource, SourceError,
};

use crate::Store;

/// What [`Store::for_rules`] gives.
struct ForRules {
    store: Arc<Store>,
    budget: Budget,
}

impl Store {
    /// The store for rules, of whose memory others can take only a part (see [`Budget::for_rules`]).
    pub fn for_rules(self: &Arc<Self>) -> Arc<dyn SeriesSource> {
        Arc::new(ForRules {
            store: Arc::clone(self),
            budget: self.shared.budget.for_rules(),
        })
    }
}

impl SeriesSource for ForRules {
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        let selectors = std::slice::from_ref(&selection.matchers);
        let (start, end) = (selection.start.as_millis(), selection.end.as_millis());
        let memory = self.budget.reservation();
        let selected = self.store.shared.select(selectors, start, end, memory)?;
        Ok(Box::new(selected))
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        self.store.series(scope)
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.store.label_names(scope)
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.store.label_values(name, scope)
    }

    fn exemplars(&self, scope: &Scope) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
        self.store.exemplars(scope)
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        self.store.metadata()
    }

    fn budget(&self) -> Budget {
        self.budget.clone()
    }
}
