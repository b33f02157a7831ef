//! What network devices have received and sent: `/proc/net/dev`, and one counter of /sys that it lacks.

use std::path::{Path, PathBuf};

use model::{InvalidLabels, MetricFamily, MetricKind};

use super::collector::Collector;
use super::fields::{Fields, Parsed, Problems};
use super::file::{KernelFile, read_value};
use crate::{CollectError, Problem};

/// The columns of the file behind the device's name.
const COLUMNS: [&str; 16] = [
    "receive_bytes",
    "receive_packets",
    "receive_errs",
    "receive_drop",
    "receive_fifo",
    "receive_frame",
    "receive_compressed",
    "receive_multicast",
    "transmit_bytes",
    "transmit_packets",
    "transmit_errs",
    "transmit_drop",
    "transmit_fifo",
    "transmit_colls",
    "transmit_carrier",
    "transmit_compressed",
];

/// How many lines of headings there are.
const HEADINGS: usize = 2;

pub(crate) struct Netdev {
    file: KernelFile,
    fallback: KernelFile,
    classes: PathBuf,
}

/// A line of the file.
#[derive(Debug, PartialEq)]
pub(crate) struct Device<'a> {
    pub(crate) name: &'a str,
    /// In the order of [`COLUMNS`].
    pub(crate) values: [u64; COLUMNS.len()],
}

impl Netdev {
    pub(crate) fn new(procfs: &Path, sysfs: &Path) -> Self {
        // `net` is a link to the reader's own network; seen from a container, the machine's is that of process 1.
        let own = procfs == Path::new("/proc");
        let file = if own { "net/dev" } else { "1/net/dev" };
        Self {
            file: KernelFile::new(procfs.join(file)),
            fallback: KernelFile::new(procfs.join("net/dev")),
            classes: sysfs.join("class/net"),
        }
    }
}

impl Collector for Netdev {
    fn name(&self) -> &'static str {
        "netdev"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let classes = &self.classes;
        let parse = |text: &str| {
            let Parsed { value, problems } = parse(text);
            problems.with(device_families(&value, classes))
        };
        let (read, outcome) = match self.file.parse(parse) {
            Ok(parsed) => parsed,
            // Process 1 may be hidden from us.
            Err(_) => self.fallback.parse(parse)?,
        };
        families.extend(read?);
        outcome
    }
}

/// All devices but the loopback, in the order of the file.
pub(crate) fn parse(text: &str) -> Parsed<Vec<Device<'_>>> {
    let mut problems = Problems::default();
    let mut devices = Vec::new();
    for (number, line) in (1..).zip(text.lines()).skip(HEADINGS) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let device = problems.check(device(line, number));
        devices.extend(device.filter(|device| device.name != "lo"));
    }
    problems.with(devices)
}

/// Reads `eth0: 1 2 …`; old kernels write no space behind the colon, and a name may hold a colon itself.
fn device(line: &str, number: usize) -> Result<Device<'_>, Problem> {
    let Some((name, rest)) = line.rsplit_once(':') else {
        return Err(Fields::new(line, number).problem("there is no colon behind the device's name"));
    };
    let mut fields = Fields::new(rest, number).behind(1);
    let mut values = [0; COLUMNS.len()];
    for (value, column) in values.iter_mut().zip(COLUMNS) {
        *value = fields.number(column)?;
    }
    Ok(Device {
        name: name.trim_ascii(),
        values,
    })
}

fn device_families(
    devices: &[Device<'_>],
    classes: &Path,
) -> Result<Vec<MetricFamily>, InvalidLabels> {
    let mut families = Vec::with_capacity(COLUMNS.len() + 1);
    for (index, column) in COLUMNS.iter().enumerate() {
        let mut family = family(column);
        for device in devices {
            family.push(&[("device", device.name)], device.values[index] as f64)?;
        }
        families.push(family);
    }
    let mut nohandler = family("receive_nohandler");
    for device in devices {
        let path = classes.join(device.name).join("statistics/rx_nohandler");
        // Kernels before 4.6 do not count it.
        if let Some(value) = read_value(&path).and_then(|text| text.parse::<u64>().ok()) {
            nohandler.push(&[("device", device.name)], value as f64)?;
        }
    }
    families.push(nohandler);
    Ok(families)
}

fn family(column: &str) -> MetricFamily {
    let name = format!("node_network_{column}_total");
    let help = format!("Network device statistic {column}.");
    MetricFamily::new(name, MetricKind::Counter, help)
}
