//! Open files of the whole machine and how many there may be: `/proc/sys/fs/file-nr`.

use std::path::Path;

use model::{MetricFamily, MetricKind};

use super::collector::{Collector, single};
use super::fields::{Fields, Parsed, Problems, lines};
use super::file::KernelFile;
use crate::{CollectError, Problem};

pub(crate) struct Filefd {
    file: KernelFile,
}

#[derive(Debug, PartialEq)]
pub(crate) struct OpenFiles {
    pub(crate) allocated: u64,
    pub(crate) maximum: u64,
}

impl Filefd {
    pub(crate) fn new(procfs: &Path) -> Self {
        let file = KernelFile::new(procfs.join("sys/fs/file-nr"));
        Self { file }
    }
}

impl Collector for Filefd {
    fn name(&self) -> &'static str {
        "filefd"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let (open_files, outcome) = self.file.parse(parse)?;
        if let Some(OpenFiles { allocated, maximum }) = open_files {
            for (name, value) in [("allocated", allocated), ("maximum", maximum)] {
                let metric = format!("node_filefd_{name}");
                let help = format!("File descriptor statistics: {name}.");
                families.push(single(&metric, MetricKind::Gauge, &help, value as f64)?);
            }
        }
        outcome
    }
}

/// Allocated and maximum; between them stands a number that has been zero since Linux 2.6.
pub(crate) fn parse(text: &str) -> Parsed<Option<OpenFiles>> {
    let mut problems = Problems::default();
    let open_files = match lines(text).next() {
        Some(mut fields) => problems.check(open_files(&mut fields)),
        None => {
            problems.absent("the number of open files");
            None
        }
    };
    problems.with(open_files)
}

fn open_files(fields: &mut Fields<'_>) -> Result<OpenFiles, Problem> {
    let allocated = fields.number("allocated")?;
    fields.number::<u64>("unused")?;
    let maximum = fields.number("maximum")?;
    Ok(OpenFiles { allocated, maximum })
}
