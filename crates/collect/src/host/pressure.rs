//! How long tasks had to wait for a resource: pressure stall information, `/proc/pressure/*`.

use std::path::Path;

use model::{MetricFamily, MetricKind};

use super::collector::{Collector, single};
use super::fields::{Fields, Parsed, Problems, lines};
use super::file::KernelFile;
use crate::{CollectError, Problem};

/// A resource, and what the kernel tells about it that means something for a whole machine.
struct Resource {
    name: &'static str,
    /// The metric's name and help for time in which some tasks waited.
    waiting: Option<(&'static str, &'static str)>,
    /// The same for time in which all tasks waited.
    stalled: Option<(&'static str, &'static str)>,
    /// Kernels that have pressure files at all may lack this one.
    optional: bool,
}

const RESOURCES: [Resource; 4] = [
    Resource {
        name: "cpu",
        waiting: Some((
            "node_pressure_cpu_waiting_seconds_total",
            "Total time in seconds that processes have waited for CPU time",
        )),
        stalled: None,
        optional: false,
    },
    Resource {
        name: "io",
        waiting: Some((
            "node_pressure_io_waiting_seconds_total",
            "Total time in seconds that processes have waited due to IO congestion",
        )),
        stalled: Some((
            "node_pressure_io_stalled_seconds_total",
            "Total time in seconds no process could make progress due to IO congestion",
        )),
        optional: false,
    },
    Resource {
        name: "memory",
        waiting: Some((
            "node_pressure_memory_waiting_seconds_total",
            "Total time in seconds that processes have waited for memory",
        )),
        stalled: Some((
            "node_pressure_memory_stalled_seconds_total",
            "Total time in seconds no process could make progress due to memory congestion",
        )),
        optional: false,
    },
    Resource {
        name: "irq",
        waiting: None,
        stalled: Some((
            "node_pressure_irq_stalled_seconds_total",
            "Total time in seconds no process could make progress due to IRQ congestion",
        )),
        optional: true,
    },
];

pub(crate) struct Pressure {
    files: [KernelFile; RESOURCES.len()],
}

/// Microseconds in which some tasks, and in which all tasks waited.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stalls {
    pub(crate) some: Option<u64>,
    pub(crate) full: Option<u64>,
}

impl Pressure {
    pub(crate) fn new(procfs: &Path) -> Self {
        let directory = procfs.join("pressure");
        let file = |resource: &Resource| KernelFile::optional(directory.join(resource.name));
        Self {
            files: RESOURCES.each_ref().map(file),
        }
    }
}

impl Collector for Pressure {
    fn name(&self) -> &'static str {
        "pressure"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let mut worst = Ok(());
        for (resource, file) in RESOURCES.iter().zip(&mut self.files) {
            let (stalls, outcome) = match file.parse(parse) {
                Ok(parsed) => parsed,
                Err(CollectError::NoData { .. }) if resource.optional => continue,
                Err(error) => (Stalls::default(), Err(error)),
            };
            worst = match (worst, outcome) {
                // A fault is worse than a file that is not there.
                (Err(CollectError::NoData { .. }), Err(fault)) => Err(fault),
                (worst, outcome) => worst.and(outcome),
            };
            let pairs = [
                (resource.waiting, stalls.some),
                (resource.stalled, stalls.full),
            ];
            for (metric, microseconds) in pairs {
                let (Some((name, help)), Some(microseconds)) = (metric, microseconds) else {
                    continue;
                };
                let seconds = microseconds as f64 / 1e6;
                families.push(single(name, MetricKind::Counter, help, seconds)?);
            }
        }
        worst
    }
}

/// Reads `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and the same with `full`.
pub(crate) fn parse(text: &str) -> Parsed<Stalls> {
    let mut problems = Problems::default();
    let mut stalls = Stalls::default();
    for mut fields in lines(text) {
        let Ok(name) = fields.text("name") else {
            continue;
        };
        let target = match name {
            "some" => &mut stalls.some,
            "full" => &mut stalls.full,
            _ => continue,
        };
        *target = problems.check(total(&mut fields));
    }
    if stalls == Stalls::default() && problems.count == 0 {
        problems.absent("some or full");
    }
    problems.with(stalls)
}

fn total(fields: &mut Fields<'_>) -> Result<u64, Problem> {
    while let Some(field) = fields.next() {
        if let Some(total) = field.strip_prefix("total=") {
            return fields.parse(total, "total");
        }
    }
    Err(fields.problem("total is missing"))
}
