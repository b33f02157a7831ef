//! What is old goes from the catalog: entries of the journal and of the audit log, sessions that are over.
//!
//! It is looked for once an hour, and then a little goes at a time, so that nobody waits for it; the next round goes on.

use std::time::Duration;

use access::{AccessStore as _, SessionChange};
use catalog::Catalog;
use model::Clock;
use tracing::warn;

/// Finished entries of the journal are kept this long and at most in this number.
const JOURNAL_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
const JOURNAL_MAX: u64 = 100_000;

const EVERY: Duration = Duration::from_secs(3600);

/// When what is old was removed last.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// None while more may wait to be removed.
    done_at: Option<Duration>,
}

impl Pruning {
    /// Removes a little of what is old, if it is time to. What cannot be removed is tried again in an hour.
    pub(super) async fn go_on(&mut self, catalog: &Catalog, clock: &dyn Clock) {
        let now = clock.monotonic();
        let is_done = |at| now.saturating_sub(at) < EVERY;
        if self.done_at.is_some_and(is_done) {
            return;
        }
        self.done_at = Some(now);
        let now = clock.now();
        let journal = catalog.prune(now - JOURNAL_KEPT, JOURNAL_MAX).await;
        let audit = catalog.prune_audit(now - Catalog::AUDIT_AGE, Catalog::AUDIT_ENTRIES);
        for (what, removed) in [("the journal", journal), ("the audit log", audit.await)] {
            match removed {
                Ok(0) => {}
                Ok(_) => self.done_at = None,
                Err(error) => warn!(%error, "old entries of {what} cannot be removed"),
            }
        }
        // All at once: a user has few, and they were removed an hour ago.
        let sessions = catalog.apply_to_sessions(SessionChange::Prune(now));
        if let Err(error) = sessions.await {
            warn!(%error, "sessions that are over cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests;
