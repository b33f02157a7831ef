//! Drops what is older than the retention, and, for want of memory, the oldest chunks before that.
//!
//! Both raise one mark, the floor, and drop what lies wholly below it: chunks, series without samples, segments of
//! the log. So what is gone from memory does not come back with the log.

use std::sync::atomic::Ordering;

use model::Timestamp;

use crate::append::Writer;
use crate::series::Memory;
use crate::shared::Shared;

impl Shared {
    /// One round: drops what is older than the retention.
    pub(crate) fn maintain(&self, now: Timestamp) {
        let mut writer = self.writer();
        let floor = self.oldest(now);
        self.drop_before(&mut writer, floor);
        self.counters.observe(&writer);
    }

    /// Drops the oldest sealed chunks until an eighth of the memory is free.
    pub(crate) fn trim(&self, writer: &mut Writer) {
        let limit = crate::append::memory_limit(self.config.memory_max);
        let memory_before = writer.memory();
        let mut excess = memory_before.saturating_sub(limit / 8 * 7);
        let mut chunks = Vec::new();
        for (_, slot) in writer.table.iter() {
            let samples = slot.series.samples();
            chunks.extend(
                samples
                    .sealed()
                    .iter()
                    .map(|chunk| (chunk.last, chunk.memory())),
            );
        }
        chunks.sort_unstable();
        let mut floor = self.floor.load(Ordering::Acquire);
        for (last, memory) in chunks {
            if excess == 0 {
                break;
            }
            floor = floor.max(last.saturating_add(1));
            excess = excess.saturating_sub(memory);
        }
        self.drop_before(writer, floor);
        // Should the series alone take too much, then the next attempt waits until it can free something.
        writer.trim_at = limit.max(writer.memory().saturating_add(limit / 8));
        let dropped = memory_before.saturating_sub(writer.memory());
        self.counters.count_trim(dropped);
        let mut short = self
            .short_of_memory
            .lock()
            .expect("invariant: setting it does not panic");
        if short.is_none() {
            *short = Some(self.clock.now());
            tracing::warn!(
                memory_max = self.config.memory_max,
                oldest_kept = floor,
                "samples are dropped before their retention for want of memory"
            );
        }
    }

    /// Raises the floor, and drops what lies wholly below it.
    pub(crate) fn drop_before(&self, writer: &mut Writer, floor: i64) {
        self.floor.fetch_max(floor, Ordering::AcqRel);
        let mut memory = Memory::default();
        let mut oldest = i64::MAX;
        let mut empty = Vec::new();
        for (id, slot) in writer.table.iter() {
            let mut samples = slot.series.samples();
            samples.drop_before(floor);
            match samples.range() {
                Some((first, _)) => oldest = oldest.min(first),
                None => empty.push(id),
            }
            memory.sealed += samples.memory().sealed;
            memory.tails += samples.memory().tails;
        }
        writer.samples_memory = memory;
        writer.range = writer.range.map(|(_, newest)| (oldest.max(floor), newest));
        if !empty.is_empty() {
            let mut index = self.index_mut();
            for id in &empty {
                index.remove(*id);
            }
            drop(index);
            writer.table.remove(&empty);
        }
        if writer.table.len() == 0 {
            writer.range = None;
        }
        // A file that cannot be removed is tried again in the next round; its samples stay invisible.
        if let Err(error) = writer.log.remove_before(floor) {
            tracing::warn!(error = %error, "an old segment of the log cannot be removed");
        }
    }
}
