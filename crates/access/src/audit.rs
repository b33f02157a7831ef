//! Who did what, and when: what is kept of every change.

use model::Timestamp;

/// That somebody did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who, as [`crate::Principal::name`] writes it.
    pub who: String,
    /// From which address; empty if it was not over the network.
    pub address: String,
    /// What was done, such as `user.add`, `token.revoke`, `login`, `login.refused`, `series.delete`.
    pub action: String,
    /// To whom or what, such as `user:ann`.
    pub object: String,
    /// How it was before, as a JSON object without secrets; empty if it was not there.
    pub before: String,
    /// How it is now, likewise; empty if it is gone.
    pub after: String,
}

/// An entry with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its number; a later one is greater.
    pub id: u64,
    /// What was done.
    pub entry: AuditEntry,
}

/// Which entries are wanted; the newest come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only numbers below it; none for the newest.
    pub before: Option<u64>,
    /// At most so many, and never more than 1000.
    pub limit: u32,
}
