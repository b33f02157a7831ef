//! The machine's clock: its time, time zone and time sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use model::{Clock, MetricFamily, MetricKind};

use super::collector::{Collector, single};
use super::file::read_value;
use crate::CollectError;

/// How many clock source devices are looked at; machines have one.
const DEVICES_MAX: usize = 64;

pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    sources: PathBuf,
}

/// The time zone in force at some moment.
#[derive(Debug, PartialEq)]
pub(crate) struct Zone {
    pub(crate) abbreviation: String,
    pub(crate) offset_seconds: i32,
}

impl Time {
    pub(crate) fn new(sysfs: &Path, clock: Arc<dyn Clock>) -> Self {
        let sources = sysfs.join("devices/system/clocksource");
        Self { clock, sources }
    }
}

impl Collector for Time {
    fn name(&self) -> &'static str {
        "time"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let gauge = MetricKind::Gauge;
        let now = self.clock.now();
        families.push(single(
            "node_time_seconds",
            gauge,
            "System time in seconds since epoch (1970).",
            now.as_seconds(),
        )?);
        let zone = zone(now.as_millis());
        let mut offset = MetricFamily::new(
            "node_time_zone_offset_seconds",
            gauge,
            "System time zone offset in seconds.",
        );
        let labels = [("time_zone", zone.abbreviation.as_str())];
        offset.push(&labels, f64::from(zone.offset_seconds))?;
        families.push(offset);
        families.extend(self.sources()?);
        Ok(())
    }
}

impl Time {
    fn sources(&self) -> Result<[MetricFamily; 2], CollectError> {
        let info = |name, help| MetricFamily::new(name, MetricKind::Gauge, help);
        let mut available = info(
            "node_time_clocksource_available_info",
            "Available clocksources read from '/sys/devices/system/clocksource'.",
        );
        let mut current = info(
            "node_time_clocksource_current_info",
            "Current clocksource read from '/sys/devices/system/clocksource'.",
        );
        let mut directories: Vec<PathBuf> = match fs::read_dir(&self.sources) {
            Ok(entries) => entries
                .flatten()
                .take(DEVICES_MAX)
                .map(|entry| entry.path())
                .collect(),
            // A container may have no /sys; the time is known all the same.
            Err(_) => Vec::new(),
        };
        directories.sort();
        for directory in directories {
            let name = directory.file_name().map(|name| name.to_string_lossy());
            let Some(device) = name
                .as_ref()
                .and_then(|name| name.strip_prefix("clocksource"))
            else {
                continue;
            };
            let names = read_value(&directory.join("available_clocksource")).unwrap_or_default();
            for name in names.split_ascii_whitespace() {
                available.push(&[("clocksource", name), ("device", device)], 1.0)?;
            }
            if let Some(name) = read_value(&directory.join("current_clocksource")) {
                current.push(&[("clocksource", &name), ("device", device)], 1.0)?;
            }
        }
        Ok([available, current])
    }
}

/// The system's time zone at a moment; UTC if the system names none.
fn zone(now_milliseconds: i64) -> Zone {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let now = jiff::Timestamp::from_millisecond(now_milliseconds).unwrap_or_default();
    let info = zone.to_offset_info(now);
    Zone {
        abbreviation: info.abbreviation().to_owned(),
        offset_seconds: info.offset().seconds(),
    }
}
