//! How well a part of the program does its work.

use crate::Timestamp;

/// A part's condition, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthState {
    /// It does all of its work.
    Healthy,
    /// It does part of its work.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl HealthState {
    /// The state's name as `/health` shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The condition of one part, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentHealth {
    /// The part's name, such as `store`.
    pub component: &'static str,
    /// Its condition.
    pub state: HealthState,
    /// Since when it has been in this condition.
    pub since: Timestamp,
    /// Why, for people; empty when healthy.
    pub reason: String,
}
