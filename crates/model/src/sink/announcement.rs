//! Batches that are on their way to a sink: one that makes several durable at once may wait a moment for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many batches are announced and have not arrived.
#[derive(Clone, Debug, Default)]
pub struct Announcements(Arc<AtomicUsize>);

impl Announcements {
    /// Counts a batch from now on until it arrives, or is given up.
    pub fn announce(&self) -> Announcement {
        self.0.fetch_add(1, Ordering::AcqRel);
        Announcement {
            counted: Some(self.clone()),
            has_arrived: AtomicBool::new(false),
        }
    }

    /// How many are on their way.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// Says that a batch is on its way, until it arrives or this is dropped. The default one says nothing, nor does a copy.
#[derive(Debug, Default)]
pub struct Announcement {
    counted: Option<Announcements>,
    has_arrived: AtomicBool,
}

impl Announcement {
    /// The batch is there; the sink says so.
    pub fn arrive(&self) {
        if let Some(counted) = &self.counted
            && !self.has_arrived.swap(true, Ordering::AcqRel)
        {
            counted.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Clone for Announcement {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.arrive();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_once_until_it_arrives_or_is_given_up() {
        let announcements = Announcements::default();
        let (first, second) = (announcements.announce(), announcements.announce());
        assert_eq!(announcements.count(), 2);
        first.arrive();
        first.arrive();
        assert_eq!(announcements.count(), 1);
        drop(first);
        assert_eq!(announcements.count(), 1);
        drop(second.clone());
        assert_eq!(announcements.count(), 1);
        drop(second);
        assert_eq!(announcements.count(), 0);
        Announcement::default().arrive();
    }
}
