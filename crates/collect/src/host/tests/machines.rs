//! Real machines' files, and what comes of them, whole.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use expect_test::{ExpectFile, expect, expect_file};
use model::Clock;
use tempfile::TempDir;

use super::*;
use crate::host::filesystem::{Filesystem, Usage};
use crate::host::{collectors, time, uname};

/// Families with more points are shown by their number and sum.
const SHOWN_POINTS_MAX: usize = 100;

#[test]
fn a_virtual_machine_shows_all_there_is() {
    check(
        "virtual-machine",
        "/",
        expect_file!["../../../testdata/virtual-machine/metrics.txt"],
    );
}

#[test]
fn an_arm_board_shows_its_card_and_no_pressure() {
    check(
        "arm-board",
        "/",
        expect_file!["../../../testdata/arm-board/metrics.txt"],
    );
}

#[test]
fn a_container_shows_the_machine_around_it() {
    check(
        "container",
        "/host",
        expect_file!["../../../testdata/container/metrics.txt"],
    );
}

#[test]
fn a_server_with_256_cores_shows_them_all() {
    check(
        "server-256",
        "/",
        expect_file!["../../../testdata/server-256/metrics.txt"],
    );
}

#[test]
fn an_old_kernel_shows_what_it_counts() {
    check(
        "old-kernel",
        "/",
        expect_file!["../../../testdata/old-kernel/metrics.txt"],
    );
}

#[test]
fn families_are_sorted_and_described() {
    let host = Host::new(Config::default(), simulated_clock());
    let families = host.collect().families;
    assert!(families.is_sorted_by(|a, b| a.name < b.name));
    for family in families {
        assert!(!family.metadata.help.is_empty(), "{}", family.name);
        assert!(!family.points.is_empty(), "{}", family.name);
        assert!(
            family
                .points
                .iter()
                .all(|point| point.labels.metric_name() == family.name)
        );
    }
}

#[test]
fn what_the_kernel_lacks_is_no_fault() {
    let host = Host::new(config_of(procfs_of("arm-board")), simulated_clock());
    let collection = host.collect();
    assert_eq!(success_of(&collection, "pressure"), 0.0);
    assert!(collection.failures["pressure"].no_data);
    assert_eq!(host.health().state, model::HealthState::Healthy);
}

#[test]
fn the_last_collection_is_what_metrics_show() {
    let host = Host::new(config_of(procfs_of("old-kernel")), simulated_clock());
    assert_eq!(host.latest(), []);
    let collection = host.collect();
    assert_eq!(host.latest(), collection.families);
    let shown = |name, label| value_of(&host.metrics(), name, label);
    assert_eq!(
        shown("campanile_collections_total", ("result", "success")),
        1.0
    );
    assert_eq!(
        shown("campanile_collections_total", ("result", "partial")),
        0.0
    );
    let last_success = "campanile_collector_last_success_timestamp_seconds";
    assert_eq!(
        shown(last_success, ("collector", "cpu")),
        START.as_seconds()
    );
    assert!(shown(last_success, ("collector", "pressure")).is_nan());
}

#[test]
fn disks_are_described_as_udev_knows_them() {
    let root = procfs_of("server-256");
    let mut config = config_of(root.clone());
    config.rootfs = root.parent().unwrap().join("rootfs");
    let families = Host::new(config, simulated_clock()).collect().families;
    let described = families.iter().filter(|family| {
        family.name.ends_with("_info") || family.name.starts_with("node_disk_ata")
    });
    let points = described.flat_map(|family| &family.points);
    let named = points.filter(|point| {
        let device = point.labels.get("device");
        matches!(device, Some("md0" | "nvme0n1" | "nvme1n1"))
    });
    let shown: Vec<String> = named
        .map(|point| format!("{} {}\n", point.labels, point.value))
        .collect();
    expect![[r#"
        node_disk_ata_rotation_rate_rpm{device="nvme1n1"} 7200
        node_disk_ata_write_cache{device="nvme1n1"} 1
        node_disk_ata_write_cache_enabled{device="nvme1n1"} 0
        node_disk_device_mapper_info{device="md0",lv_name="data",name="data",uuid="LVM-a1b2",vg_name="system"} 1
        node_disk_filesystem_info{device="md0",type="xfs",usage="filesystem",uuid="0d8a9f1e-5b0e-4c0f-9a51-3f0f3f1c9e11"} 1
        node_disk_info{device="nvme0n1",major="259",minor="0",model="SAMSUNG MZQL21T9HCJR-00A07",path="pci-0000:01:00.0-nvme-1",revision="GDC5302Q",serial="S64GNE0R",wwn="eui.36344730526000130025384500000001"} 1
        node_disk_info{device="nvme1n1",major="259",minor="2",serial="WD-WCC7K3"} 1
        node_disk_info{device="md0",major="9",minor="0"} 1
    "#]].assert_eq(&shown.concat());
}

#[test]
fn a_serial_number_is_the_one_printed_on_the_disk_if_it_is_known() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("run/udev/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(
        directory.path().join("diskstats"),
        "8 0 sda 1 2 3 4 5 6 7 8 9 10 11",
    )
    .unwrap();
    let mut config = config_of(directory.path().to_owned());
    config.rootfs = directory.path().to_owned();
    let host = Host::new(config, simulated_clock());
    let mut known = String::new();
    for (property, serial) in [
        ("ID_SERIAL", "long"),
        ("ID_SERIAL_SHORT", "short"),
        ("SCSI_IDENT_SERIAL", "printed"),
    ] {
        known += &format!("E:{property}={serial}\n");
        fs::write(data.join("b8:0"), &known).unwrap();
        let families = host.collect().families;
        assert_eq!(
            value_of(&families, "node_disk_info", ("serial", serial)),
            1.0
        );
    }
}

fn check(machine: &str, rootfs: &str, expected: ExpectFile) {
    let mut config = config_of(procfs_of(machine));
    config.rootfs = rootfs.into();
    let clock: Arc<dyn Clock> = simulated_clock();
    let mut collectors = collectors(&config, PATIENCE, &clock);
    // The system under the test is none of the fixture's.
    collectors.retain(|collector| !["filesystem", "time", "uname"].contains(&collector.name()));
    let measure = Arc::new(measure);
    let filesystem = Filesystem::measured_by(measure, &config.procfs, &config.rootfs, PATIENCE);
    collectors.push(Box::new(filesystem));
    let host = Host::with_collectors(config, clock, PATIENCE, collectors);
    expected.assert_eq(&shown(&host.collect()));
}

/// File systems whose numbers tell which path was asked for.
fn measure(path: PathBuf) -> io::Result<Usage> {
    let path = path.to_str().unwrap();
    if path.contains("odd") {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(Usage {
        size_bytes: 1e6 + path.len() as f64,
        free_bytes: 5e5,
        avail_bytes: 4e5,
        files: 1000.0,
        files_free: 900.0,
    })
}

fn shown(collection: &Collection) -> String {
    let mut shown = String::new();
    for family in &collection.families {
        let name = &family.name;
        shown += &format!("# {} {}\n", name, family.metadata.kind);
        if family.points.len() > SHOWN_POINTS_MAX {
            let sum: f64 = family.points.iter().map(|point| point.value).sum();
            shown += &format!("{name}: {} points, sum {sum}\n", family.points.len());
            continue;
        }
        for point in &family.points {
            shown += &format!("{} {}\n", point.labels, point.value);
        }
    }
    for (name, failure) in &collection.failures {
        let reason = failure.reason.replace(env!("CARGO_MANIFEST_DIR"), "");
        shown += &format!("# {name}: {reason}\n");
    }
    shown
}

#[test]
fn the_machine_tells_its_name_and_time_zone() {
    let mut families = Vec::new();
    uname::Uname.read(&mut families).unwrap();
    let mut time = time::Time::new(Path::new("/sys"), simulated_clock());
    time.read(&mut families).unwrap();
    let name = uname::nodename();
    assert!(!name.is_empty());
    assert_eq!(
        value_of(&families, "node_uname_info", ("nodename", &name)),
        1.0
    );
    assert_eq!(
        value_of(&families, "node_time_seconds", ("", "")),
        START.as_seconds()
    );
}
