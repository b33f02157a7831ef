//! The store's own threads: one writes memtables into blocks, one merges blocks and keeps the retention, and one syncs
//! the log if appends do not wait for that.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::Acknowledge;
use crate::shared::Shared;

/// How long written bytes wait for their sync at most, if appends do not: what a loss of power may cost.
const SYNC_DELAY: Duration = Duration::from_millis(50);

/// How often it is looked at whether memory should be written to disk, and whether the disk has room.
const TICK: Duration = Duration::from_secs(1);

/// How often the retention is kept; after a flush blocks are merged at once.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(30);

/// So many samples are hardly any: in any case, and as a part of what is in memory.
const TRICKLE_MIN: u64 = 1_000;
const TRICKLE_PART: u64 = 64;

/// How long whoever waits for a flush sleeps at most before looking again.
const FLUSH_WAIT: Duration = Duration::from_millis(100);

/// Wakes the threads, and those who wait for them.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    flushed: Condvar,
}

#[derive(Default)]
struct State {
    /// Something is to be flushed.
    wake: bool,
    /// Something was flushed.
    merge: bool,
    stop: bool,
    /// How many samples there were when that last changed, and when that was.
    activity: (u64, Duration),
}

impl Signal {
    /// Says that there is something to flush.
    pub(crate) fn wake(&self) {
        self.state().wake = true;
        self.changed.notify_all();
    }

    /// Says that something was flushed, or could not be.
    pub(crate) fn notify_flushed(&self) {
        self.state().merge = true;
        self.changed.notify_all();
        self.flushed.notify_all();
    }

    /// Waits until something was flushed, for a moment.
    pub(crate) fn wait_flushed(&self) {
        let woken = self.flushed.wait_timeout(self.state(), FLUSH_WAIT);
        drop(woken.expect("invariant: no one panics while holding the signal"));
    }

    /// Since when hardly anything was written, as far as the number of samples tells: what the store measures of itself
    /// goes on while nothing else does.
    pub(crate) fn idle_since(&self, samples: u64, now: Duration) -> Duration {
        let mut state = self.state();
        let before = state.activity.0;
        let trickle =
            samples >= before && samples - before <= TRICKLE_MIN.max(before / TRICKLE_PART);
        if !trickle {
            state.activity = (samples, now);
        }
        state.activity.1
    }

    /// Whether the threads are to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.state().stop
    }

    /// Ends the threads, and merges that are under way.
    pub(crate) fn stop(&self) {
        self.state().stop = true;
        self.changed.notify_all();
    }

    /// Waits until `due` holds and takes it back, or until some time has passed. False: stop.
    fn wait(&self, timeout: Duration, due: fn(&mut State) -> &mut bool) -> bool {
        let waiting = |state: &mut State| !state.stop && !*due(state);
        let woken = self
            .changed
            .wait_timeout_while(self.state(), timeout, waiting);
        let (mut state, _) = woken.expect("invariant: no one panics while holding the signal");
        if state.stop {
            return false;
        }
        *due(&mut state) = false;
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("invariant: no one panics while holding the signal")
    }
}

/// The running threads; they end when it is dropped.
pub(crate) struct Background {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Background {
    /// Starts the threads.
    pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let mut background = Self {
            shared: Arc::clone(shared),
            threads: Vec::new(),
        };
        background.spawn("tsdb-flush", |shared| {
            while shared.signal.wait(TICK, |state| &mut state.wake) {
                shared.tick();
                shared.flush_frozen();
            }
        })?;
        background.spawn("tsdb-merge", |shared| {
            while shared
                .signal
                .wait(MAINTENANCE_INTERVAL, |state| &mut state.merge)
            {
                shared.maintain(shared.clock.now());
                shared.compact_all();
            }
        })?;
        if shared.config().acknowledge == Acknowledge::Written {
            background.spawn("tsdb-sync", |shared| {
                while shared.signal.wait(SYNC_DELAY, |state| &mut state.stop) {
                    if shared.commits.sync_due()
                        && let Err(failure) = shared.commits.sync()
                    {
                        shared.log_failed(&failure);
                    }
                }
            })?;
        }
        Ok(background)
    }

    fn spawn(&mut self, name: &str, run: fn(&Shared)) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let name = name.to_owned();
        let thread = thread::Builder::new().name(name.clone());
        self.threads.push(thread.spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| run(&shared))).is_err() {
                // Nobody would write to disk any more, and who waits for that would wait for ever.
                let reason = format!("the thread {name} of the store panicked: restart");
                tracing::error!(thread = name, "a thread of the store panicked");
                shared.condition.fail(shared.clock.now(), reason);
                shared.signal.notify_flushed();
            }
        })?);
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.signal.stop();
        for thread in self.threads.drain(..) {
            // A panic was told where it was caught.
            let _ = thread.join();
        }
    }
}
