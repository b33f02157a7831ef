//! Time that each CPU has spent in each mode: the `cpuN` lines of `/proc/stat`.
//!
//! The kernel's counters may step back a little (idle and iowait are estimates), which a counter must not: the highest
//! value is kept, unless idle falls so far that the CPU has been taken off and put back.

use std::collections::BTreeMap;
use std::path::Path;

use model::{InvalidLabels, MetricFamily, MetricKind};

use super::collector::Collector;
use super::fields::{Fields, Parsed, Problems, lines};
use super::file::KernelFile;
use crate::{CollectError, Problem};

/// The kernel counts in hundredths of a second for user space, whatever its own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// How many ticks idle must fall back for a new start, as in node_exporter.
const RESTART_TICKS: u64 = 300;

/// The columns of `/proc/stat`. Kernels before 2.6.33 know fewer; those are zero.
const MODES: [&str; 10] = [
    "user",
    "nice",
    "system",
    "idle",
    "iowait",
    "irq",
    "softirq",
    "steal",
    "guest",
    "guest_nice",
];
const IDLE: usize = 3;
const GUEST: usize = 8;

/// Even the oldest kernel writes user, nice, system and idle.
const COLUMNS_MIN: usize = 4;

/// Ticks by mode, in the order of [`MODES`].
pub(crate) type Ticks = [u64; MODES.len()];

pub(crate) struct Cpu {
    file: KernelFile,
    highest: BTreeMap<u32, Ticks>,
}

impl Cpu {
    pub(crate) fn new(procfs: &Path) -> Self {
        Self {
            file: KernelFile::new(procfs.join("stat")),
            highest: BTreeMap::new(),
        }
    }

    fn families(&self) -> Result<[MetricFamily; 2], InvalidLabels> {
        let counter = |name, help| MetricFamily::new(name, MetricKind::Counter, help);
        let mut seconds = counter(
            "node_cpu_seconds_total",
            "Seconds the CPUs spent in each mode.",
        );
        let mut guest = counter(
            "node_cpu_guest_seconds_total",
            "Seconds the CPUs spent in guests (VMs) for each mode.",
        );
        for (cpu, ticks) in &self.highest {
            let cpu = cpu.to_string();
            for (mode, ticks) in MODES.iter().zip(ticks).take(GUEST) {
                let labels = [("cpu", cpu.as_str()), ("mode", mode)];
                seconds.push(&labels, *ticks as f64 / TICKS_PER_SECOND)?;
            }
            // Guest time is part of user and nice as well; it is shown once more on its own.
            for (mode, ticks) in ["user", "nice"].iter().zip(&ticks[GUEST..]) {
                let labels = [("cpu", cpu.as_str()), ("mode", mode)];
                guest.push(&labels, *ticks as f64 / TICKS_PER_SECOND)?;
            }
        }
        Ok([seconds, guest])
    }
}

impl Collector for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let (cpus, outcome) = self.file.parse(parse)?;
        self.highest.retain(|cpu, _| cpus.contains_key(cpu));
        for (cpu, ticks) in cpus {
            let highest = self.highest.entry(cpu).or_insert(ticks);
            advance(highest, &ticks);
        }
        families.extend(self.families()?);
        outcome
    }
}

/// The ticks of each CPU by its number. CPUs that are offline do not stand in the file.
pub(crate) fn parse(text: &str) -> Parsed<BTreeMap<u32, Ticks>> {
    let mut problems = Problems::default();
    let mut cpus = BTreeMap::new();
    for mut fields in lines(text) {
        let Ok(name) = fields.text("name") else {
            continue;
        };
        // The line `cpu` is the sum of the others.
        let Some(number) = name.strip_prefix("cpu").filter(|rest| !rest.is_empty()) else {
            continue;
        };
        let parsed = fields
            .parse(number, "CPU number")
            .and_then(|number| Ok((number, ticks(&mut fields)?)));
        cpus.extend(problems.check(parsed));
    }
    if cpus.is_empty() && problems.count == 0 {
        problems.absent("cpu0");
    }
    problems.with(cpus)
}

fn ticks(fields: &mut Fields<'_>) -> Result<Ticks, Problem> {
    let mut ticks = Ticks::default();
    for (column, (ticks, mode)) in ticks.iter_mut().zip(MODES).enumerate() {
        if column < COLUMNS_MIN {
            *ticks = fields.number(mode)?;
        } else {
            *ticks = fields.optional(mode)?.unwrap_or(0);
        }
    }
    Ok(ticks)
}

/// Raises each mode to its latest value, or starts anew if idle says that the CPU did.
pub(crate) fn advance(highest: &mut Ticks, latest: &Ticks) {
    if highest[IDLE].saturating_sub(latest[IDLE]) >= RESTART_TICKS {
        *highest = *latest;
        return;
    }
    for (highest, latest) in highest.iter_mut().zip(latest) {
        *highest = (*highest).max(*latest);
    }
}
