//! Files that are not as they should be: the error says where, the rest is kept, and nothing panics.

use std::fs;

use expect_test::{Expect, expect};
use model::HealthState;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::host::loadavg::Loadavg;
use crate::host::parse_with_every_parser;

#[test]
fn a_word_among_the_ticks_is_named_and_the_other_cpus_are_kept() {
    let stat = "cpu  1 2 3 4\ncpu0 100 2 3 4\ncpu1 100 two 3 4\ncpu2 1 2 3\nctxt 5\n";
    let (collection, _) = collect_with("stat", stat);
    check_failure(
        &collection,
        "cpu",
        expect![[
            r#"/stat line 3 field 3: nice is "two", not a number in range (and 1 more problem)"#
        ]],
    );
    let seconds = |cpu| value_of(&collection.families, "node_cpu_seconds_total", ("cpu", cpu));
    assert_eq!(seconds("0"), 1.0);
    assert!(seconds("1").is_nan());
    assert_eq!(success_of(&collection, "cpu"), 0.0);
    assert_eq!(success_of(&collection, "stat"), 1.0);
}

#[test]
fn a_short_line_of_a_disk_is_named() {
    let text = " 8 0 sda 1 2 3 4 5 6 7 8 9 10\n 8 16 sdb 1 2 3 4 5 6 7 8 9 10 11\n";
    let (collection, _) = collect_with("diskstats", text);
    check_failure(
        &collection,
        "diskstats",
        expect!["/diskstats line 1 field 14: io_time_weighted_seconds_total is missing"],
    );
    let weighted = "node_disk_io_time_weighted_seconds_total";
    assert_eq!(
        value_of(&collection.families, weighted, ("device", "sdb")),
        0.011
    );
}

#[test]
fn a_network_device_without_colon_is_named() {
    let text =
        "heading\nheading\n eth0 1 2 3\n eth1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n eth2:-1\n";
    let (collection, _) = collect_with("net/dev", text);
    check_failure(
        &collection,
        "netdev",
        expect![
            "/net/dev line 3 field 1: there is no colon behind the device's name (and 2 more problems)"
        ],
    );
}

#[test]
fn memory_in_another_unit_is_named() {
    let text = "MemTotal: 10 kB\nMemFree: 7 MB\nCached 5 kB\nHuge: 18446744073709551615 kB\n";
    let (collection, _) = collect_with("meminfo", text);
    check_failure(
        &collection,
        "meminfo",
        expect![[r#"/meminfo line 2 field 3: "MB" is no unit, only kB is (and 2 more problems)"#]],
    );
    let total = "node_memory_MemTotal_bytes";
    assert_eq!(value_of(&collection.families, total, ("", "")), 10240.0);
}

#[test]
fn a_load_that_is_no_number_is_named() {
    let (collection, _) = collect_with("loadavg", "0.5 NaN 0.1 1/2 3\n");
    check_failure(
        &collection,
        "loadavg",
        expect!["/loadavg line 1 field 2: load average is not finite"],
    );
}

#[test]
fn empty_files_are_faults() {
    for (file, collector, expected) in [
        (
            "loadavg",
            "loadavg",
            expect!["/loadavg line 1 field 1: the load average is missing in the whole file"],
        ),
        (
            "stat",
            "cpu",
            expect!["/stat line 1 field 1: cpu0 is missing in the whole file"],
        ),
        (
            "stat",
            "stat",
            expect!["/stat line 1 field 1: ctxt is missing in the whole file"],
        ),
        (
            "meminfo",
            "meminfo",
            expect!["/meminfo line 1 field 1: memory is missing in the whole file"],
        ),
        (
            "sys/fs/file-nr",
            "filefd",
            expect![
                "/sys/fs/file-nr line 1 field 1: the number of open files is missing in the whole file"
            ],
        ),
    ] {
        let (collection, _) = collect_with(file, "");
        check_failure(&collection, collector, expected);
    }
}

#[test]
fn a_mount_without_options_is_named() {
    let (collection, _) = collect_with("mounts", "/dev/sda1 /boot\n");
    check_failure(
        &collection,
        "filesystem",
        expect!["/mounts line 1 field 3: file system type is missing"],
    );
}

#[test]
fn a_faulty_pressure_is_named_before_an_absent_one() {
    let text = "some avg10=0.00 total=12\nfull avg10=0.00\n";
    let (collection, _) = collect_with("pressure/io", text);
    check_failure(
        &collection,
        "pressure",
        expect!["/pressure/io line 2 field 3: total is missing"],
    );
    assert!(!collection.failures["pressure"].no_data);
    let waiting = "node_pressure_io_waiting_seconds_total";
    assert_eq!(value_of(&collection.families, waiting, ("", "")), 12e-6);
}

#[test]
fn a_proc_that_is_not_there_is_a_fault_of_those_who_need_it() {
    let (collection, _) = collect_with("elsewhere", "");
    check_failure(
        &collection,
        "cpu",
        expect!["cannot read /stat: No such file or directory (os error 2)"],
    );
    let faults = collection
        .failures
        .iter()
        .filter(|(_, failure)| !failure.no_data);
    let names: Vec<&str> = faults.map(|(name, _)| *name).collect();
    let expected = [
        "cpu",
        "filefd",
        "filesystem",
        "loadavg",
        "meminfo",
        "netdev",
        "stat",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_fault_degrades_health_until_it_is_gone() {
    let clock = simulated_clock();
    let directory = TempDir::new().unwrap();
    let write = |text| fs::write(directory.path().join("loadavg"), text).unwrap();
    write("1 2 3");
    let config = config_of(directory.path().to_owned());
    let loadavg = Box::new(Loadavg::new(&config.procfs));
    let host = Host::with_collectors(config, clock.clone(), PATIENCE, vec![loadavg]);
    host.collect();
    assert_eq!(host.health().state, HealthState::Healthy);

    write("1 2");
    clock.advance(Duration::from_secs(5));
    let failed_at = START + Duration::from_secs(5);
    host.collect();
    clock.advance(Duration::from_secs(5));
    host.collect();
    let health = host.health();
    assert_eq!(
        (health.component, health.state, health.since),
        ("host", HealthState::Degraded, failed_at)
    );
    let reason = health
        .reason
        .replace(directory.path().to_str().unwrap(), "");
    expect![
        "loadavg: /loadavg line 1 field 3: load average over 15 min is missing, last good 10 s ago"
    ]
    .assert_eq(&reason);

    write("1 2 3");
    clock.advance(Duration::from_secs(5));
    host.collect();
    let health = host.health();
    assert_eq!(
        (health.state, health.reason.as_str()),
        (HealthState::Healthy, "")
    );
    let counted = value_of(
        &host.metrics(),
        "campanile_collections_total",
        ("result", "partial"),
    );
    assert_eq!(counted, 2.0);
}

#[test]
fn a_directory_in_place_of_a_file_is_a_fault() {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("loadavg")).unwrap();
    let host = Host::new(config_of(directory.path().to_owned()), simulated_clock());
    let collection = host.collect();
    assert!(!collection.failures["loadavg"].no_data);
    assert_eq!(host.health().state, HealthState::Degraded);
}

#[test]
fn bytes_that_are_no_text_are_shown_as_well_as_can_be() {
    let directory = TempDir::new().unwrap();
    let mounts = b"/dev/sda1 /srv/\xff\xfe ext4 rw 0 0\n";
    fs::write(directory.path().join("mounts"), mounts).unwrap();
    let host = Host::new(config_of(directory.path().to_owned()), simulated_clock());
    let families = host.collect().families;
    let error = "node_filesystem_device_error";
    assert_eq!(
        value_of(&families, error, ("mountpoint", "/srv/\u{fffd}\u{fffd}")),
        1.0
    );
}

#[test]
fn a_counter_of_a_cpu_never_steps_back_but_for_a_cpu_that_was_off() {
    let directory = TempDir::new().unwrap();
    let host = Host::new(config_of(directory.path().to_owned()), simulated_clock());
    let seconds_after = |stat: &str| {
        fs::write(directory.path().join("stat"), stat).unwrap();
        let families = host.collect().families;
        ["user", "idle", "iowait"]
            .map(|mode| value_of(&families, "node_cpu_seconds_total", ("mode", mode)))
    };
    assert_eq!(seconds_after("cpu0 100 0 0 1000 50"), [1.0, 10.0, 0.5]);
    assert_eq!(seconds_after("cpu0 200 0 0 999 40"), [2.0, 10.0, 0.5]);
    assert_eq!(seconds_after("cpu0 200 0 0 1010 60"), [2.0, 10.1, 0.6]);
    assert_eq!(seconds_after("cpu0 5 0 0 7 1"), [0.05, 0.07, 0.01]);
    assert!(
        seconds_after("cpu1 5 0 0 7 1")
            .iter()
            .all(|value| *value < 0.1)
    );
}

proptest! {
    #[test]
    fn no_parser_panics_on_any_text(text in any::<String>()) {
        parse_with_every_parser(&text);
    }

    #[test]
    fn no_parser_panics_on_files_that_were_damaged(
        machine in prop::sample::select(vec!["virtual-machine", "arm-board", "old-kernel", "container"]),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, any::<u8>()), 1..20),
    ) {
        for file in ["stat", "meminfo", "diskstats", "loadavg", "net/dev", "1/mounts", "pressure/io"] {
            let Ok(mut bytes) = fs::read(procfs_of(machine).join(file)) else {
                continue;
            };
            for (index, kind, byte) in &damages {
                damage(&mut bytes, index, *kind, *byte);
            }
            parse_with_every_parser(&String::from_utf8_lossy(&bytes));
        }
    }
}

/// Replaces a byte, inserts one, cuts the rest off or swaps two halves.
fn damage(bytes: &mut Vec<u8>, index: &prop::sample::Index, kind: usize, byte: u8) {
    if bytes.is_empty() {
        return;
    }
    let at = index.index(bytes.len());
    match kind {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => bytes.truncate(at),
        _ => bytes.rotate_left(at),
    }
}

/// Collects from a /proc that holds only one file.
fn collect_with(file: &str, text: &str) -> (Collection, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    let host = Host::new(config_of(directory.path().to_owned()), simulated_clock());
    let mut collection = host.collect();
    for failure in collection.failures.values_mut() {
        failure.reason = failure
            .reason
            .replace(directory.path().to_str().unwrap(), "");
    }
    (collection, directory)
}

fn check_failure(collection: &Collection, collector: &str, expected: Expect) {
    let reason = collection
        .failures
        .get(collector)
        .map(|failure| failure.reason.as_str());
    expected.assert_eq(reason.unwrap_or("no failure"));
}
