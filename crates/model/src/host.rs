//! How a machine is doing right now, in the few figures that a person asks for first.

use crate::Timestamp;

/// The latest figures of one machine. A figure that could not be read is none.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSummary {
    /// When they were collected.
    pub timestamp: Timestamp,
    /// The machine's name.
    pub host: String,
    /// Share of CPU time that was neither idle nor waiting for I/O since the previous collection, 0 to 100.
    pub cpu_percent: Option<f64>,
    /// Share of memory that is not available to new programs, 0 to 100.
    pub memory_percent: Option<f64>,
    /// Memory that is not available to new programs.
    pub memory_used_bytes: Option<u64>,
    /// Runnable tasks on average over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// One for each mounted file system that is backed by a device.
    pub disks: Vec<DiskUse>,
    /// One for each network device.
    pub network: Vec<NetworkRate>,
}

/// How full a file system is.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskUse {
    /// Where it is mounted.
    pub mountpoint: String,
    /// Used share of what unprivileged users can use, 0 to 100, as `df` shows it.
    pub used_percent: f64,
    /// Bytes free for unprivileged users.
    pub free_bytes: u64,
}

/// How much a network device carries, on average since the previous collection.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkRate {
    /// The device's name.
    pub device: String,
    /// Bytes received each second.
    pub receive_bytes_per_second: f64,
    /// Bytes sent each second.
    pub transmit_bytes_per_second: f64,
}
