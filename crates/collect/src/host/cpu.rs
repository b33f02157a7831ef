//! Time that each CPU has spent in each mode: the `cpuN` lines of `/proc/stat`.
//!
//! The kernel's counters may step back a little (idle and iowait are estimates), which a counter must not: the highest
//! value is kept, unless idle falls so far that the CPU has been taken off and put back.

use std::collections::BTreeMap;
use std::path::Path;

use model::{InvalidLabels, Labels, MetricFamily, MetricKind, NAME, Point};

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

const SECONDS: &str = "node_cpu_seconds_total";
const GUEST_SECONDS: &str = "node_cpu_guest_seconds_total";

/// Even the oldest kernel writes user, nice, system and idle.
const COLUMNS_MIN: usize = 4;

/// Ticks by mode, in the order of [`MODES`].
pub(crate) type Ticks = [u64; MODES.len()];

pub(crate) struct Cpu {
    file: KernelFile,
    cores: BTreeMap<u32, Core>,
}

/// What is remembered of a CPU. Labels are made once: a server has thousands of these series.
struct Core {
    highest: Ticks,
    /// In the order of [`MODES`].
    labels: Vec<Labels>,
}

impl Cpu {
    pub(crate) fn new(procfs: &Path) -> Self {
        Self {
            file: KernelFile::new(procfs.join("stat")),
            cores: BTreeMap::new(),
        }
    }

    fn families(&self) -> [MetricFamily; 2] {
        let counter = |name, help| MetricFamily::new(name, MetricKind::Counter, help);
        let mut seconds = counter(SECONDS, "Seconds the CPUs spent in each mode.");
        let mut guest = counter(
            GUEST_SECONDS,
            "Seconds the CPUs spent in guests (VMs) for each mode.",
        );
        seconds.points.reserve(self.cores.len() * GUEST);
        for core in self.cores.values() {
            let points = core.highest.iter().zip(&core.labels);
            let mut points = points.map(|(ticks, labels)| Point {
                labels: labels.clone(),
                value: *ticks as f64 / TICKS_PER_SECOND,
                timestamp: None,
            });
            seconds.points.extend(points.by_ref().take(GUEST));
            guest.points.extend(points);
        }
        [seconds, guest]
    }
}

impl Core {
    fn new(cpu: u32, ticks: Ticks) -> Result<Self, InvalidLabels> {
        let cpu = cpu.to_string();
        let mut labels = Vec::with_capacity(MODES.len());
        for mode in MODES {
            // Guest time is part of user and nice as well; it is shown once more on its own.
            let (name, mode) = match mode {
                "guest" => (GUEST_SECONDS, "user"),
                "guest_nice" => (GUEST_SECONDS, "nice"),
                mode => (SECONDS, mode),
            };
            let pairs = [(NAME, name), ("cpu", &cpu), ("mode", mode)];
            labels.push(Labels::from_pairs(pairs)?);
        }
        Ok(Self {
            highest: ticks,
            labels,
        })
    }
}

impl Collector for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let (cpus, outcome) = self.file.parse(parse)?;
        self.cores.retain(|cpu, _| cpus.contains_key(cpu));
        for (cpu, ticks) in cpus {
            match self.cores.get_mut(&cpu) {
                Some(core) => advance(&mut core.highest, &ticks),
                None => drop(self.cores.insert(cpu, Core::new(cpu, ticks)?)),
            }
        }
        families.extend(self.families());
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
