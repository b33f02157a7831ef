//! The series that all threads share: the writer adds and retires, readers ask.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use model::{Labels, RejectReason, Timestamp};
use roaring::RoaringBitmap;

use super::content::{Content, Recent};
use super::limits::{Limits, Window, validate};
use super::pins::{Pin, Pins};

/// So many series are removed, or looked at, in one go under the lock: some microseconds.
pub(super) const SLICE: usize = 64;

/// All series by number and by labels. Numbers are small, and used again once a series is evicted; whoever keeps
/// numbers over several calls holds a [`Pin`] from before the first to after the last.
#[derive(Default)]
pub(crate) struct SeriesIndex {
    content: RwLock<Content>,
    admission: Mutex<Admission>,
    pins: Arc<Pins>,
    /// Retired series that may still be known, with the time of their retirement, the oldest first.
    waiting: Mutex<VecDeque<(u64, Vec<u32>)>>,
}

#[derive(Default)]
struct Admission {
    limits: Limits,
    window: Window,
    recent: Recent,
}

/// A series that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) id: u32,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
}

impl SeriesIndex {
    /// Without series.
    pub(crate) fn new(limits: Limits) -> Self {
        let index = Self::default();
        index.set_limits(limits);
        index
    }

    /// Replaces the limits, for series that come from now on.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.admission().limits = limits;
    }

    /// The series with these labels, which is created if it is not there; with `refusal` none is, for this reason.
    ///
    /// Errors: labels that no series may have, a limit, `refusal` for a series that is not there.
    pub(crate) fn create(
        &self,
        labels: &Labels,
        now: Timestamp,
        refusal: Option<RejectReason>,
    ) -> Result<Created, RejectReason> {
        self.find_or_create(labels, Some(now), refusal)
    }

    /// As [`SeriesIndex::create`] without limits: for series that were accepted before the store was opened.
    ///
    /// Errors: labels that no series may have.
    pub(crate) fn restore(&self, labels: &Labels) -> Result<Created, RejectReason> {
        self.find_or_create(labels, None, None)
    }

    fn find_or_create(
        &self,
        labels: &Labels,
        now: Option<Timestamp>,
        refusal: Option<RejectReason>,
    ) -> Result<Created, RejectReason> {
        let mut admission = self.admission();
        let Admission {
            limits,
            window,
            recent,
        } = &mut *admission;
        let mut content = self.write();
        if let Some(id) = content.find(labels, recent) {
            return Ok(Created { id, is_new: false });
        }
        validate(labels)?;
        if let Some(reason) = refusal {
            return Err(reason);
        }
        if let Some(now) = now {
            limits.check(labels, content.len(), &content.pairs, window, now)?;
            window.count(now);
        }
        match content.create(labels, recent) {
            Some(id) => Ok(Created { id, is_new: true }),
            None => Err(RejectReason::SeriesLimit {
                limit: content.len(),
            }),
        }
    }

    /// The series with these labels.
    pub(crate) fn find(&self, labels: &Labels) -> Option<u32> {
        self.read().find(labels, &mut Recent::default())
    }

    /// The labels of a series; empty if there is none with this number.
    pub(crate) fn labels(&self, id: u32) -> Labels {
        let mut packed = String::new();
        self.pack(id, &mut packed);
        Labels::from_packed(packed.as_bytes()).expect("invariant: pairs are sorted and not empty")
    }

    /// Appends the labels of a series as [`Labels::as_packed`] has them.
    pub(crate) fn pack(&self, id: u32, packed: &mut String) {
        self.visit(id, |name, value| Labels::pack_next(packed, name, value));
    }

    /// Shows name and value of each label of a series, in the order of the names. `each` must be quick: the writer may
    /// be waiting.
    pub(crate) fn visit(&self, id: u32, mut each: impl FnMut(&str, &str)) {
        let content = self.read();
        for pair in content.set(id) {
            let (name, value) = content.pairs.get(*pair);
            each(name, value);
        }
    }

    /// Shows the packed labels of many series, in the order in which they are given.
    pub(crate) fn pack_each(&self, ids: &[u32], mut each: impl FnMut(u32, &str)) {
        let mut packed = String::new();
        let mut ends = Vec::with_capacity(SLICE);
        for slice in ids.chunks(SLICE) {
            packed.clear();
            ends.clear();
            let content = self.read();
            for id in slice {
                for pair in content.set(*id) {
                    let (name, value) = content.pairs.get(*pair);
                    Labels::pack_next(&mut packed, name, value);
                }
                ends.push(packed.len());
            }
            drop(content);
            let mut start = 0;
            for (id, end) in slice.iter().zip(&ends) {
                each(*id, &packed[start..*end]);
                start = *end;
            }
        }
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.read().len()
    }

    /// All series.
    pub(crate) fn all(&self) -> RoaringBitmap {
        let content = self.read();
        &content.all - &content.retired
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.read().memory()
    }

    /// Keeps the meaning of numbers that are found from now on.
    pub(crate) fn pin(&self) -> Pin {
        self.pins.pin()
    }

    /// Makes series vanish for all who ask from now on. The writer must forget their keys before it resolves any:
    /// therefore only [`super::Identity::evict`] calls this.
    pub(super) fn retire(&self, ids: &[u32]) {
        let mut retired = Vec::with_capacity(ids.len());
        let mut content = self.write();
        for id in ids {
            if content.all.contains(*id) && content.retired.insert(*id) {
                retired.push(*id);
            }
        }
        drop(content);
        let mut waiting = self.waiting();
        waiting.push_back((self.pins.advance(), retired));
    }

    /// Removes evicted series that nobody can know any more, and gives their number back; tells how many. It may take
    /// a microsecond for each, but holds up neither writer nor readers for long: meant for the background.
    pub(crate) fn reclaim(&self) -> usize {
        let mut removed = 0;
        loop {
            let mut waiting = self.waiting();
            let oldest = self.pins.oldest();
            if waiting.front().is_none_or(|(time, _)| *time >= oldest) {
                return removed;
            }
            let Some((_, ids)) = waiting.pop_front() else {
                return removed;
            };
            drop(waiting);
            for slice in ids.chunks(SLICE) {
                let mut content = self.write();
                for id in slice {
                    content.remove(*id);
                }
            }
            removed += ids.len();
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(u64, Vec<u32>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
