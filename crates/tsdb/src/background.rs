//! The store's own threads: one syncs the log soon after it was written to, one keeps the retention.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::shared::Shared;

/// How long written bytes wait for their sync at most: what a loss of power may cost.
const SYNC_DELAY: Duration = Duration::from_millis(100);

/// How often the retention is kept.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(30);

/// Wakes the threads.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    dirty: bool,
    stop: bool,
}

impl Signal {
    /// Says that there is something to sync.
    pub(crate) fn wake(&self) {
        self.state().dirty = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.state().stop = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to sync, and then for more of it. False: stop.
    fn wait_dirty(&self) -> bool {
        let waiting = |state: &mut State| !state.dirty && !state.stop;
        let woken = self.changed.wait_while(self.state(), waiting);
        drop(woken.expect("invariant: no one panics while holding the signal"));
        let go_on = self.wait(SYNC_DELAY);
        self.state().dirty = false;
        go_on
    }

    /// Waits for a while. False: stop.
    fn wait(&self, duration: Duration) -> bool {
        let waiting = |state: &mut State| !state.stop;
        let woken = self
            .changed
            .wait_timeout_while(self.state(), duration, waiting);
        !woken
            .expect("invariant: no one panics while holding the signal")
            .0
            .stop
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
        background.spawn("tsdb-sync", |shared| {
            while shared.signal.wait_dirty() {
                if shared.sync().is_err() {
                    // It was logged, and no later sync could make the lost bytes good.
                    return;
                }
            }
        })?;
        background.spawn("tsdb-maintain", |shared| {
            while shared.signal.wait(MAINTENANCE_INTERVAL) {
                shared.maintain(shared.clock.now());
            }
        })?;
        Ok(background)
    }

    fn spawn(&mut self, name: &str, run: fn(&Shared)) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(name.to_owned());
        self.threads.push(thread.spawn(move || run(&shared))?);
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.signal.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}
