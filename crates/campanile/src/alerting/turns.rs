//! When each loop of alerting turned last: one that no longer does tells nobody of anything, and does so in silence.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A loop is stuck when it has not turned for this long. One that has nothing to do looks at the clock every 30 s; a
/// transaction on a disk that is busy takes seconds, and on one that is broken a minute until the kernel gives up.
pub(crate) const STUCK: Duration = Duration::from_secs(120);

/// Which loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turning {
    Evaluation,
    Monitoring,
    Routing,
}

const ALL: [Turning; 3] = [Turning::Evaluation, Turning::Monitoring, Turning::Routing];

/// The moments of the last turns, in milliseconds of the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Turns([AtomicU64; ALL.len()]);

impl Turns {
    /// All loops are about to begin.
    pub(crate) fn begin(&self, now: Duration) {
        for which in ALL {
            self.turned(which, now);
        }
    }

    /// A loop has come round.
    pub(crate) fn turned(&self, which: Turning, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.0[which as usize].store(millis, Ordering::Relaxed);
    }

    /// Whether all loops turn.
    ///
    /// Errors: the first loop that is stuck.
    pub(crate) fn check(&self, now: Duration) -> Result<(), String> {
        for which in ALL {
            let turned = Duration::from_millis(self.0[which as usize].load(Ordering::Relaxed));
            let since = now.saturating_sub(turned);
            if since > STUCK {
                return Err(format!(
                    "{} has not turned for {} s",
                    which.name(),
                    since.as_secs()
                ));
            }
        }
        Ok(())
    }
}

impl Turning {
    fn name(self) -> &'static str {
        match self {
            Self::Evaluation => "the evaluation of rules",
            Self::Monitoring => "the schedule of checks",
            Self::Routing => "the routing of alerts",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_does_not_turn_is_named() {
        let turns = Turns::default();
        let start = Duration::from_secs(1_000);
        turns.begin(start);
        assert_eq!(turns.check(start + STUCK), Ok(()));
        let later = start + STUCK + Duration::from_secs(1);
        turns.turned(Turning::Evaluation, later);
        turns.turned(Turning::Routing, later);
        let stuck = turns.check(later).unwrap_err();
        assert_eq!(stuck, "the schedule of checks has not turned for 121 s");
        turns.turned(Turning::Monitoring, later);
        assert_eq!(turns.check(later), Ok(()));
    }
}
