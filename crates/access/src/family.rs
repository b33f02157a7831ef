//! Refresh tokens: each is used once and gives the next one, and an old one that comes again ends them all.
//!
//! 1. A login begins a session of generation 0, with the hash of its first secret.
//! 2. Whoever shows the secret of the present generation gets the next one, and the session goes on with that.
//! 3. Whoever shows an older generation has a copy: either they or the owner have stolen or lost something, and nobody can
//!    tell who is who. The session ends for both. That the older secret was the right one is not asked, since it is not kept; the
//!    session's identity alone, 95 random bits that stand nowhere but in the token, shows that its bearer has seen one.
//! 4. A secret that is wrong for the present generation, or one of a generation that was not reached yet, changes nothing.
//!
//! Two uses of one token at the same moment both see the present generation. The store lets only the first go on and
//! tells the second that it is [`crate::StoreError::Stale`]; it is then as one that came later, and ends the session. A client therefore
//! sends one refresh at a time, and does not send it again when it has lost the answer: it logs in.

use std::time::Duration;

use model::Timestamp;

use crate::{Session, SessionChange, SessionKind, SessionToken};

/// What comes of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Apply the change, which may still be refused as stale; then this is the next token.
    Next(SessionChange, SessionToken),
    /// It was used before: apply the change, and nobody comes in.
    Replayed(SessionChange),
    /// It is worth nothing.
    Refused,
}

impl Session {
    /// What comes of a refresh token that is shown now; the session then lasts for `lifetime` from now on.
    ///
    /// That its user is still the one of the session's epoch is not looked at.
    pub fn refresh(&self, shown: &SessionToken, now: Timestamp, lifetime: Duration) -> Refresh {
        if self.kind != SessionKind::Refresh || self.id != shown.id || now >= self.expires {
            return Refresh::Refused;
        }
        if shown.generation < self.generation {
            return Refresh::Replayed(SessionChange::End(self.id.clone()));
        }
        if shown.generation > self.generation || shown.hash() != self.hash {
            return Refresh::Refused;
        }
        let next = shown.next();
        let mut session = self.clone();
        session.generation = next.generation;
        session.hash = next.hash();
        session.expires = later(now, lifetime);
        let from = self.generation;
        Refresh::Next(SessionChange::Continue { from, session }, next)
    }
}

/// So much later.
pub(crate) fn later(now: Timestamp, by: Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
}

#[cfg(test)]
mod tests;
