//! The host as a whole: this machine, fixtures of others, collectors that hang or fail.

mod faults;
mod hanging;
mod machines;
mod node_exporter;
mod summary;
mod ticking;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{MetricFamily, Timestamp};
use testkit::SimulatedClock;

use super::collector::Collector;
use super::{Collection, Config, Host};
use crate::CollectError;

/// When simulated time begins: 2025-01-01 00:00:01.234.
const START: Timestamp = Timestamp::from_millis(1_735_689_601_234);

/// Long enough that only what hangs for ever misses it.
const PATIENCE: Duration = Duration::from_secs(60);

fn simulated_clock() -> Arc<SimulatedClock> {
    Arc::new(SimulatedClock::new(START))
}

/// Where the files of a machine of testdata are.
fn procfs_of(machine: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("testdata").join(machine).join("proc")
}

/// A configuration that finds nothing but the given /proc.
fn config_of(procfs: PathBuf) -> Config {
    Config {
        sysfs: procfs.join("no-sysfs"),
        procfs,
        ..Config::default()
    }
}

/// A collector that does what a test says.
struct Scripted<F> {
    name: &'static str,
    read: F,
}

impl<F> Collector for Scripted<F>
where
    F: FnMut(&mut Vec<MetricFamily>) -> Result<(), CollectError> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        (self.read)(families)
    }
}

/// The value of the first point of a family with a label value; NaN if there is none.
fn value_of(families: &[MetricFamily], name: &str, label: (&str, &str)) -> f64 {
    let points = families
        .iter()
        .filter(|family| family.name == name)
        .flat_map(|family| &family.points);
    points
        .filter(|point| point.labels.get(label.0).unwrap_or("") == label.1)
        .map(|point| point.value)
        .next()
        .unwrap_or(f64::NAN)
}

fn success_of(collection: &Collection, collector: &str) -> f64 {
    let name = "node_scrape_collector_success";
    value_of(&collection.families, name, ("collector", collector))
}
