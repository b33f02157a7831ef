//! The naive store for whoever runs it: deleting takes samples out at once, and there are no files to copy.

use model::{Matcher, StorageAdmin, StorageError, StorageStatistics, Timestamp};

use super::{MemoryStore, matches_all};

impl StorageAdmin for MemoryStore {
    fn delete(
        &self,
        selectors: &[Vec<Matcher>],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<(), StorageError> {
        let (start, end) = (start.as_millis(), end.as_millis());
        let all = &mut self.write().series;
        for (labels, series) in all.iter_mut() {
            let mut selectors = selectors.iter();
            if selectors.any(|matchers| matches_all(matchers, labels)) {
                let stays = |timestamp: &i64| *timestamp < start || *timestamp > end;
                series.samples.retain(|timestamp, _| stays(timestamp));
                series.histograms.retain(|timestamp, _| stays(timestamp));
                series.exemplars.retain(|timestamp, _| stays(timestamp));
                series.starts.retain(|timestamp, _| stays(timestamp));
            }
        }
        all.retain(|_, series| !series.is_empty());
        Ok(())
    }

    /// Nothing is left of what was deleted.
    fn clean_tombstones(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn snapshot(&self, _skip_head: bool) -> Result<String, StorageError> {
        let reason = "a store in memory has no files to copy";
        Err(StorageError::Refused(reason.to_owned()))
    }

    fn statistics(&self, limit: usize) -> StorageStatistics {
        let series = &self.read().series;
        let mut statistics = StorageStatistics::of_series(series.keys(), limit);
        let head = &mut statistics.head;
        head.chunks = head.series;
        for series in series.values() {
            head.samples += (series.samples.len() + series.histograms.len()) as u64;
            for timestamp in series.samples.keys().chain(series.histograms.keys()) {
                let moment = Timestamp::from_millis(*timestamp);
                let (first, last) = head.range.unwrap_or((moment, moment));
                head.range = Some((first.min(moment), last.max(moment)));
            }
        }
        statistics
    }
}
