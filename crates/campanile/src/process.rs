//! What this process itself uses, under the names that Prometheus' client libraries give it.

use std::fs;

use model::{MetricFamily, MetricKind, Timestamp};

/// Ticks a second in /proc/self/stat: Linux fixes it for user space at 100 on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of this process; one that cannot be read is left out.
pub(crate) fn metrics(started: Timestamp) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    let mut add = |name: &str, kind, help: &str, value: Option<f64>| {
        let mut family = MetricFamily::new(name, kind, help);
        if let Some(value) = value {
            family
                .push(&[], value)
                .expect("invariant: a name alone is a valid set of labels");
            families.push(family);
        }
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let descriptors = fs::read_dir("/proc/self/fd")
        .ok()
        .map(|entries| entries.count() as f64);
    let counter = MetricKind::Counter;
    let gauge = MetricKind::Gauge;
    add(
        "process_cpu_seconds_total",
        counter,
        "User and system CPU time spent.",
        cpu_seconds(&stat),
    );
    add(
        "process_resident_memory_bytes",
        gauge,
        "Resident memory.",
        bytes(&status, "VmRSS:"),
    );
    add(
        "process_virtual_memory_bytes",
        gauge,
        "Virtual memory.",
        bytes(&status, "VmSize:"),
    );
    add(
        "process_open_fds",
        gauge,
        "Open file descriptors.",
        descriptors,
    );
    add(
        "process_max_fds",
        gauge,
        "File descriptors that may be open.",
        open_files_max(&limits),
    );
    add(
        "process_threads",
        gauge,
        "Threads.",
        field(&status, "Threads:"),
    );
    let help = "When the process started, in seconds since 1970-01-01 UTC.";
    add(
        "process_start_time_seconds",
        gauge,
        help,
        Some(started.as_seconds()),
    );
    families
}

/// Which program this is, as a metric.
pub(crate) fn build_info() -> MetricFamily {
    let help = "The version of the running program; the value is 1.";
    let mut info = MetricFamily::new("campanile_build_info", MetricKind::Gauge, help);
    info.push(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)
        .expect("invariant: the version is a valid label value");
    info
}

/// The 14th and 15th field; the second, the program's name, may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn bytes(status: &str, name: &str) -> Option<f64> {
    field(status, name).map(|kibibytes| kibibytes * 1024.0)
}

fn open_files_max(limits: &str) -> Option<f64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 9 1000 20";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }

    #[test]
    fn this_process_has_all_figures() {
        let families = metrics(Timestamp::from_millis(1_500));
        let names: Vec<&str> = families.iter().map(|family| family.name.as_str()).collect();
        assert_eq!(names.len(), 7, "{names:?}");
        for family in families
            .iter()
            .filter(|family| family.name != "process_cpu_seconds_total")
        {
            assert!(family.points[0].value > 0.0, "{}", family.name);
        }
    }
}
