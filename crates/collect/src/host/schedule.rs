//! When to collect next: at whole multiples of the interval, so that all machines measure at the same moments.
//!
//! Wall clocks jump, so they only say where the multiples are; how many ticks were missed is told by the monotonic one.

use std::time::Duration;

use model::{Clock, Timestamp};

/// A collection that begins so little beside its tick bears the tick's time: even distances are stored in fewer bytes.
const TOLERANCE_MAX: Duration = Duration::from_millis(10);

/// The ticks of a loop.
#[derive(Debug)]
pub(crate) struct Schedule {
    interval: Duration,
    /// The tick last planned, on the wall and on the monotonic clock.
    planned: Option<(Timestamp, Duration)>,
}

/// The next moment to act.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tick {
    /// When, on the wall clock.
    pub(crate) at: Timestamp,
    /// How long to wait until then.
    pub(crate) wait: Duration,
    /// How many ticks passed unused since the last one.
    pub(crate) missed: u64,
}

impl Schedule {
    /// Ticks every `interval`, which is at least a millisecond.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval: interval.max(Duration::from_millis(1)),
            planned: None,
        }
    }

    /// Plans the next tick.
    pub(crate) fn next(&mut self, clock: &dyn Clock) -> Tick {
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let mut at = self.multiple_after(now);
        let mut missed = 0;
        if let Some((last, last_monotonic)) = self.planned {
            // The sleep may have ended a moment early; the same tick is not used twice. A clock that was set back is not
            // waited for.
            if at <= last && last.since(at) < self.interval {
                at = last + self.interval;
            }
            let late = monotonic.saturating_sub(last_monotonic);
            missed = u64::try_from(late.as_millis() / self.interval.as_millis()).unwrap_or(0);
        }
        let wait = at.since(now);
        self.planned = Some((at, monotonic + wait));
        Tick { at, wait, missed }
    }

    /// What a collection bears that was due at a tick and begins now: the tick's time if that is near enough.
    pub(crate) fn timestamp(&self, due: Timestamp, now: Timestamp) -> Timestamp {
        let distance = now.since(due).max(due.since(now));
        if distance <= TOLERANCE_MAX.min(self.interval / 100) {
            due
        } else {
            now
        }
    }

    fn multiple_after(&self, now: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX);
        let since = now.as_millis().rem_euclid(interval);
        now + Duration::from_millis(interval.abs_diff(since))
    }
}
