//! `thresholds:` of the configuration: rules over this machine's metrics that need nothing but a number.

use std::time::Duration;

use document::{Section, Value};

use crate::GroupDefinition;
use crate::host::{group, rule};

/// From which share in percent something is alarming.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Use of all processors together; not watched if absent.
    pub cpu_percent: Option<f64>,
    /// Memory that programs could not have.
    pub memory_percent: Option<f64>,
    /// Use of each file system.
    pub disk_percent: Option<f64>,
    /// How long it must last before an alert fires.
    pub hold: Duration,
    /// How long nothing more is sent about the same labels after a firing notification; it is for the router.
    pub cooldown: Duration,
}

impl Thresholds {
    /// Reads the section; what is wrong is noted with its document.
    pub fn read(mut section: Section<'_>) -> Self {
        let cpu_percent = section.value("cpu_percent").and_then(percent);
        let memory_percent = section.value("memory_percent").and_then(percent);
        let disk_percent = section.value("disk_percent").and_then(percent);
        let hold = section.value("for").and_then(Value::duration);
        let cooldown = section.value("cooldown").and_then(Value::duration);
        section.finish();
        Self {
            cpu_percent,
            memory_percent,
            disk_percent,
            hold: hold.unwrap_or(Duration::from_secs(5 * 60)),
            cooldown: cooldown.unwrap_or(Duration::ZERO),
        }
    }

    /// The rules that watch them.
    pub fn group(&self) -> GroupDefinition {
        let mut rules = Vec::new();
        if let Some(percent) = self.cpu_percent {
            rules.push(rule::cpu(percent, self.hold));
        }
        if let Some(percent) = self.memory_percent {
            rules.push(rule::memory(percent, self.hold));
        }
        if let Some(percent) = self.disk_percent {
            rules.push(rule::disk(percent, self.hold));
        }
        group("thresholds", rules)
    }
}

fn percent(value: Value<'_>) -> Option<f64> {
    let percent = value.clone().float()?;
    if percent > 0.0 && percent <= 100.0 {
        return Some(percent);
    }
    value.refuse(format!(
        "{} is no share in percent; write a number above 0, at most 100",
        value.shown()
    ));
    None
}
