//! One measured value at one moment, and the marker that says a series has ended.

use crate::Timestamp;

/// Bits of the NaN with which Prometheus marks that a series has vanished.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// A value at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was measured.
    pub timestamp: Timestamp,
    /// What was measured; any f64, NaN and infinities included.
    pub value: f64,
}

/// The value that marks the end of a series.
pub const fn stale_marker() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Whether a value is the stale marker; no other NaN is.
pub const fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}
