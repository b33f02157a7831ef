//! The system's clock: the only place of the product that reads it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::{Clock, Timestamp};

/// The clock of the machine on which the program runs.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the implementation that others are to take"
)]
impl SystemClock {
    /// The clock; monotonic time starts now.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    fn wall() -> Timestamp {
        let now = SystemTime::now();
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp::from_millis(0) + since,
            Err(before) => Timestamp::from_millis(0) - before.duration(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Self::wall()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
