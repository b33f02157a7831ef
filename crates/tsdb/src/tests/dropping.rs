//! What the retention drops for good, and what it must not.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Clock, HealthState, Matcher, SampleBatch, SampleSink, StorageAdmin, StorageError, Timestamp,
};
use testkit::{Operation, SimulatedClock, SimulatedDisk};

use super::{DIRECTORY, NOW, config, contents, labels};
use crate::{Config, Store};

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn open(disk: &SimulatedDisk, clock: &Arc<SimulatedClock>, config: Config) -> Store {
    let disk = Arc::new(disk.process());
    let opened = Store::open(disk, Path::new(DIRECTORY), clock.clone(), config);
    opened.unwrap().0
}

pub(super) fn append(store: &Store, clock: &SimulatedClock) {
    let series: Vec<_> = (0..50).map(|i| labels(&format!("series_{i}"))).collect();
    let rows = series.iter().map(|labels| (labels, clock.now(), 1.0));
    let appended = store.append(&SampleBatch::packed(rows)).unwrap();
    assert_eq!(appended.rejected, []);
}

/// A block of each of so many days, the last of which ends now.
pub(super) fn write_days(store: &Store, clock: &SimulatedClock, days: u32) {
    for _ in 0..days {
        clock.advance(DAY);
        append(store, clock);
        store.flush().unwrap();
    }
}

pub(super) fn blocks(store: &Store) -> u64 {
    store.statistics(1).blocks.count
}

#[test]
fn where_dropping_frees_nothing_the_share_of_the_disk_does_not_cost_everything() {
    let (disk, clock) = (SimulatedDisk::new(1), Arc::new(SimulatedClock::new(NOW)));
    let store = open(&disk, &clock, config());
    write_days(&store, &clock, 12);
    store.snapshot(false).unwrap();
    assert_eq!(blocks(&store), 12);
    let block = store.statistics(1).blocks.bytes / 12;
    let total = disk.used() + (64 << 20);
    disk.set_capacity(Some(total));
    let share = (disk.used() - 2 * block) as f64 / total as f64;
    store.reconfigure(Config {
        retention_share: Some(share),
        ..config()
    });
    store.maintain(clock.now());
    let left = blocks(&store);
    assert!((9..12).contains(&left), "{left} blocks");
    for _ in 0..5 {
        clock.advance(Duration::from_secs(30));
        store.maintain(clock.now());
    }
    assert_eq!(blocks(&store), left);
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert!(health.reason.contains("snapshot"), "{}", health.reason);
}

#[test]
fn a_clock_that_is_wrong_for_a_while_costs_nothing() {
    let (disk, clock) = (SimulatedDisk::new(1), Arc::new(SimulatedClock::new(NOW)));
    let config = Config {
        selector_retention: vec![(vec![Matcher::equal("__name__", "series_1")], DAY)],
        ..config()
    };
    let store = open(&disk, &clock, config.clone());
    write_days(&store, &clock, 6);
    clock.advance(Duration::from_secs(60));
    append(&store, &clock);
    let before = contents(&store);
    let right = clock.now();
    clock.set(right + 4000 * DAY);
    store.maintain(clock.now());
    while store.compact().unwrap() {}
    append(&store, &clock);
    store.maintain(clock.now());
    store.kill();
    // What the log holds comes back too.
    clock.set(right + 4001 * DAY);
    let store = open(&disk, &clock, config);
    clock.set(right);
    let mut after = contents(&store);
    for samples in after.values_mut() {
        samples.retain(|at, _| *at <= right.as_millis());
    }
    assert_eq!(after, before);
    clock.advance(Duration::from_secs(60));
    let new = labels("new");
    let batch = SampleBatch::packed([(&new, right - Duration::from_secs(60), 1.0)]);
    assert_eq!(store.append(&batch).unwrap().rejected, []);
}

#[test]
fn a_clock_that_was_wrong_for_long_does_not_keep_new_samples_out() {
    let (disk, clock) = (SimulatedDisk::new(1), Arc::new(SimulatedClock::new(NOW)));
    let store = open(&disk, &clock, config());
    write_days(&store, &clock, 3);
    let right = clock.now();
    clock.set(right + 4000 * DAY);
    append(&store, &clock);
    store.flush().unwrap();
    store.maintain(clock.now());
    assert_eq!(
        blocks(&store),
        1,
        "the old ones are too old, says all there is"
    );
    clock.set(right + DAY);
    let new = labels("new");
    let batch = SampleBatch::packed([(&new, clock.now(), 1.0)]);
    assert_eq!(store.append(&batch).unwrap().rejected, []);
    assert_eq!(contents(&store)[&new].len(), 1);
}

#[test]
fn a_limit_of_bytes_below_what_is_in_memory_leaves_what_was_just_written() {
    let (disk, clock) = (SimulatedDisk::new(1), Arc::new(SimulatedClock::new(NOW)));
    let store = open(&disk, &clock, config());
    write_days(&store, &clock, 8);
    let of_blocks = store.statistics(1).blocks.bytes;
    // Twice as much in the log as all files may have, and blocks of half of it.
    while store.shared.log_bytes() < 2 * of_blocks {
        clock.advance(Duration::from_secs(1));
        append(&store, &clock);
    }
    store.reconfigure(Config {
        retention_bytes: of_blocks,
        ..config()
    });
    store.maintain(clock.now());
    assert_eq!(blocks(&store), 4);
    store.reconfigure(Config {
        retention_bytes: 1,
        ..config()
    });
    store.maintain(clock.now());
    assert_eq!(blocks(&store), 1);
}

#[test]
fn what_cannot_be_moved_to_disk_is_tried_less_and_less_often() {
    let (disk, clock) = (SimulatedDisk::new(1), Arc::new(SimulatedClock::new(NOW)));
    let store = open(&disk, &clock, config());
    append(&store, &clock);
    let shared = &store.shared;
    shared.freeze(&mut shared.writer().unwrap()).unwrap();
    let tries = |operation: Operation| {
        let before = disk.count(operation);
        for _ in 0..90 {
            shared.tick();
            shared.flush_frozen();
            clock.advance(Duration::from_secs(1));
        }
        disk.count(operation) - before
    };
    disk.fail_some(Operation::Open, 1, io::ErrorKind::Other);
    // After 0, 1, 2, 4, 8, 16, 32 and 62 seconds.
    assert_eq!(tries(Operation::Open), 8);
    assert_eq!(store.health().state, HealthState::Degraded);
    // A full disk is not written to at all.
    disk.clear_faults();
    disk.set_capacity(Some(disk.used()));
    assert_eq!(tries(Operation::Append), 0);
    assert_eq!(store.health().state, HealthState::Unhealthy);
    disk.set_capacity(None);
    tries(Operation::Open);
    assert_eq!(blocks(&store), 1);
    assert_eq!(store.health().state, HealthState::Healthy);
}

#[test]
fn a_closed_store_changes_no_files() {
    let (disk, clock) = (SimulatedDisk::new(1), Arc::new(SimulatedClock::new(NOW)));
    let store = open(&disk, &clock, config());
    write_days(&store, &clock, 4);
    append(&store, &clock);
    store.close().unwrap();
    let before = disk.operations();
    let everything = [vec![Matcher::equal("job", "a")]];
    let refused = [
        store.flush().map_err(StorageError::from),
        store.compact().map(|_| ()).map_err(StorageError::from),
        store.snapshot(true).map(|_| ()),
        store.clean_tombstones(),
        store.delete(&everything, Timestamp::MIN, Timestamp::MAX),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("the store is closed"), "{error}");
    }
    store.maintain(Timestamp::MAX);
    assert_eq!(disk.operations(), before);
    assert_eq!(blocks(&store), 4);
}
