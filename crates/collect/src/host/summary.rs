//! The few figures that a person asks for first, computed from two collections.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{DiskUse, HostSummary, MetricFamily, NetworkRate};

use super::Collection;

/// Reduces a collection; rates are those since `previous`.
pub(crate) fn summarize(host: &str, previous: &Collection, latest: &Collection) -> HostSummary {
    let memory = memory(latest);
    HostSummary {
        timestamp: latest.timestamp,
        host: host.to_owned(),
        cpu_percent: cpu_percent(previous, latest),
        memory_percent: memory.and_then(|(used, total)| percent(used, total)),
        memory_used_bytes: memory.map(|(used, _)| used as u64),
        load: load(latest),
        disks: disks(latest),
        network: network(previous, latest),
    }
}

/// Seconds neither idle nor waiting for I/O, of all seconds. Only CPUs that are in both collections count.
fn cpu_percent(previous: &Collection, latest: &Collection) -> Option<f64> {
    let name = "node_cpu_seconds_total";
    let before = values(previous, name, ["cpu", "mode"]);
    let (mut busy, mut all) = (0.0, 0.0);
    for (labels, seconds) in values(latest, name, ["cpu", "mode"]) {
        let Some(seconds_before) = before.get(&labels) else {
            continue;
        };
        let spent = (seconds - seconds_before).max(0.0);
        all += spent;
        if !matches!(labels[1], "idle" | "iowait") {
            busy += spent;
        }
    }
    percent(busy, all)
}

/// Used and all memory in bytes.
fn memory(latest: &Collection) -> Option<(f64, f64)> {
    let field = |name| value(latest, name);
    let total = field("node_memory_MemTotal_bytes")?;
    let available = field("node_memory_MemAvailable_bytes").or_else(|| {
        // Kernels before 3.14 do not estimate it: what is free or can be freed, but for what only looks like cache.
        let shared = field("node_memory_Shmem_bytes").unwrap_or(0.0);
        Some(
            field("node_memory_MemFree_bytes")?
                + field("node_memory_Buffers_bytes")?
                + field("node_memory_Cached_bytes")?
                + field("node_memory_SReclaimable_bytes").unwrap_or(0.0)
                - shared,
        )
    })?;
    Some(((total - available).clamp(0.0, total), total))
}

fn load(latest: &Collection) -> Option<[f64; 3]> {
    Some([
        value(latest, "node_load1")?,
        value(latest, "node_load5")?,
        value(latest, "node_load15")?,
    ])
}

/// A device that is mounted several times is shown once, at its shortest mount point.
fn disks(latest: &Collection) -> Vec<DiskUse> {
    let labels = ["device", "mountpoint"];
    let size = values(latest, "node_filesystem_size_bytes", labels);
    let free = values(latest, "node_filesystem_free_bytes", labels);
    let avail = values(latest, "node_filesystem_avail_bytes", labels);
    let mut by_device: BTreeMap<&str, DiskUse> = BTreeMap::new();
    for (key, avail) in &avail {
        let [device, mountpoint] = *key;
        let (Some(size), Some(free)) = (size.get(key), free.get(key)) else {
            continue;
        };
        let used = size - free;
        let Some(used_percent) = percent(used, used + avail) else {
            continue;
        };
        if !device.starts_with("/dev/") {
            continue;
        }
        let rank = |mountpoint: &str| (mountpoint.len(), mountpoint.to_owned());
        let known = by_device.get(device);
        if known.is_none_or(|known| rank(mountpoint) < rank(&known.mountpoint)) {
            let disk = DiskUse {
                mountpoint: mountpoint.to_owned(),
                used_percent,
                free_bytes: *avail as u64,
            };
            by_device.insert(device, disk);
        }
    }
    let mut disks: Vec<DiskUse> = by_device.into_values().collect();
    disks.sort_by(|a, b| a.mountpoint.cmp(&b.mountpoint));
    disks
}

/// Rates of the devices that are in both collections; a counter that fell back has begun anew at zero.
fn network(previous: &Collection, latest: &Collection) -> Vec<NetworkRate> {
    let elapsed = latest.monotonic.saturating_sub(previous.monotonic);
    let rates = |name| {
        let before = values(previous, name, ["device"]);
        let mut rates = BTreeMap::new();
        for ([device], value) in values(latest, name, ["device"]) {
            if let Some(before) = before.get(&[device]) {
                rates.insert(device, rate(*before, value, elapsed));
            }
        }
        rates
    };
    let receive = rates("node_network_receive_bytes_total");
    let transmit = rates("node_network_transmit_bytes_total");
    let mut network = Vec::new();
    for (device, receive) in receive {
        if let (Some(receive), Some(Some(transmit))) = (receive, transmit.get(device)) {
            network.push(NetworkRate {
                device: device.to_owned(),
                receive_bytes_per_second: receive,
                transmit_bytes_per_second: *transmit,
            });
        }
    }
    network
}

fn rate(before: f64, after: f64, elapsed: Duration) -> Option<f64> {
    let increase = if after < before {
        after
    } else {
        after - before
    };
    (!elapsed.is_zero()).then(|| increase / elapsed.as_secs_f64())
}

fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole * 100.0)
}

/// A family's points by the values of some of its labels; the first of equal ones counts.
fn values<'a, const N: usize>(
    collection: &'a Collection,
    name: &str,
    labels: [&str; N],
) -> BTreeMap<[&'a str; N], f64> {
    let mut values = BTreeMap::new();
    let Some(family) = family(collection, name) else {
        return values;
    };
    for point in &family.points {
        let key = labels.map(|label| point.labels.get(label).unwrap_or(""));
        values.entry(key).or_insert(point.value);
    }
    values
}

fn value(collection: &Collection, name: &str) -> Option<f64> {
    Some(family(collection, name)?.points.first()?.value)
}

/// Families are sorted by name.
fn family<'a>(collection: &'a Collection, name: &str) -> Option<&'a MetricFamily> {
    let found = collection
        .families
        .binary_search_by(|family| family.name.as_str().cmp(name));
    Some(&collection.families[found.ok()?])
}
