//! What is encoded is read back.

use std::path::Path;

use model::{Disk as _, Metadata};
use proptest::prelude::*;
use testkit::SimulatedDisk;

use super::fixture::{Action, Contents, Entry, Writer, actions};
use crate::log::encoder::TooLong;
use crate::log::record::{FILE_HEADER, RECORD_HEADER, seal};
use crate::log::{LogEncoder, ReplayError, ReplayReport, inspect_log, replay};

/// Reads a file from a disk.
pub(crate) fn read_back(number: u64, file: &[u8]) -> (Contents, ReplayReport) {
    let disk = SimulatedDisk::new(1);
    let path = Path::new("/log");
    disk.open_append(path).unwrap().append(file).unwrap();
    let mut contents = Contents::default();
    let report = replay(&disk, path, number, &mut contents).unwrap();
    (contents, report)
}

fn check(writer: &Writer, number: u64) {
    let (contents, report) = read_back(number, &writer.file);
    assert_eq!(contents, writer.contents);
    let expected = ReplayReport {
        number,
        bytes: writer.file.len() as u64,
        end: writer.file.len() as u64,
        records: writer.encoder.records(),
        definitions: contents.series.len() as u64,
        samples: contents.samples(),
        descriptions: contents.descriptions.len() as u64,
        attachments: report.attachments,
        time: report.time,
        ..ReplayReport::default()
    };
    assert_eq!(report, expected);
    assert_eq!(inspect_log(number, &writer.file).unwrap(), report);
}

proptest! {
    #[test]
    fn what_is_logged_is_read_back(number in 1u64..3, mut first in actions(60), second in actions(30)) {
        first.push(Action::Finish);
        first.push(Action::Epoch);
        first.extend(second);
        let mut writer = Writer::new(number);
        for action in first {
            writer.carry_out(action);
        }
        writer.finish();
        check(&writer, number);
    }
}

fn labels(index: usize) -> Vec<(String, String)> {
    let label = |name: &str, value: String| (name.to_owned(), value);
    vec![
        label("__name__", format!("metric_{}", index % 20)),
        label("instance", format!("host-{}.example.org", index % 500)),
        label("job", "node".to_owned()),
        label("pod", format!("app-{:08x}", index * 7919)),
    ]
}

#[test]
fn large_batches_take_several_records_and_epochs() {
    let mut writer = Writer::new(1);
    for index in 0..70_000 {
        writer.define(&labels(index));
        writer.sample(
            index as u32,
            5,
            (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        );
    }
    for step in 0..4 {
        for reference in 0..70_000 {
            writer.sample(
                reference,
                10 + step,
                u64::from(reference) << 40 | step as u64,
            );
        }
        writer.finish();
    }
    assert!(writer.encoder.epoch() > 1, "one epoch only");
    assert!(writer.encoder.records() > 5);
    check(&writer, 1);
}

#[test]
fn what_repeats_takes_an_eighth_of_a_byte_and_known_labels_a_few_bytes() {
    let mut writer = Writer::new(1);
    for index in 0..10_000 {
        writer.define(&labels(index));
    }
    writer.finish();
    let definitions = writer.file.len() / 10_000;
    assert!(definitions < 30, "{definitions} bytes each");
    for reference in 0..10_000 {
        writer.sample(reference, 5, 1.5f64.to_bits());
    }
    writer.finish();
    let before = writer.file.len();
    for reference in 0..10_000 {
        writer.sample(reference, 20, 1.5f64.to_bits());
    }
    writer.finish();
    let repeated = writer.file.len() - before;
    assert!((1_250..1_320).contains(&repeated), "{repeated} bytes");
}

#[test]
fn another_file_begins_with_nothing_known() {
    let mut writer = Writer::new(1);
    writer.define(&labels(1));
    writer.define(&labels(1));
    writer.sample(0, 1, 77);
    writer.finish();
    let epoch = writer.encoder.epoch();
    writer.sample(0, 2, 78);
    writer.encoder.rotate(2);
    assert!(writer.encoder.epoch() > epoch);
    let mut second = Writer::new(2);
    std::mem::swap(&mut second.encoder, &mut writer.encoder);
    second.define(&labels(1));
    second.sample(0, 3, 79);
    second.finish();
    let (contents, report) = read_back(2, &second.file);
    assert_eq!(contents, second.contents);
    assert_eq!((report.records, report.broken.count), (2, 0));
}

#[test]
fn what_is_larger_than_a_record_is_refused_and_changes_nothing() {
    let huge = "x".repeat(9 << 20);
    let mut encoder = LogEncoder::new(1);
    let refused: TooLong = encoder.define([("a", &*huge)].into_iter()).unwrap_err();
    assert!(refused.to_string().starts_with("9437"), "{refused}");
    assert!(encoder.attachment(0, 1, 1, huge.as_bytes()).is_err());
    let metadata = Metadata {
        help: huge,
        ..Metadata::default()
    };
    assert!(encoder.describe("a", &metadata).is_err());
    assert!(encoder.finish().is_empty());
    assert_eq!(encoder.references(), 0);

    let mut writer = Writer::new(1);
    writer.define(&labels(1));
    let large = vec![7; 8 << 20];
    writer.attach(0, 3, -5, &large);
    writer.sample(0, -5, 1);
    writer.attach(0, 255, i64::MIN, &[]);
    writer.finish();
    let (contents, _) = read_back(1, &writer.file);
    let expected = vec![
        Entry::Attachment(3, -5, large),
        Entry::Sample(-5, 1),
        Entry::Attachment(255, i64::MIN, Vec::new()),
    ];
    assert_eq!(contents.entries[&0], expected);
}

#[test]
fn another_version_is_refused_with_what_to_do() {
    let mut file = Writer::new(7).file;
    file[8] = 1;
    let checksum = crc32fast::hash(&file[..20]);
    file[20..24].copy_from_slice(&checksum.to_le_bytes());
    let error = inspect_log(7, &file).unwrap_err();
    assert!(matches!(error, ReplayError::Version { version: 1, .. }));
    assert_eq!(
        error.to_string(),
        "00000007.wal has format version 1, this program reads version 2: \
         use the program that wrote it, or move the file away"
    );
}

#[test]
fn records_of_later_kinds_are_passed_over_and_counted() {
    let mut file = Writer::new(1).file;
    let mut record = vec![0; RECORD_HEADER];
    record.extend_from_slice(b"later");
    seal(&mut record, 200, 1, FILE_HEADER as u64);
    file.extend_from_slice(&record);
    let report = inspect_log(1, &file).unwrap();
    assert_eq!((report.records, report.records_unknown), (1, 1));
    assert_eq!((report.broken.count, report.torn_bytes), (0, 0));
}
