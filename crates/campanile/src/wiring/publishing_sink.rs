//! The sink that everyone appends to: what the store has accepted, the live feed tells.

use std::sync::Arc;

use model::{Announcement, AppendError, Appended, Metadata, SampleBatch, SampleSink};
use server::Feed;

/// Appends, then publishes.
pub(super) struct PublishingSink {
    store: Arc<dyn SampleSink>,
    feed: Feed,
}

impl PublishingSink {
    pub(super) fn new(store: Arc<dyn SampleSink>, feed: Feed) -> Self {
        Self { store, feed }
    }
}

impl SampleSink for PublishingSink {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        let appended = self.store.append(batch)?;
        self.feed.samples(batch, &appended);
        Ok(appended)
    }

    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError> {
        self.store.describe(descriptions)
    }

    fn announce(&self) -> Announcement {
        self.store.announce()
    }
}
