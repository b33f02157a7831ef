//! What all collectors have in common: a name, and a way to yield families.
//!
//! A collector that understands only part of its files yields that part and an error: it counts as failed, and what it
//! could read is kept. One line of garbage must not blind us to the rest of the machine.

use model::{InvalidLabels, MetricFamily, MetricKind};

use crate::CollectError;

/// Measures one side of the machine.
pub(crate) trait Collector: Send {
    /// The name under which node_exporter knows it.
    fn name(&self) -> &'static str;

    /// Measures, and adds the families. It may block.
    ///
    /// Errors: nothing or only a part was added.
    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError>;
}

/// A family with one point without labels.
pub(crate) fn single(
    name: &str,
    kind: MetricKind,
    help: &str,
    value: f64,
) -> Result<MetricFamily, InvalidLabels> {
    let mut family = MetricFamily::new(name, kind, help);
    family.push(&[], value)?;
    Ok(family)
}
