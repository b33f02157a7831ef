//! The store as whoever runs it sees it: what it holds, and what of it can be changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{
    BlockStatistics, HeadStatistics, Matcher, NamedCount, StorageAdmin, StorageError,
    StorageStatistics, Timestamp,
};

use crate::Store;
use crate::error::Error;
use crate::files::disk_error;
use crate::registry;
use crate::shared::Shared;
use crate::tombstones::{self, TOMBSTONES_MAX, Tombstone};
use crate::view::range;

impl StorageAdmin for Store {
    fn delete(
        &self,
        selectors: &[Vec<Matcher>],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<(), StorageError> {
        let (start, end) = (start.as_millis(), end.as_millis());
        Ok(self.shared.delete(selectors, start, end)?)
    }

    fn clean_tombstones(&self) -> Result<(), StorageError> {
        Ok(self.shared.clean()?)
    }

    fn snapshot(&self, skip_head: bool) -> Result<String, StorageError> {
        Ok(self.shared.snapshot(skip_head)?)
    }

    fn statistics(&self, limit: usize) -> StorageStatistics {
        let view = self.shared.view();
        let moments = |(first, last)| (Timestamp::from_millis(first), Timestamp::from_millis(last));
        let memory = view
            .memtables
            .iter()
            .filter_map(|memtable| memtable.range());
        let memory = memory.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let blocks = view.blocks.iter().map(|block| range(block));
        let blocks = blocks.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let index = self.shared.series.statistics(limit);
        StorageStatistics {
            head: HeadStatistics {
                series: index.series,
                label_pairs: index.label_pairs,
                chunks: view
                    .memtables
                    .iter()
                    .map(|memtable| memtable.chunks())
                    .sum(),
                samples: view
                    .memtables
                    .iter()
                    .map(|memtable| memtable.samples())
                    .sum(),
                range: memory.map(moments),
            },
            blocks: BlockStatistics {
                count: view.blocks.len() as u64,
                bytes: view.bytes(),
                range: blocks.map(moments),
            },
            series_by_metric: named(index.series_by_metric_name),
            values_by_label: named(index.values_by_label_name),
            bytes_by_label: named(index.memory_by_label_name),
            series_by_pair: named(index.series_by_label_pair),
        }
    }
}

fn named(counts: Vec<registry::Count>) -> Vec<NamedCount> {
    let named = |count: registry::Count| NamedCount {
        name: count.name,
        count: count.count,
    };
    counts.into_iter().map(named).collect()
}

impl Shared {
    /// Deletes the samples from `start` to `end`, both inclusive, of the series that match.
    fn delete(&self, selectors: &[Vec<Matcher>], start: i64, end: i64) -> Result<(), Error> {
        if selectors.iter().any(Vec::is_empty) {
            let reason =
                "a selector without conditions would delete everything: name what to delete";
            return Err(Error::Refused(reason.to_owned()));
        }
        if selectors.is_empty() || start > end {
            return Ok(());
        }
        self.condition.check()?;
        // Tombstones concern blocks only.
        self.flush_all()?;
        // A merge that is under way got its number before: the deletion concerns its block too.
        let _changing = self.changing();
        self.require_open()?;
        // A log that is still there would bring back what is deleted, as a block that is younger than the deletion.
        self.remove_doomed();
        if self.condition.has_doomed_logs() {
            let reason = "logs that are no longer needed cannot be removed, and would bring back what is deleted";
            return Err(Error::Log(reason.to_owned()));
        }
        let mut tombstones = self.view().tombstones.clone();
        if tombstones.len() >= TOMBSTONES_MAX {
            return Err(Error::Refused(format!(
                "{TOMBSTONES_MAX} deletions are waiting to be carried out: call clean_tombstones first"
            )));
        }
        tombstones.push(Arc::new(Tombstone {
            selectors: selectors.to_vec(),
            start,
            end,
            before_block: self.next_block.load(Ordering::Relaxed),
        }));
        let directory = &self.block_directory;
        if let Err(error) = tombstones::store(&*self.disk, directory, &tombstones) {
            // Whether the file has the deletion is not known. Until it was written anew nothing is acknowledged that
            // the deletion may take away.
            let error = disk_error("write tombstones to", directory)(error);
            self.disk_failed(error.to_string());
            return Err(error);
        }
        // What takes long is done before the writer must wait; numbers keep their meaning meanwhile.
        let _pin = self.series.pin();
        let before = self.series.all();
        let selected = self.series.select_any(selectors);
        let mut writer = self.writer()?;
        self.replace_view(|view| view.tombstones = tombstones);
        // Of those that were created meanwhile no one knows whether they are selected. Doubt costs little.
        let all = self.series.all();
        let created = &all - before;
        writer.doubt(&((&selected & all) | created));
        let memtables = &self.view().memtables;
        let in_memory = |id| memtables.iter().any(|memtable| memtable.has(id));
        writer.forget(selected.iter().filter(|id| !in_memory(*id)), start, end);
        Ok(())
    }
}
