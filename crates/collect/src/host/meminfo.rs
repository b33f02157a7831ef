//! Memory and what it is used for: `/proc/meminfo`, every field under its own name.

use std::path::Path;

use model::{MetricFamily, MetricKind};

use super::collector::{Collector, single};
use super::fields::{Fields, Parsed, Problems, lines};
use super::file::KernelFile;
use crate::{CollectError, Problem};

pub(crate) struct Meminfo {
    file: KernelFile,
}

/// One line: the name as it stands in the metric's name, and the value in bytes or as a plain count.
#[derive(Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: u64,
}

impl Meminfo {
    pub(crate) fn new(procfs: &Path) -> Self {
        let file = KernelFile::new(procfs.join("meminfo"));
        Self { file }
    }
}

impl Collector for Meminfo {
    fn name(&self) -> &'static str {
        "meminfo"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let (fields, outcome) = self.file.parse(parse)?;
        for Field { name, value } in fields {
            let kind = if name.ends_with("_total") {
                MetricKind::Counter
            } else {
                MetricKind::Gauge
            };
            let metric = format!("node_memory_{name}");
            let help = format!("Memory information field {name}.");
            families.push(single(&metric, kind, &help, value as f64)?);
        }
        outcome
    }
}

/// The fields in the order of the file; of two with one name the first counts.
pub(crate) fn parse(text: &str) -> Parsed<Vec<Field>> {
    let mut problems = Problems::default();
    let mut values: Vec<Field> = Vec::new();
    for mut fields in lines(text) {
        let Some(field) = problems.check(field(&mut fields)) else {
            continue;
        };
        if !values.iter().any(|known| known.name == field.name) {
            values.push(field);
        }
    }
    if values.is_empty() && problems.count == 0 {
        problems.absent("memory");
    }
    problems.with(values)
}

fn field(fields: &mut Fields<'_>) -> Result<Field, Problem> {
    let key = fields.text("name")?;
    let Some(key) = key.strip_suffix(':') else {
        return Err(fields.problem(format!("{key:?} does not end in a colon")));
    };
    let mut name = metric_name(key);
    let value: u64 = fields.number("size")?;
    let value = match fields.next() {
        None => value,
        Some("kB") => {
            name.push_str("_bytes");
            let bytes = value.checked_mul(1024);
            bytes.ok_or_else(|| fields.problem(format!("{value} kB is out of range")))?
        }
        Some(unit) => return Err(fields.problem(format!("{unit:?} is no unit, only kB is"))),
    };
    Ok(Field { name, value })
}

/// `Active(anon)` becomes `Active_anon`; whatever else may not stand in a metric's name becomes `_`.
fn metric_name(key: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    key.strip_suffix(')')
        .unwrap_or(key)
        .chars()
        .map(allowed)
        .collect()
}
