//! How many tasks want to run, on average: `/proc/loadavg`.

use std::path::Path;

use model::{MetricFamily, MetricKind};

use super::collector::{Collector, single};
use super::fields::{Fields, Parsed, Problems, lines};
use super::file::KernelFile;
use crate::{CollectError, Problem};

pub(crate) struct Loadavg {
    file: KernelFile,
}

impl Loadavg {
    pub(crate) fn new(procfs: &Path) -> Self {
        let file = KernelFile::new(procfs.join("loadavg"));
        Self { file }
    }
}

impl Collector for Loadavg {
    fn name(&self) -> &'static str {
        "loadavg"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let (averages, outcome) = self.file.parse(parse)?;
        if let Some([one, five, fifteen]) = averages {
            let gauge = MetricKind::Gauge;
            families.push(single("node_load1", gauge, "1m load average.", one)?);
            families.push(single("node_load5", gauge, "5m load average.", five)?);
            families.push(single("node_load15", gauge, "15m load average.", fifteen)?);
        }
        outcome
    }
}

/// The averages over 1, 5 and 15 minutes; none if one of them is not there.
pub(crate) fn parse(text: &str) -> Parsed<Option<[f64; 3]>> {
    let mut problems = Problems::default();
    let averages = match lines(text).next() {
        Some(mut fields) => problems.check(averages(&mut fields)),
        None => {
            problems.absent("the load average");
            None
        }
    };
    problems.with(averages)
}

fn averages(fields: &mut Fields<'_>) -> Result<[f64; 3], Problem> {
    let mut averages = [0.0_f64; 3];
    for (average, minutes) in averages.iter_mut().zip(["1", "5", "15"]) {
        *average = fields.number(&format!("load average over {minutes} min"))?;
        if !average.is_finite() {
            return Err(fields.problem("load average is not finite"));
        }
    }
    Ok(averages)
}
