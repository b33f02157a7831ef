//! The figures of `/metrics/live`.

use model::{DiskUse, MetricKind, NetworkRate};

use super::*;
use crate::host::summary::summarize;

#[test]
fn there_is_none_before_the_second_collection() {
    let clock = simulated_clock();
    let host = Host::new(config_of(procfs_of("old-kernel")), clock.clone());
    assert_eq!(host.summary(), None);
    host.collect();
    assert_eq!(host.summary(), None);
    clock.advance(Duration::from_secs(5));
    host.collect();
    let summary = host.summary().unwrap();
    assert_eq!(summary.timestamp, START + Duration::from_secs(5));
    assert_eq!(summary.host, host.nodename);
    assert_eq!(summary.load, Some([0.0, 0.01, 0.05]));
    // Nothing was counted in between.
    assert_eq!(summary.cpu_percent, None);
    // It has no MemAvailable: free + buffers + cached + reclaimable - shared are available.
    let available = 120_392 + 130_120 + 1_201_928 + 130_120 - 20_312;
    assert_eq!(
        summary.memory_used_bytes,
        Some((1_922_136 - available) * 1024)
    );
}

#[test]
fn a_cpu_is_busy_when_it_neither_idles_nor_waits() {
    let name = "node_cpu_seconds_total";
    let before = [
        ("0", "user", 10.0),
        ("0", "idle", 100.0),
        ("0", "iowait", 5.0),
        ("1", "idle", 100.0),
    ];
    let after = [
        ("0", "user", 13.0),
        ("0", "idle", 104.0),
        ("0", "iowait", 6.0),
        ("1", "idle", 108.0),
        ("2", "user", 900.0),
    ];
    let family = |points: &[(&str, &str, f64)]| {
        let points = points
            .iter()
            .map(|(cpu, mode, value)| (vec![("cpu", *cpu), ("mode", *mode)], *value));
        gauges(name, points.collect())
    };
    let summary = summarize(
        "h",
        &collection(0, vec![family(&before)]),
        &collection(5, vec![family(&after)]),
    );
    assert_eq!(summary.cpu_percent, Some(3.0 / 16.0 * 100.0));
}

#[test]
fn memory_in_use_is_what_is_not_available() {
    let memory = |name, value| gauges(name, vec![(vec![], value)]);
    let families = vec![
        memory("node_memory_MemAvailable_bytes", 250.0),
        memory("node_memory_MemFree_bytes", 1.0),
        memory("node_memory_MemTotal_bytes", 1000.0),
    ];
    let summary = summarize("h", &collection(0, vec![]), &collection(5, families));
    assert_eq!(summary.memory_used_bytes, Some(750));
    assert_eq!(summary.memory_percent, Some(75.0));
    assert_eq!((summary.cpu_percent, summary.load), (None, None));
}

#[test]
fn a_device_is_shown_once_and_only_if_it_is_one() {
    let mounts = [
        ("/dev/sda1", "/var/lib/again", 1000.0),
        ("/dev/sda1", "/", 1000.0),
        ("/dev/sdb1", "/data", 0.0),
        ("tmpfs", "/run/user", 1000.0),
        ("filer:/home", "/home", 1000.0),
    ];
    let family = |name: &str, share: f64| {
        let points = mounts.iter().map(|(device, mountpoint, size)| {
            (
                vec![("device", *device), ("mountpoint", *mountpoint)],
                size * share,
            )
        });
        gauges(name, points.collect())
    };
    let families = vec![
        family("node_filesystem_avail_bytes", 0.2),
        family("node_filesystem_free_bytes", 0.4),
        family("node_filesystem_size_bytes", 1.0),
    ];
    let summary = summarize("h", &collection(0, vec![]), &collection(5, families));
    // 600 used, 200 left for users: the rest is reserved, as df counts.
    let expected = DiskUse {
        mountpoint: "/".to_owned(),
        used_percent: 75.0,
        free_bytes: 200,
    };
    assert_eq!(summary.disks, [expected]);
}

#[test]
fn network_rates_are_those_since_the_previous_collection() {
    let devices = |receive: [f64; 2], transmit: [f64; 2]| {
        let family = |name, [eth0, eth1]: [f64; 2]| {
            gauges(
                name,
                vec![
                    (vec![("device", "eth0")], eth0),
                    (vec![("device", "eth1")], eth1),
                ],
            )
        };
        vec![
            family("node_network_receive_bytes_total", receive),
            family("node_network_transmit_bytes_total", transmit),
        ]
    };
    let before = collection(0, devices([1000.0, 900.0], [50.0, 50.0]));
    let after = collection(5, devices([6000.0, 100.0], [50.0, 300.0]));
    let rate = |device: &str, receive, transmit| NetworkRate {
        device: device.to_owned(),
        receive_bytes_per_second: receive,
        transmit_bytes_per_second: transmit,
    };
    // The counter of eth1 has begun anew.
    let expected = [rate("eth0", 1000.0, 0.0), rate("eth1", 20.0, 50.0)];
    assert_eq!(summarize("h", &before, &after).network, expected);
}

fn collection(seconds: u64, families: Vec<MetricFamily>) -> Collection {
    let monotonic = Duration::from_secs(seconds);
    Collection {
        timestamp: START + monotonic,
        monotonic,
        families,
        failures: Default::default(),
    }
}

fn gauges(name: &str, points: Vec<(Vec<(&str, &str)>, f64)>) -> MetricFamily {
    let mut family = MetricFamily::new(name, MetricKind::Gauge, "help");
    for (labels, value) in points {
        family.push(&labels, value).unwrap();
    }
    family
}
