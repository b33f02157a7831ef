//! Which kernel this is and what the machine is called: uname(2).

use model::{InvalidLabels, MetricFamily, MetricKind};

use super::collector::Collector;
use crate::CollectError;

pub(crate) struct Uname;

impl Collector for Uname {
    fn name(&self) -> &'static str {
        "uname"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        families.push(family()?);
        Ok(())
    }
}

/// What the machine is called.
pub(crate) fn nodename() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

fn family() -> Result<MetricFamily, InvalidLabels> {
    let mut family = MetricFamily::new(
        "node_uname_info",
        MetricKind::Gauge,
        "Labeled system information as provided by the uname system call.",
    );
    let uname = rustix::system::uname();
    let labels = [
        ("domainname", uname.domainname()),
        ("machine", uname.machine()),
        ("nodename", uname.nodename()),
        ("release", uname.release()),
        ("sysname", uname.sysname()),
        ("version", uname.version()),
    ]
    .map(|(name, value)| (name, value.to_string_lossy()));
    family.push(
        &labels.each_ref().map(|(name, value)| (*name, &**value)),
        1.0,
    )?;
    Ok(family)
}
