//! Drops what is older than the retention, and, for want of memory, the oldest chunks before that.
//!
//! Both raise one mark, the floor, and drop what lies wholly below it: chunks, series without samples, segments of
//! the log. So what is gone from memory does not come back with the log. For want of memory the floor only rises as far
//! as the out-of-order window; if that is not enough, new samples are refused.

use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Timestamp;

use crate::append::{Writer, memory_limit};
use crate::series::Memory;
use crate::shared::Shared;

/// How long no attempt is made to free memory after one that freed too little.
const TRIM_PAUSE: Duration = Duration::from_secs(10);

/// How long after the last refusal for want of memory health still says so; senders repeat within a minute.
const REFUSAL_REMEMBERED: Duration = Duration::from_secs(120);

impl Shared {
    /// One round: drops what is older than the retention.
    pub(crate) fn maintain(&self, now: Timestamp) {
        let Ok(mut writer) = self.writer() else {
            return;
        };
        let trimmed_to = self.floor.load(Ordering::Acquire);
        let floor = self.oldest(now);
        if floor > trimmed_to {
            // The retention has reached what was dropped early, so nothing is missing any more.
            self.shortage().dropped_since = None;
        }
        {
            let mut shortage = self.shortage();
            if now >= shortage.refused_last + REFUSAL_REMEMBERED {
                shortage.refused_since = None;
            }
        }
        self.drop_before(&mut writer, floor);
        self.counters.observe(&writer);
    }

    /// Sees to it that `needed` more bytes fit into the memory, as far as old chunks can make room for them.
    pub(crate) fn make_room(&self, writer: &mut Writer, needed: usize) {
        let limit = memory_limit(self.config.memory_max);
        if writer.memory().saturating_add(needed) <= limit {
            return;
        }
        let now = self.clock.now();
        if now >= writer.trim_again {
            self.trim(writer, needed, now);
            if writer.memory().saturating_add(needed) > limit {
                // Looking at all series with each batch would cost more than it could free.
                writer.trim_again = now + TRIM_PAUSE;
            }
        }
    }

    /// Drops the oldest sealed chunks until an eighth of the memory is free beside `needed` bytes.
    ///
    /// What is younger than the out-of-order window stays in any case: series that are written to keep their newest
    /// samples, and a timestamp ahead of the clock cannot take the floor with it.
    fn trim(&self, writer: &mut Writer, needed: usize, now: Timestamp) {
        let limit = memory_limit(self.config.memory_max);
        let ceiling = (now - self.config.out_of_order_window).as_millis();
        let memory_before = writer.memory();
        let mut excess = memory_before
            .saturating_add(needed)
            .saturating_sub(limit / 8 * 7);
        let mut chunks = Vec::new();
        for (_, slot) in writer.table.iter() {
            let mut samples = slot.series.samples();
            // The tail of a series that nobody writes to would keep its place for ever.
            samples.seal_before(ceiling);
            let sealed = samples.sealed().iter();
            let droppable = sealed.take_while(|chunk| chunk.last < ceiling);
            chunks.extend(droppable.map(|chunk| (chunk.last, chunk.memory())));
        }
        chunks.sort_unstable();
        let before = self.floor.load(Ordering::Acquire);
        let mut floor = before;
        for (last, memory) in chunks {
            if excess == 0 {
                break;
            }
            floor = floor.max(last.saturating_add(1));
            excess = excess.saturating_sub(memory);
        }
        self.drop_before(writer, floor);
        if floor == before {
            return;
        }
        let dropped = memory_before.saturating_sub(writer.memory());
        self.counters.count_trim(dropped);
        let mut shortage = self.shortage();
        if shortage.dropped_since.is_none() {
            shortage.dropped_since = Some(now);
            tracing::warn!(
                memory_max = self.config.memory_max,
                oldest_kept = floor,
                "samples are dropped before their retention for want of memory"
            );
        }
    }

    /// Notes that rows were refused for want of memory.
    pub(crate) fn note_refusal(&self) {
        let now = self.clock.now();
        let mut shortage = self.shortage();
        shortage.refused_last = now;
        if shortage.refused_since.is_none() {
            shortage.refused_since = Some(now);
            tracing::warn!(
                memory_max = self.config.memory_max,
                "samples are refused for want of memory"
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
            let Some((first, _)) = samples.range() else {
                empty.push(id);
                continue;
            };
            oldest = oldest.min(first);
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
