//! What block devices have read and written: `/proc/diskstats`.
//!
//! Kernels write 14 fields, 18 since 4.18 (discards), 20 since 5.5 (flushes); metrics of absent fields are absent.

use std::path::Path;
use std::sync::LazyLock;

use model::{InvalidLabels, MetricFamily, MetricKind};
use regex::Regex;

use super::collector::Collector;
use super::fields::{Fields, Parsed, Problems, lines};
use super::file::KernelFile;
use super::udev::Udev;
use crate::{CollectError, Problem};

use MetricKind::{Counter, Gauge};

/// Sectors in this file have this size, whatever the device's own.
const SECTOR_BYTES: f64 = 512.0;

/// RAM disks, loop devices and partitions, as node_exporter leaves them out.
static EXCLUDED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$")
        .expect("invariant: the pattern is valid")
});

/// A column of the file, from the fourth on, and the metric it becomes.
struct Column {
    name: &'static str,
    kind: MetricKind,
    unit: Unit,
    help: &'static str,
}

#[derive(Clone, Copy)]
enum Unit {
    Count,
    Sectors,
    Milliseconds,
}

use Unit::{Count, Milliseconds, Sectors};

impl Unit {
    /// The value in the metric's unit: bytes and seconds.
    fn scale(self, value: u64) -> f64 {
        match self {
            Count => value as f64,
            Sectors => value as f64 * SECTOR_BYTES,
            Milliseconds => value as f64 / 1000.0,
        }
    }
}

const fn column(name: &'static str, kind: MetricKind, unit: Unit, help: &'static str) -> Column {
    Column {
        name,
        kind,
        unit,
        help,
    }
}

const COLUMNS: [Column; 17] = [
    column(
        "reads_completed_total",
        Counter,
        Count,
        "The total number of reads completed successfully.",
    ),
    column(
        "reads_merged_total",
        Counter,
        Count,
        "The total number of reads merged.",
    ),
    column(
        "read_bytes_total",
        Counter,
        Sectors,
        "The total number of bytes read successfully.",
    ),
    column(
        "read_time_seconds_total",
        Counter,
        Milliseconds,
        "The total number of seconds spent by all reads.",
    ),
    column(
        "writes_completed_total",
        Counter,
        Count,
        "The total number of writes completed successfully.",
    ),
    column(
        "writes_merged_total",
        Counter,
        Count,
        "The number of writes merged.",
    ),
    column(
        "written_bytes_total",
        Counter,
        Sectors,
        "The total number of bytes written successfully.",
    ),
    column(
        "write_time_seconds_total",
        Counter,
        Milliseconds,
        "This is the total number of seconds spent by all writes.",
    ),
    column(
        "io_now",
        Gauge,
        Count,
        "The number of I/Os currently in progress.",
    ),
    column(
        "io_time_seconds_total",
        Counter,
        Milliseconds,
        "Total seconds spent doing I/Os.",
    ),
    column(
        "io_time_weighted_seconds_total",
        Counter,
        Milliseconds,
        "The weighted # of seconds spent doing I/Os.",
    ),
    column(
        "discards_completed_total",
        Counter,
        Count,
        "The total number of discards completed successfully.",
    ),
    column(
        "discards_merged_total",
        Counter,
        Count,
        "The total number of discards merged.",
    ),
    column(
        "discarded_sectors_total",
        Counter,
        Count,
        "The total number of sectors discarded successfully.",
    ),
    column(
        "discard_time_seconds_total",
        Counter,
        Milliseconds,
        "This is the total number of seconds spent by all discards.",
    ),
    column(
        "flush_requests_total",
        Counter,
        Count,
        "The total number of flush requests completed successfully",
    ),
    column(
        "flush_requests_time_seconds_total",
        Counter,
        Milliseconds,
        "This is the total number of seconds spent by all flush requests.",
    ),
];

/// What every kernel since 2.6.25 writes.
const COLUMNS_MIN: usize = 11;

pub(crate) struct Diskstats {
    file: KernelFile,
    udev: Udev,
}

/// A line of the file.
#[derive(Debug, PartialEq)]
pub(crate) struct Disk<'a> {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) device: &'a str,
    /// As many as the kernel writes, in the order of [`COLUMNS`].
    pub(crate) values: Vec<u64>,
}

impl Diskstats {
    pub(crate) fn new(procfs: &Path, rootfs: &Path) -> Self {
        Self {
            file: KernelFile::optional(procfs.join("diskstats")),
            udev: Udev::new(rootfs),
        }
    }
}

impl Collector for Diskstats {
    fn name(&self) -> &'static str {
        "diskstats"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let udev = &self.udev;
        let (read, outcome) = self.file.parse(|text| {
            let Parsed { value, problems } = parse(text);
            let described = udev.families(&value);
            problems.with((disk_families(&value), described))
        })?;
        let (counted, described) = read;
        families.extend(counted?);
        families.extend(described?);
        outcome
    }
}

/// All devices that are not left out, in the order of the file.
pub(crate) fn parse(text: &str) -> Parsed<Vec<Disk<'_>>> {
    let mut problems = Problems::default();
    let mut disks = Vec::new();
    for mut fields in lines(text) {
        let disk = problems.check(disk(&mut fields));
        disks.extend(disk.filter(|disk| !EXCLUDED.is_match(disk.device)));
    }
    problems.with(disks)
}

fn disk<'a>(fields: &mut Fields<'a>) -> Result<Disk<'a>, Problem> {
    let major = fields.number("major number")?;
    let minor = fields.number("minor number")?;
    let device = fields.text("device")?;
    let mut values = Vec::with_capacity(COLUMNS.len());
    for (index, column) in COLUMNS.iter().enumerate() {
        let value = match fields.next() {
            Some(text) => fields.parse(text, column.name)?,
            None if index < COLUMNS_MIN => {
                return Err(fields.problem(format!("{} is missing", column.name)));
            }
            None => break,
        };
        values.push(value);
    }
    Ok(Disk {
        major,
        minor,
        device,
        values,
    })
}

fn disk_families(disks: &[Disk<'_>]) -> Result<Vec<MetricFamily>, InvalidLabels> {
    let mut families = Vec::with_capacity(COLUMNS.len());
    for (index, column) in COLUMNS.iter().enumerate() {
        let name = format!("node_disk_{}", column.name);
        let mut family = MetricFamily::new(name, column.kind, column.help);
        for disk in disks {
            if let Some(value) = disk.values.get(index) {
                family.push(&[("device", disk.device)], column.unit.scale(*value))?;
            }
        }
        families.push(family);
    }
    Ok(families)
}
