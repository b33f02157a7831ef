//! Blocks that turn out to be broken while they are in use.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{
    Disk, HealthState, SampleBatch, SampleColumns, SampleSink, Selection, SeriesSource,
    StorageAdmin, Timestamp,
};

use testkit::{Operation, ReadFault, SimulatedDisk};

use super::fixture::written;
use super::{DIRECTORY, NOW, config, contents, labels, open};
use crate::Store;
use crate::log::{LogEncoder, file_header, parse_file_name};

/// Reads all series; how many could not be read.
fn unreadable(store: &Store) -> usize {
    let selection = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = store.select(&selection).unwrap();
    let read = |index: &usize| {
        selected
            .read(*index, &mut SampleColumns::default())
            .is_err()
    };
    (0..selected.len()).filter(read).count()
}

#[test]
fn a_block_that_a_reader_finds_broken_is_told_and_no_merge_takes_it_away() {
    let path = Path::new(DIRECTORY).join("blocks/00000006.block");
    let disk = written();
    // In its first page.
    disk.flip_bit(&path, 70 * 8);
    let (store, recovery) = open(&disk, config()).unwrap();
    assert_eq!(recovery.blocks_broken, 0);
    assert_eq!(store.health().state, HealthState::Healthy);
    assert!(unreadable(&store) > 0);
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert!(
        health.reason.contains("00000006.block"),
        "{}",
        health.reason
    );
    let series = labels("later");
    for round in 0..8 {
        let at = NOW + Duration::from_secs(round);
        let batch = SampleBatch::packed([(&series, at, 1.0)]);
        store.append(&batch).unwrap();
        store.flush().unwrap();
    }
    let mut merges = 0;
    while store.compact().unwrap() {
        merges += 1;
    }
    assert!(merges > 0);
    store.kill();
    let (store, _) = open(&disk, config()).unwrap();
    assert!(disk.length(&path).is_ok());
    assert!(unreadable(&store) > 0);
}

#[test]
fn a_new_block_gets_no_number_that_a_deletion_concerns() {
    let disk = written();
    // As retention does: what was written last was the oldest.
    for number in [5, 6] {
        let name = format!("blocks/{number:08}.block");
        disk.remove(&Path::new(DIRECTORY).join(name)).unwrap();
    }
    let (store, _) = open(&disk, config()).unwrap();
    store.flush().unwrap();
    let blocks = disk.list(&Path::new(DIRECTORY).join("blocks")).unwrap();
    assert!(blocks.contains(&"00000007.block".to_owned()), "{blocks:?}");
}

#[test]
fn a_log_goes_only_once_the_next_one_is_on_the_disk_and_a_broken_one_is_set_aside_once() {
    let disk = written();
    let (store, _) = open(&disk, config()).unwrap();
    let shared = &store.shared;
    let logs = Path::new(DIRECTORY).join("wal");
    let old = disk.list(&logs).unwrap().remove(0);
    let number = parse_file_name(&old).unwrap();
    // Something for the log that is not there yet.
    let active = shared.view().active().generation;
    shared.commits.publish(active, &mut vec![1; 100]);
    let before = disk.count(Operation::Sync);
    disk.fail_after(Operation::Sync, 0, io::ErrorKind::Other);
    shared.remove_log(number);
    assert!(disk.count(Operation::Sync) > before);
    assert!(disk.list(&logs).unwrap().contains(&old));
    store.kill();

    let (store, _) = open(&disk, config()).unwrap();
    store.shared.condition.note_damaged_log(number);
    // The sync of the directory.
    disk.fail_after(Operation::Sync, 0, io::ErrorKind::Other);
    store.shared.remove_log(number);
    let names = disk.list(&logs).unwrap();
    assert!(names.contains(&format!("{old}.broken")), "{names:?}");
    assert!(store.shared.condition.has_doomed_logs());
    store.shared.remove_doomed();
    assert!(!store.shared.condition.has_doomed_logs());
    assert_eq!(disk.list(&logs).unwrap(), names);
}

/// The path of the only log of [`written`].
fn log_of(disk: &SimulatedDisk) -> PathBuf {
    let logs = Path::new(DIRECTORY).join("wal");
    logs.join(disk.list(&logs).unwrap().remove(0))
}

/// Puts other bytes in the place of a log.
fn replace(disk: &SimulatedDisk, path: &Path, bytes: &[u8]) {
    disk.remove(path).unwrap();
    let mut file = disk.open_append(path).unwrap();
    file.append(bytes).unwrap();
    file.sync().unwrap();
}

fn aside(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.broken", path.display()))
}

#[test]
fn a_log_in_which_nothing_is_whole_is_set_aside_however_it_came_to_that() {
    let wiped = |log: &[u8]| vec![0; log.len()];
    let headless = |log: &[u8]| [&[0; 64], &log[64..]].concat();
    let garbage = |log: &[u8]| [&log[..24], &vec![7; 10_000]].concat();
    for index in 0..3 {
        let disk = written();
        let path = log_of(&disk);
        let log = disk.read(&path).unwrap();
        let bytes = [wiped(&log), headless(&log), garbage(&log)][index].clone();
        replace(&disk, &path, &bytes);
        let (store, _) = open(&disk, config()).unwrap();
        store.flush().unwrap();
        assert_eq!(disk.read(&aside(&path)).unwrap(), bytes, "{index}");
        assert_eq!(store.health().state, HealthState::Degraded);
    }
    // A write that was interrupted is no damage.
    let disk = written();
    let path = log_of(&disk);
    let torn = disk.read(&path).unwrap()[..20].to_vec();
    replace(&disk, &path, &torn);
    let (store, _) = open(&disk, config()).unwrap();
    assert!(disk.length(&path).is_err() && disk.length(&aside(&path)).is_err());
    assert_eq!(store.health().state, HealthState::Healthy);
}

#[test]
fn a_log_with_something_that_is_not_understood_is_set_aside_once_the_rest_is_in_a_block() {
    for unknown in 0..4 {
        let disk = written();
        let path = log_of(&disk);
        let number = parse_file_name(path.file_name().unwrap().to_str().unwrap()).unwrap();
        let mut encoder = LogEncoder::new(number);
        let good = encoder.define(labels("good").iter()).unwrap();
        let at = NOW.as_millis();
        encoder.sample(good, at, 1.0f64.to_bits(), 0);
        let mut attach = |kind| encoder.attachment(good, kind, at, b"?").unwrap();
        match unknown {
            0 => attach(99),
            1 => attach(crate::append::LATE),
            2 => attach(crate::attachment::HISTOGRAM),
            _ => {
                let twice = [("twice", "a"), ("twice", "b")];
                encoder.define(twice.into_iter()).unwrap();
            }
        }
        let log = [&file_header(number)[..], encoder.finish()].concat();
        replace(&disk, &path, &log);
        let (store, recovery) = open(&disk, config()).unwrap();
        assert_eq!(recovery.broken_stretches(), 0);
        store.flush().unwrap();
        assert_eq!(disk.read(&aside(&path)).unwrap(), log, "{unknown}");
        assert_eq!(contents(&store)[&labels("good")].len(), 1);
    }
}

#[test]
fn what_the_disk_refuses_to_read_is_left_alone_and_the_rest_is_there() {
    let blocks = Path::new(DIRECTORY).join("blocks");
    let disk = written();
    let all = contents(&open(&disk, config()).unwrap().0);
    for is_log in [false, true] {
        let disk = written();
        let path = match is_log {
            true => log_of(&disk),
            false => blocks.join("00000006.block"),
        };
        let bytes = disk.read(&path).unwrap();
        disk.break_reads(&path, Some(ReadFault::Fail(io::ErrorKind::Other)));
        let (store, _) = open(&disk, config()).unwrap();
        let health = store.health();
        assert_eq!(health.state, HealthState::Degraded);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(health.reason.contains(name), "{}", health.reason);
        assert!(!contents(&store).is_empty());
        store.flush().unwrap();
        while store.compact().unwrap() {}
        store.clean_tombstones().unwrap();
        store.maintain(NOW);
        store.kill();
        disk.break_reads(&path, None);
        assert_eq!(disk.read(&path).unwrap(), bytes);
        let (store, _) = open(&disk, config()).unwrap();
        assert_eq!(contents(&store), all, "log: {is_log}");
    }
}
