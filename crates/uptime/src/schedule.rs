//! When each monitor is checked: in slots at whole multiples of its interval, moved by a phase that follows from its name.
//!
//! 1. A slot depends on nothing but interval and name, so nothing drifts, and a restart or another machine finds the same.
//! 2. A monitor waits for one thing, its next slot or a retry before it, or it is being checked and waits for nothing;
//!    so no two checks of one run at once. Slots that pass meanwhile are skipped and counted.
//! 3. What comes late by more than [`LATE_MAX`] was slept through. It waits for its next slot, or, if that is far, for
//!    its place in the next [`CATCH_UP`]: all names spread over it, so waking up starts no storm.
//! 4. A clock that is set back makes waits too long; they are then measured anew.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;

/// A busy machine is late by less than this, a suspended one by more.
const LATE_MAX: Duration = Duration::from_secs(5);
/// The time over which checks are spread that were slept through or are new, in milliseconds.
const CATCH_UP: i64 = 60_000;

/// A check that is to be run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Of which monitor.
    pub monitor: Arc<str>,
    /// The slot for which it stands, also if it is run later.
    pub slot: Timestamp,
    /// 0 for a slot's first check, then counting its retries.
    pub attempt: u32,
    /// When it was to be run; what is later than this is our lateness.
    pub due: Timestamp,
}

/// The next check of every monitor; all operations are logarithmic in their number.
#[derive(Debug)]
pub struct Schedule {
    entries: BTreeMap<Arc<str>, Entry>,
    /// Who waits, by the time of the next check.
    queue: BTreeSet<(Timestamp, Arc<str>)>,
    /// The last time that was told, to notice a clock that is set back.
    now: Timestamp,
    skipped: u64,
}

#[derive(Debug)]
struct Entry {
    grid: Grid,
    /// For how long at most a retry is waited for.
    retry_wait: i64,
    /// The last slot that was begun.
    slot: Option<Timestamp>,
    /// The first slot that was neither begun nor counted as skipped.
    upcoming: Timestamp,
    next: Next,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Waits {
        due: Timestamp,
        slot: Timestamp,
        attempt: u32,
    },
    Runs {
        slot: Timestamp,
        attempt: u32,
    },
}

/// The slots of a monitor; all in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    interval: i64,
    phase: i64,
    catch_up: i64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            queue: BTreeSet::new(),
            now: Timestamp::MIN,
            skipped: 0,
        }
    }
}

impl Schedule {
    /// Adds a monitor, or gives it another interval. `slot` is the last one that was begun earlier, `retry_in` says that a
    /// retry of it was waited for.
    pub fn insert(
        &mut self,
        monitor: &Arc<str>,
        interval: Duration,
        slot: Option<Timestamp>,
        retry_in: Option<Duration>,
        now: Timestamp,
    ) {
        self.notice(now);
        let grid = Grid::new(monitor, interval);
        if let Some(entry) = self.entries.get(monitor)
            && entry.grid == grid
        {
            return;
        }
        let (slot, running) = match self.remove(monitor) {
            Some(Entry {
                next: next @ Next::Runs { .. },
                slot,
                ..
            }) => (slot, Some(next)),
            Some(entry) => (entry.slot, None),
            None => (slot, None),
        };
        let next = running.unwrap_or_else(|| grid.first(slot, now));
        let upcoming = match next {
            Next::Waits { slot, .. } => slot,
            // What a check outlasts are slots of the new interval, and only those from now on.
            Next::Runs { .. } => grid.next(None, now),
        };
        let entry = Entry {
            grid,
            retry_wait: 0,
            slot,
            upcoming,
            next,
        };
        self.entries.insert(Arc::clone(monitor), entry);
        if let (Some(wait), Some(slot)) = (retry_in, slot) {
            self.retry(monitor, slot, 1, wait, now);
        }
        self.enqueue(monitor);
    }

    /// Forgets a monitor; what is still run of it will be ignored.
    pub fn forget(&mut self, monitor: &str) {
        self.remove(monitor);
    }

    /// When the next check is due; none if nothing waits. A wall clock may jump, so nobody should wait for it blindly.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// The checks that are to be run now; each must be reported with [`Schedule::finish`].
    pub fn due(&mut self, now: Timestamp) -> Vec<Run> {
        self.notice(now);
        let mut runs = Vec::new();
        while let Some((due, monitor)) = self.queue.first().cloned()
            && due <= now
        {
            self.queue.pop_first();
            let Some(entry) = self.entries.get_mut(&monitor) else {
                continue;
            };
            let Next::Waits { slot, attempt, .. } = entry.next else {
                continue;
            };
            let late = now.since(due) > LATE_MAX;
            // A slot of which several have passed stands for the last of them; a retry stands for its own.
            let (latest, due) = match attempt {
                0 => {
                    let latest = entry.grid.latest(now).max(slot);
                    (latest, due.max(latest))
                }
                _ => (slot, due),
            };
            if attempt == 0 && late {
                self.skipped += entry.put_off(latest, now);
                self.enqueue(&monitor);
                continue;
            }
            if attempt == 0 {
                self.skipped += entry.skip_to(latest);
                entry.upcoming = later(latest, entry.grid.interval);
            }
            entry.slot = Some(latest);
            entry.next = Next::Runs {
                slot: latest,
                attempt,
            };
            runs.push(Run {
                monitor,
                slot: latest,
                attempt,
                due,
            });
        }
        runs
    }

    /// Whether exactly this check is being run.
    pub fn is_running(&self, monitor: &str, slot: Timestamp, attempt: u32) -> bool {
        let is_it = |entry: &Entry| matches!(entry.next, Next::Runs { slot: s, attempt: a } if s == slot && a == attempt);
        self.entries.get(monitor).is_some_and(is_it)
    }

    /// Ends a check that was run, and asks for a retry after a time, unless the next slot is before it.
    pub fn finish(&mut self, monitor: &Arc<str>, retry_in: Option<Duration>, now: Timestamp) {
        self.notice(now);
        let Some(entry) = self.entries.get_mut(monitor) else {
            return;
        };
        let Next::Runs { slot, attempt } = entry.next else {
            return;
        };
        let next = entry.grid.next(Some(slot), now);
        self.skipped += entry.skip_to(next);
        entry.next = Next::at_slot(next);
        if let Some(wait) = retry_in {
            self.retry(monitor, slot, attempt.saturating_add(1), wait, now);
        }
        self.enqueue(monitor);
    }

    /// How many slots have passed without a check.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The last slot of a monitor that was begun.
    pub fn last_slot(&self, monitor: &str) -> Option<Timestamp> {
        self.entries.get(monitor)?.slot
    }

    /// When the next check of one monitor is due; none if it is being checked.
    pub fn next_due_of(&self, monitor: &str) -> Option<Timestamp> {
        match self.entries.get(monitor)?.next {
            Next::Waits { due, .. } => Some(due),
            Next::Runs { .. } => None,
        }
    }

    fn retry(
        &mut self,
        monitor: &str,
        slot: Timestamp,
        attempt: u32,
        wait: Duration,
        now: Timestamp,
    ) {
        let Some(entry) = self.entries.get_mut(monitor) else {
            return;
        };
        if let Next::Waits { due, .. } = entry.next
            && now + wait < due
        {
            entry.retry_wait = millis(wait);
            entry.next = Next::Waits {
                due: now + wait,
                slot,
                attempt,
            };
        }
    }

    fn remove(&mut self, monitor: &str) -> Option<Entry> {
        let entry = self.entries.remove(monitor)?;
        if let Next::Waits { due, .. } = entry.next {
            self.queue.remove(&(due, Arc::from(monitor)));
        }
        Some(entry)
    }

    fn enqueue(&mut self, monitor: &Arc<str>) {
        if let Some(Entry {
            next: Next::Waits { due, .. },
            ..
        }) = self.entries.get(monitor)
        {
            self.queue.insert((*due, Arc::clone(monitor)));
        }
    }

    /// After the clock was set back, nobody waits longer than it would from now on.
    fn notice(&mut self, now: Timestamp) {
        if now < self.now {
            for entry in self.entries.values_mut() {
                entry.shorten(now);
            }
            self.queue.clear();
            let monitors: Vec<Arc<str>> = self.entries.keys().cloned().collect();
            for monitor in &monitors {
                self.enqueue(monitor);
            }
        }
        self.now = now;
    }
}

impl Entry {
    /// Moves a slot that was slept through, and gives how many are skipped by that.
    fn put_off(&mut self, latest: Timestamp, now: Timestamp) -> u64 {
        self.next = self.grid.after_sleep(latest, now);
        match self.next {
            Next::Waits { slot, .. } => self.skip_to(slot),
            Next::Runs { .. } => 0,
        }
    }

    /// Nothing before this slot will be begun any more; gives how many are skipped by that, each counted once.
    fn skip_to(&mut self, slot: Timestamp) -> u64 {
        let skipped = self.grid.slots_between(self.upcoming, slot);
        self.upcoming = slot;
        skipped
    }

    fn shorten(&mut self, now: Timestamp) {
        let Next::Waits { due, slot, attempt } = self.next else {
            return;
        };
        let wait = due.as_millis().saturating_sub(now.as_millis());
        if attempt > 0 && wait > self.retry_wait {
            self.next = Next::Waits {
                due: later(now, self.retry_wait),
                slot,
                attempt,
            };
            return;
        }
        let is_slot = due == slot;
        let usual = if is_slot {
            self.grid.interval
        } else {
            self.grid.catch_up
        };
        if attempt == 0 && wait > usual {
            self.next = self.grid.first(self.slot, now);
            if let Next::Waits { slot, .. } = self.next {
                self.upcoming = slot;
            }
        }
    }
}

impl Next {
    fn at_slot(slot: Timestamp) -> Self {
        Self::Waits {
            due: slot,
            slot,
            attempt: 0,
        }
    }
}

impl Grid {
    fn new(monitor: &str, interval: Duration) -> Self {
        let interval = millis(interval).max(1);
        let hash = spread(monitor);
        let place = |width: i64, hash: u64| (hash % width.unsigned_abs()).cast_signed();
        Self {
            interval,
            phase: place(interval, hash),
            // Other digits of the hash, so that those who share a phase do not share this place too.
            catch_up: place(CATCH_UP, hash.rotate_left(32)),
        }
    }

    /// Where a monitor begins that is new or was restored: as if it had slept since the last slot that it knows.
    fn first(&self, slot: Option<Timestamp>, now: Timestamp) -> Next {
        let latest = self.latest(now);
        if slot.is_some_and(|slot| slot >= latest) {
            return Next::at_slot(self.next(slot, now));
        }
        self.after_sleep(latest, now)
    }

    fn after_sleep(&self, latest: Timestamp, now: Timestamp) -> Next {
        let next = later(latest, self.interval);
        if next.since(now).as_millis() <= CATCH_UP as u128 {
            return Next::at_slot(next);
        }
        Next::Waits {
            due: later(now, self.catch_up),
            slot: latest,
            attempt: 0,
        }
    }

    /// The last slot that is not after `now`.
    fn latest(&self, now: Timestamp) -> Timestamp {
        let into = (now.as_millis().saturating_sub(self.phase)).rem_euclid(self.interval);
        Timestamp::from_millis(now.as_millis().saturating_sub(into))
    }

    /// The first slot that is not before `now` and after the last one; a last one far ahead is of a clock set back since.
    fn next(&self, last: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let latest = self.latest(now);
        let next = if latest == now {
            latest
        } else {
            later(latest, self.interval)
        };
        match last {
            Some(last) if last == next => later(next, self.interval),
            _ => next,
        }
    }

    fn slots_between(&self, earlier: Timestamp, later: Timestamp) -> u64 {
        let millis = later.since(earlier).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX) / self.interval.unsigned_abs()
    }
}

fn later(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_add(millis))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// FNV-1a, whose last letters alone would move it little, and the final mixing of SplitMix64. It must never change:
/// every slot of every installation follows from it.
fn spread(name: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
