//! Which queries are so slow that the log tells of them, and how many lines that may be.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lines in a minute; when everything is slow, a few examples tell as much.
const LINES_MAX: u32 = 30;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct SlowLog {
    /// In milliseconds; 0 is off.
    slower_than: AtomicU64,
    minute: Mutex<Minute>,
}

#[derive(Default)]
struct Minute {
    began: Duration,
    lines: u32,
    left_out: u64,
}

impl SlowLog {
    pub(super) fn set_slower_than(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.slower_than.store(millis, Relaxed);
    }

    /// Whether a query that took so long is logged, and how many were not since the last line.
    pub(super) fn admit(&self, took: Duration, now: Duration) -> Option<u64> {
        let slower_than = self.slower_than.load(Relaxed);
        if slower_than == 0 || took <= Duration::from_millis(slower_than) {
            return None;
        }
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(minute.began) >= MINUTE {
            minute.began = now;
            minute.lines = 0;
        }
        if minute.lines == LINES_MAX {
            minute.left_out += 1;
            return None;
        }
        minute.lines += 1;
        Some(std::mem::take(&mut minute.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_what_took_longer_is_told() {
        let log = SlowLog::default();
        assert_eq!(log.admit(MINUTE, MINUTE), None, "off");
        log.set_slower_than(SECOND);
        assert_eq!(log.admit(SECOND, MINUTE), None);
        assert_eq!(log.admit(2 * SECOND, MINUTE), Some(0));
    }

    #[test]
    fn no_more_than_so_many_lines_in_a_minute_and_the_next_says_how_many_are_missing() {
        let log = SlowLog::default();
        log.set_slower_than(SECOND);
        let told = (0..100).filter_map(|_| log.admit(MINUTE, MINUTE)).count();
        assert_eq!(told, LINES_MAX as usize);
        assert_eq!(log.admit(MINUTE, 2 * MINUTE), Some(70));
        assert_eq!(log.admit(MINUTE, 2 * MINUTE), Some(0));
    }
}
