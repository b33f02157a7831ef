//! What can be set.

use std::time::Duration;

/// The settings of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How long samples are kept; zero keeps them for ever.
    pub retention: Duration,
    /// How much older than the newest of its series a sample may be.
    pub out_of_order_window: Duration,
    /// How many series there may be; 0 is no limit.
    pub active_series: usize,
    /// Bytes of memory that series and samples may take; 0 is no limit. Beyond it the oldest samples go early,
    /// as far as the out-of-order window; then new ones are refused.
    pub memory_max: u64,
    /// Bytes of samples at which a segment of the log is full; of an old one, bytes of all it holds.
    pub segment_bytes: u64,
    /// Whether the store has threads that sync the log and keep the retention. A test that sets the time has none,
    /// and calls `sync` and `maintain` itself.
    pub threads: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(30 * 24 * 3600),
            out_of_order_window: Duration::from_secs(3600),
            active_series: 0,
            memory_max: 1 << 30,
            segment_bytes: 32 << 20,
            threads: true,
        }
    }
}
