//! This machine's metrics, from /proc and /sys, under node_exporter's names, labels and types.
//!
//! A collection runs every collector once, each with its own deadline, on threads that can be left behind; a collector
//! that hangs is not started again until it has come back. The pure parsers are in the files named after the collectors.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use model::{Clock, ComponentHealth, HostSummary, MetricFamily, Timestamp};

use collecting::Collecting;
use collector::Collector;
use state::State;

mod collecting;
mod collector;
mod cpu;
mod deadline;
mod diskstats;
mod fields;
mod file;
mod filefd;
mod filesystem;
mod loadavg;
mod meminfo;
mod netdev;
mod pressure;
mod recorder;
mod schedule;
mod stat;
mod state;
mod summary;
mod time;
mod tracker;
mod udev;
mod uname;

#[cfg(test)]
mod tests;

pub use recorder::run;

/// The longest that a collector may take; with short intervals it is less.
const DEADLINE_MAX: Duration = Duration::from_secs(4);
const DEADLINE_MIN: Duration = Duration::from_millis(200);

/// What is measured, how often, and where the kernel's files are.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The time between two collections, at least 1 s.
    pub interval: Duration,
    /// Where /proc is; in a container where the machine's is mounted.
    pub procfs: PathBuf,
    /// Where /sys is.
    pub sysfs: PathBuf,
    /// Where the machine's file systems are; mount points are told as seen from there.
    pub rootfs: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            procfs: PathBuf::from("/proc"),
            sysfs: PathBuf::from("/sys"),
            rootfs: PathBuf::from("/"),
        }
    }
}

/// What one round of all collectors yielded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Collection {
    /// When it began, on the wall clock.
    pub(crate) timestamp: Timestamp,
    /// When it began, on the monotonic clock.
    pub(crate) monotonic: Duration,
    /// The families sorted by name, those of the collectors' success and duration among them. None is empty; points
    /// are in the kernel's order.
    pub(crate) families: Vec<MetricFamily>,
    /// Why collectors yielded nothing or not all, by their names.
    pub(crate) failures: BTreeMap<&'static str, Failure>,
}

/// A collector's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Why, for people.
    pub(crate) reason: String,
    /// Whether it is only that this kernel does not offer the figures.
    pub(crate) no_data: bool,
}

/// The collectors of this machine and what they have yielded last.
pub struct Host {
    config: Config,
    clock: Arc<dyn Clock>,
    nodename: String,
    collecting: Mutex<Collecting>,
    state: Mutex<State>,
}

impl Host {
    /// The collectors for a machine; nothing is read yet.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Self {
        let deadline = config.interval.mul_f64(0.8);
        let deadline = deadline.clamp(DEADLINE_MIN, DEADLINE_MAX);
        let collectors = collectors(&config, deadline, &clock);
        Self::with_collectors(config, clock, deadline, collectors)
    }

    fn with_collectors(
        config: Config,
        clock: Arc<dyn Clock>,
        deadline: Duration,
        collectors: Vec<Box<dyn Collector>>,
    ) -> Self {
        Self {
            collecting: Mutex::new(Collecting::new(collectors, deadline, Arc::clone(&clock))),
            state: Mutex::new(State::new(clock.now())),
            nodename: uname::nodename(),
            config,
            clock,
        }
    }

    /// Runs every collector once. It blocks until all have answered or missed their deadline, at most about 4 s.
    #[cfg(test)]
    pub(crate) fn collect(&self) -> Collection {
        let collection = self.collect_at(self.clock.now());
        Collection::clone(&collection)
    }

    /// The families of the last collection, for `/metrics`; empty before the first.
    pub fn latest(&self) -> Vec<MetricFamily> {
        let latest = self.state().latest();
        latest.map_or_else(Vec::new, |latest| latest.families.clone())
    }

    /// The figures that a person asks for first. None until two collections are done, since rates need two.
    pub fn summary(&self) -> Option<HostSummary> {
        let (previous, latest) = self.state().last_two()?;
        Some(summary::summarize(&self.nodename, &previous, &latest))
    }

    /// Degraded while collectors fail; a kernel that lacks a file is no failure.
    pub fn health(&self) -> ComponentHealth {
        self.state().health(self.clock.now())
    }

    /// The collections' own metrics.
    pub fn metrics(&self) -> Vec<MetricFamily> {
        self.state().metrics()
    }

    /// A collection whose samples carry the given time.
    fn collect_at(&self, timestamp: Timestamp) -> Arc<Collection> {
        let mut collecting = self
            .collecting
            .lock()
            .expect("invariant: collectors that panic are caught");
        let begin = self.clock.monotonic();
        let collection = collecting.collect(timestamp);
        let took = self.clock.monotonic().saturating_sub(begin);
        let collection = Arc::new(collection);
        self.state().accept(Arc::clone(&collection), took);
        collection
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("invariant: no one panics while holding the state")
    }
}

fn collectors(
    config: &Config,
    deadline: Duration,
    clock: &Arc<dyn Clock>,
) -> Vec<Box<dyn Collector>> {
    let Config {
        procfs,
        sysfs,
        rootfs,
        ..
    } = config;
    // Half, so that the file systems that answer are told even if others do not.
    let mount_deadline = deadline / 2;
    vec![
        Box::new(cpu::Cpu::new(procfs)),
        Box::new(diskstats::Diskstats::new(procfs, rootfs)),
        Box::new(filefd::Filefd::new(procfs)),
        Box::new(filesystem::Filesystem::new(procfs, rootfs, mount_deadline)),
        Box::new(loadavg::Loadavg::new(procfs)),
        Box::new(meminfo::Meminfo::new(procfs)),
        Box::new(netdev::Netdev::new(procfs, sysfs)),
        Box::new(pressure::Pressure::new(procfs)),
        Box::new(stat::Stat::new(procfs)),
        Box::new(time::Time::new(sysfs, Arc::clone(clock))),
        Box::new(uname::Uname),
    ]
}

/// Gives a text to every parser, for fuzzing: none may panic, whatever the text.
pub fn parse_with_every_parser(text: &str) {
    drop(cpu::parse(text));
    drop(diskstats::parse(text));
    drop(filefd::parse(text));
    drop(filesystem::parse(text, std::path::Path::new("/host")));
    drop(loadavg::parse(text));
    drop(meminfo::parse(text));
    drop(netdev::parse(text));
    drop(pressure::parse(text));
    drop(stat::parse(text));
    drop(udev::parse(text));
}
