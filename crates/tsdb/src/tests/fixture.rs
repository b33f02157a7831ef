//! Segments that earlier versions wrote are read for ever. A new version of the format adds a directory.

use std::path::Path;
use std::time::Duration;

use model::{
    Disk, Labels, Metadata, MetricKind, SampleBatch, SampleSink, SeriesSource, stale_marker,
};
use testkit::SimulatedDisk;

use super::{Contents, DIRECTORY, NOW, config, contents, open, segment_path};

const VERSION_1: &[u8] = include_bytes!("../../testdata/v1/00000001.wal");

/// What the fixtures hold.
fn samples() -> Vec<(Labels, i64, f64)> {
    let series = |name, host| Labels::from_pairs([("__name__", name), ("host", host)]).unwrap();
    let long = "é".repeat(300);
    let up = series("up", "a");
    let mut samples = Vec::new();
    for (step, value) in [0.0, 1.0, -1.0, 0.5, 1e15, -0.0, f64::NAN, f64::INFINITY]
        .iter()
        .enumerate()
    {
        let timestamp = (NOW + Duration::from_secs(15 * step as u64)).as_millis();
        samples.push((up.clone(), timestamp, *value));
        samples.push((series("load", &long), timestamp, 0.1 * step as f64));
        samples.push((
            series("seconds_total", "b"),
            timestamp + 1,
            123_456.0 + step as f64,
        ));
    }
    samples.push((up, NOW.as_millis() - 5, stale_marker()));
    samples
}

fn description() -> (String, Metadata) {
    let metadata = Metadata {
        kind: MetricKind::Counter,
        help: "Time that went by.".to_owned(),
        unit: "seconds".to_owned(),
    };
    ("seconds_total".to_owned(), metadata)
}

/// A disk on which a store has written the fixture's samples.
fn written() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk, config()).unwrap();
    store.describe(&[description()]).unwrap();
    for part in samples().chunks(10) {
        let timestamp = model::Timestamp::from_millis;
        let rows = part
            .iter()
            .map(|(labels, at, value)| (labels, timestamp(*at), *value));
        assert!(
            store
                .append(&SampleBatch::packed(rows))
                .unwrap()
                .rejected
                .is_empty()
        );
    }
    disk
}

#[test]
fn a_segment_of_version_1_is_read() {
    let disk = SimulatedDisk::new(1);
    disk.create_directory(&Path::new(DIRECTORY).join("wal"))
        .unwrap();
    disk.open_append(&segment_path(1))
        .unwrap()
        .append(VERSION_1)
        .unwrap();
    let (store, recovery) = open(&disk, config()).unwrap();
    assert_eq!((recovery.broken_records, recovery.torn_bytes), (0, 0));
    let mut expected = Contents::new();
    for (labels, timestamp, value) in samples() {
        expected
            .entry(labels)
            .or_default()
            .insert(timestamp, value.to_bits());
    }
    assert_eq!(contents(&store), expected);
    assert_eq!(store.metadata().unwrap(), [description()].into());
}

#[test]
fn version_1_is_what_is_written_today() {
    assert_eq!(written().read(&segment_path(1)).unwrap(), VERSION_1);
}

#[test]
fn a_segment_of_a_later_version_is_left_alone() {
    let mut later = VERSION_1.to_vec();
    later[8] = 2;
    let checksum = crc32fast::hash(&later[..20]);
    later[20..24].copy_from_slice(&checksum.to_le_bytes());
    let disk = SimulatedDisk::new(1);
    disk.create_directory(&Path::new(DIRECTORY).join("wal"))
        .unwrap();
    disk.open_append(&segment_path(1))
        .unwrap()
        .append(&later)
        .unwrap();
    let error = open(&disk, config()).err().unwrap().to_string();
    assert!(
        error.contains("00000001.wal has format version 2"),
        "{error}"
    );
    assert_eq!(disk.read(&segment_path(1)).unwrap(), later);
}

/// Writes the fixture. Only for a new version of the format.
#[test]
#[ignore = "writes the fixture of a new version"]
fn write_the_fixture() {
    let content = written().read(&segment_path(1)).unwrap();
    std::fs::write("testdata/v1/00000001.wal", content).unwrap();
}
