//! The port through which code learns the time, so that a test can set it.

use std::time::Duration;

use crate::Timestamp;

/// Tells the time. The system's clock and testkit's simulated one implement it.
pub trait Clock: Send + Sync {
    /// The wall-clock time; it may jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment of this process; it never goes back.
    fn monotonic(&self) -> Duration;
}
