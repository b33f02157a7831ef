//! Whether this process gets the processor: a heart that beats every 100 ms, and notes how late each beat was.
//!
//! A target is not to blame for a timeout during which we did not run ourselves. A beat comes late when the machine is
//! overloaded or the process was stopped. A machine that was suspended shows otherwise: its monotonic clock stood still
//! with it, and the wall clock has jumped.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use model::Clock;

/// Short against any timeout, long against the cost of a beat.
pub(crate) const BEAT: Duration = Duration::from_millis(100);

/// A beat that is less late is of no interest to any check: a quarter of a timeout of 200 ms, and few are shorter.
const NOTED_FROM: Duration = Duration::from_millis(50);

/// Late beats that are remembered; the oldest is forgotten first. Even if each is late, these are of the last 38 seconds.
const NOTED_MAX: usize = 256;

/// How late the beats were.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<State>);

/// By how much some beats were late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lateness {
    /// One of them.
    pub(crate) worst: Duration,
    /// All of them together.
    pub(crate) total: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// The next beat; none while nobody lets it beat.
    next: Option<Next>,
    late: VecDeque<Late>,
    beats: u64,
    late_total: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Next {
    /// On the monotonic clock.
    due: Duration,
    /// The wall clock's lead over the monotonic one, in milliseconds.
    lead: i64,
}

#[derive(Clone, Copy, Debug)]
struct Late {
    /// When it came, on the monotonic clock.
    at: Duration,
    by: Duration,
}

impl Pulse {
    /// Beats; the next one is due in [`BEAT`].
    pub(crate) fn beat(&self, clock: &dyn Clock) {
        let now = clock.monotonic();
        let lead = lead(clock, now);
        let mut state = self.lock();
        if let Some(next) = state.next {
            let by = next.lateness(now, lead);
            if by >= NOTED_FROM {
                state.late_total += by;
                state.late.push_back(Late { at: now, by });
                if state.late.len() > NOTED_MAX {
                    state.late.pop_front();
                }
            }
        }
        state.beats += 1;
        let due = now + BEAT;
        state.next = Some(Next { due, lead });
    }

    /// Nobody lets it beat any more; from now on nothing is late.
    pub(crate) fn end(&self) {
        self.lock().next = None;
    }

    /// By how much beats since `since` were late, the one that is awaited included.
    pub(crate) fn lateness_since(&self, since: Duration, clock: &dyn Clock) -> Lateness {
        let now = clock.monotonic();
        let lead = lead(clock, now);
        let state = self.lock();
        // After a stop the check may run before the beat does.
        let awaited = state.next.map(|next| next.lateness(now, lead));
        let late = state.late.iter().filter(|late| late.at >= since);
        let mut lateness = Lateness::default();
        for by in late.map(|late| late.by).chain(awaited) {
            lateness.worst = lateness.worst.max(by);
            lateness.total += by;
        }
        lateness
    }

    /// Seconds by which beats were late, those below 50 ms left out.
    pub(crate) fn late_seconds(&self) -> f64 {
        self.lock().late_total.as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("invariant: no one panics while holding the pulse")
    }
}

impl Next {
    fn lateness(self, now: Duration, lead: i64) -> Duration {
        let asleep = u64::try_from(lead.saturating_sub(self.lead)).unwrap_or(0);
        now.saturating_sub(self.due)
            .saturating_add(Duration::from_millis(asleep))
    }
}

fn lead(clock: &dyn Clock, monotonic: Duration) -> i64 {
    let monotonic = i64::try_from(monotonic.as_millis()).unwrap_or(i64::MAX);
    clock.now().as_millis().saturating_sub(monotonic)
}

#[cfg(test)]
mod tests;
