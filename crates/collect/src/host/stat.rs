//! What the kernel counts for the whole machine: the other lines of `/proc/stat`.

use std::path::Path;

use model::{MetricFamily, MetricKind};

use super::collector::{Collector, single};
use super::fields::{Parsed, Problems, lines};
use super::file::KernelFile;
use crate::CollectError;

use MetricKind::{Counter, Gauge};

/// A line's name, and the metric made of its first number.
struct Line {
    name: &'static str,
    metric: &'static str,
    kind: MetricKind,
    help: &'static str,
}

const LINES: [Line; 6] = [
    Line {
        name: "intr",
        metric: "node_intr_total",
        kind: Counter,
        help: "Total number of interrupts serviced.",
    },
    Line {
        name: "ctxt",
        metric: "node_context_switches_total",
        kind: Counter,
        help: "Total number of context switches.",
    },
    Line {
        name: "btime",
        metric: "node_boot_time_seconds",
        kind: Gauge,
        help: "Node boot time, in unixtime.",
    },
    Line {
        name: "processes",
        metric: "node_forks_total",
        kind: Counter,
        help: "Total number of forks.",
    },
    Line {
        name: "procs_running",
        metric: "node_procs_running",
        kind: Gauge,
        help: "Number of processes in runnable state.",
    },
    Line {
        name: "procs_blocked",
        metric: "node_procs_blocked",
        kind: Gauge,
        help: "Number of processes blocked waiting for I/O to complete.",
    },
];

pub(crate) struct Stat {
    file: KernelFile,
}

impl Stat {
    pub(crate) fn new(procfs: &Path) -> Self {
        let file = KernelFile::new(procfs.join("stat"));
        Self { file }
    }
}

impl Collector for Stat {
    fn name(&self) -> &'static str {
        "stat"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let (values, outcome) = self.file.parse(parse)?;
        for (line, value) in LINES.iter().zip(values) {
            if let Some(value) = value {
                families.push(single(line.metric, line.kind, line.help, value as f64)?);
            }
        }
        outcome
    }
}

/// The first number of each of [`LINES`]; none if the line is absent.
pub(crate) fn parse(text: &str) -> Parsed<[Option<u64>; LINES.len()]> {
    let mut problems = Problems::default();
    let mut values = [None; LINES.len()];
    for mut fields in lines(text) {
        let Ok(name) = fields.text("name") else {
            continue;
        };
        if let Some(index) = LINES.iter().position(|line| line.name == name) {
            values[index] = problems.check(fields.number(name));
        }
    }
    if values.iter().all(Option::is_none) && problems.count == 0 {
        problems.absent("ctxt");
    }
    problems.with(values)
}
