//! A clock that stands still until the test moves it.

use std::sync::Mutex;
use std::time::Duration;

use model::{Clock, Timestamp};

/// A clock whose time is set by the test.
#[derive(Debug)]
pub struct SimulatedClock {
    time: Mutex<Time>,
}

#[derive(Debug)]
struct Time {
    now: Timestamp,
    monotonic: Duration,
}

impl SimulatedClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            time: Mutex::new(Time {
                now,
                monotonic: Duration::ZERO,
            }),
        }
    }

    /// Lets time pass, on the wall and monotonic.
    pub fn advance(&self, by: Duration) {
        let mut time = self.lock();
        time.now = time.now + by;
        time.monotonic += by;
    }

    /// Sets the wall-clock time, as an administrator would; monotonic time does not notice.
    pub fn set(&self, now: Timestamp) {
        self.lock().now = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Time> {
        self.time
            .lock()
            .expect("invariant: no one panics while holding the clock")
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }
}
