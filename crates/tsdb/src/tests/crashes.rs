//! The store on a disk that dies, loses power, fails and flips bits: nothing acknowledged is lost, nothing invented.

use std::io;
use std::path::Path;

use model::{
    Disk as _, HealthState, Labels, MatchKind, Matcher, Metadata, SampleBatch, SampleSink,
    SeriesSource, StorageAdmin, Timestamp,
};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use testkit::{Operation, SimulatedDisk};

use super::{Contents, DIRECTORY, NOW, config, contents, labels, log_path, open};
use crate::{Config, Error, Store};

type Sample = (Labels, i64, u64);

/// Small memtables, so that a few batches fill several.
fn small_memtables() -> Config {
    Config {
        memtable_bytes: 2_000,
        ..config()
    }
}

/// A sender whose batches follow from a seed; each sample is sent once.
struct Sender {
    random: TestRng,
    step: i64,
}

impl Sender {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            random: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            step: 0,
        }
    }

    fn batch(&mut self) -> Vec<Sample> {
        self.step += 10;
        let count = 1 + self.random.next_u32() % 12;
        let mut rows = Vec::new();
        for _ in 0..count {
            let random = self.random.next_u32();
            let late = if random.is_multiple_of(5) {
                i64::from(random % 100) * 10
            } else {
                0
            };
            let series = labels(&format!("series_{}", random / 7 % 15));
            let timestamp = NOW.as_millis() + self.step - late;
            let bits = self.random.next_u64() >> (self.random.next_u32() % 64);
            if !rows.iter().any(|(l, t, _)| (l, *t) == (&series, timestamp)) {
                rows.push((series, timestamp, bits));
            }
        }
        rows
    }
}

/// What may and what must be in the store.
#[derive(Default)]
struct Ledger {
    acknowledged: Contents,
    /// Of the batch that was under way.
    uncertain: Vec<Sample>,
}

impl Ledger {
    /// Sends a batch; false if it failed.
    fn send(&mut self, store: &Store, rows: Vec<Sample>) -> bool {
        let timestamp = model::Timestamp::from_millis;
        let samples = rows
            .iter()
            .map(|(l, t, bits)| (l, timestamp(*t), f64::from_bits(*bits)));
        let Ok(appended) = store.append(&SampleBatch::packed(samples)) else {
            self.uncertain.extend(rows);
            return false;
        };
        for (index, (labels, timestamp, bits)) in rows.into_iter().enumerate() {
            // Refused because an earlier batch had another value there, or accepted behind it if that is in a block.
            if appended
                .rejected
                .iter()
                .all(|rejected| rejected.row != index)
            {
                let samples = self.acknowledged.entry(labels).or_default();
                samples.entry(timestamp).or_insert(bits);
            }
        }
        true
    }

    /// Checks a store that was opened after a crash; what is there now has to stay.
    fn check(&mut self, store: &Store, must: &Contents, note: &str) {
        let found = contents(store);
        for (labels, samples) in must {
            for (timestamp, bits) in samples {
                let there = found.get(labels).and_then(|samples| samples.get(timestamp));
                assert_eq!(there, Some(bits), "lost {labels} at {timestamp}, {note}");
            }
        }
        for (labels, samples) in &found {
            for (timestamp, bits) in samples {
                let known = self
                    .acknowledged
                    .get(labels)
                    .and_then(|known| known.get(timestamp));
                let uncertain = (labels.clone(), *timestamp, *bits);
                let sent = known == Some(bits) || self.uncertain.contains(&uncertain);
                assert!(sent, "invented {labels} at {timestamp}, {note}");
            }
        }
        self.acknowledged = found;
        self.uncertain.clear();
    }
}

/// Sends 30 batches over three openings; the process dies during operation `death`. How many operations there were.
fn run_with_death(seed: u64, death: Option<u64>) -> u64 {
    let disk = SimulatedDisk::new(seed);
    let note = format!("seed {seed}, death during operation {death:?}");
    if let Some(death) = death {
        disk.die_after(death);
    }
    let mut sender = Sender::new(seed);
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        let mut opened = open(&disk, small_memtables());
        // If it died in the meantime, there may be a store that takes nothing.
        if disk.is_dead() {
            drop(opened);
            disk.restart();
            opened = open(&disk, small_memtables());
        }
        let (store, recovery) = opened.unwrap();
        assert_eq!(recovery.broken_stretches(), 0, "{note}: {recovery:?}");
        let must = ledger.acknowledged.clone();
        ledger.check(&store, &must, &note);
        for _ in 0..10 {
            if !ledger.send(&store, sender.batch()) {
                assert_ne!(store.health().state, HealthState::Healthy);
                break;
            }
            if sender.step % 40 == 0 && store.flush().is_err() {
                break;
            }
            if sender.step % 60 == 0 && store.compact().is_err() {
                break;
            }
        }
        drop(store);
        disk.restart();
    }
    let (store, _) = open(&disk, small_memtables()).unwrap();
    let must = ledger.acknowledged.clone();
    ledger.check(&store, &must, &note);
    disk.operations()
}

#[test]
fn a_death_at_any_operation_loses_nothing_acknowledged() {
    for seed in 0..4 {
        let operations = run_with_death(seed, None);
        assert!(operations > 40, "{operations}");
        // Between them the seeds try about every one.
        for death in (seed..operations).step_by(8) {
            run_with_death(seed, Some(death));
        }
    }
}

#[test]
fn a_loss_of_power_loses_nothing_that_was_acknowledged() {
    for seed in 0..60 {
        let disk = SimulatedDisk::new(seed);
        let mut sender = Sender::new(seed);
        let mut ledger = Ledger::default();
        for round in 0..4 {
            let (store, _) = open(&disk, small_memtables()).unwrap();
            let must = ledger.acknowledged.clone();
            ledger.check(&store, &must, &format!("seed {seed}, round {round}"));
            for _ in 0..8 {
                assert!(ledger.send(&store, sender.batch()));
                if sender.random.next_u32().is_multiple_of(4) {
                    store.flush().unwrap();
                    store.compact().unwrap();
                }
            }
            disk.lose_power();
        }
    }
}

#[test]
fn a_loss_of_power_leaves_a_new_directory_with_all_that_is_above_it() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        let path = Path::new("/srv/monitoring/data");
        let open = || {
            let clock = std::sync::Arc::new(testkit::SimulatedClock::new(NOW));
            Store::open(std::sync::Arc::new(disk.process()), path, clock, config()).unwrap()
        };
        let (store, _) = open();
        let mut ledger = Ledger::default();
        assert!(ledger.send(&store, Sender::new(seed).batch()));
        disk.lose_power();
        drop(store);
        assert_eq!(contents(&open().0), ledger.acknowledged, "seed {seed}");
    }
}

/// Blocks that wait to be merged, a deletion among them; what is left.
fn before_merging(seed: u64) -> (SimulatedDisk, Store, Contents) {
    let disk = SimulatedDisk::new(seed);
    let mut sender = Sender::new(seed);
    let mut ledger = Ledger::default();
    let (store, _) = open(&disk, config()).unwrap();
    for _ in 0..6 {
        assert!(ledger.send(&store, sender.batch()));
        store.flush().unwrap();
    }
    let matchers = vec![Matcher::new(MatchKind::Regex, "__name__", "series_[3-6]").unwrap()];
    let [first, last] = [Timestamp::MIN, Timestamp::MAX];
    StorageAdmin::delete(&store, &[matchers], first, last).unwrap();
    let left = contents(&store);
    (disk, store, left)
}

#[test]
fn a_merge_that_is_interrupted_at_any_operation_changes_nothing() {
    for seed in 0..3 {
        let (disk, store, _) = before_merging(seed);
        let before = disk.operations();
        assert!(store.compact().unwrap());
        StorageAdmin::clean_tombstones(&store).unwrap();
        let operations = disk.operations() - before;
        assert!(operations > 10, "{operations}");
        for death in 0..operations {
            for loses_power in [false, true] {
                let (disk, store, left) = before_merging(seed);
                disk.die_after(death);
                // Of removing what was merged nobody hears.
                let _ = store.compact();
                let _ = StorageAdmin::clean_tombstones(&store);
                drop(store);
                match loses_power {
                    false => disk.restart(),
                    true => disk.lose_power(),
                }
                let (store, _) = open(&disk, config()).unwrap();
                let note = format!("seed {seed}, death {death}, power lost: {loses_power}");
                assert_eq!(contents(&store), left, "{note}");
                while store.compact().unwrap() {}
                StorageAdmin::clean_tombstones(&store).unwrap();
                assert_eq!(contents(&store), left, "{note}, merged");
                drop(store);
                let (store, _) = open(&disk, config()).unwrap();
                assert_eq!(contents(&store), left, "{note}, opened once more");
            }
        }
    }
}

#[test]
fn a_snapshot_that_is_interrupted_at_any_operation_holds_no_room_after_the_next_start() {
    let (disk, store, _) = before_merging(1);
    let before = disk.operations();
    StorageAdmin::snapshot(&store, false).unwrap();
    let operations = disk.operations() - before;
    assert!(operations > 10, "{operations}");
    let mut halves = 0;
    for death in 0..operations {
        for loses_power in [false, true] {
            let (disk, store, left) = before_merging(1);
            disk.die_after(death);
            let taken = StorageAdmin::snapshot(&store, false);
            drop(store);
            match loses_power {
                false => disk.restart(),
                true => disk.lose_power(),
            }
            drop(open(&disk, config()).unwrap());
            let snapshots = Path::new(DIRECTORY).join("snapshots");
            for name in disk.list(&snapshots).unwrap_or_default() {
                let snapshot = snapshots.join(name);
                let inner = |name| disk.list(&snapshot.join(name)).unwrap_or_default();
                let names = disk.list(&snapshot).unwrap();
                assert!(!names.contains(&"incomplete".to_owned()), "{names:?}");
                if inner("blocks").is_empty() {
                    assert!(taken.is_err() && inner("wal").is_empty());
                    halves += 1;
                    continue;
                }
                let clock = std::sync::Arc::new(testkit::SimulatedClock::new(NOW));
                let process = std::sync::Arc::new(disk.process());
                let (copy, _) = Store::open(process, &snapshot, clock, config()).unwrap();
                assert_eq!(contents(&copy), left, "death {death} of {operations}");
            }
        }
    }
    assert!(halves > 10, "{halves}");
}

#[test]
fn when_the_disk_refuses_questions_are_answered_and_it_recovers_by_itself() {
    for (operation, kind) in [
        (Operation::Append, io::ErrorKind::StorageFull),
        (Operation::Sync, io::ErrorKind::Other),
    ] {
        for failure in 0..12 {
            let disk = SimulatedDisk::new(failure);
            let mut sender = Sender::new(failure);
            let mut ledger = Ledger::default();
            let (store, _) = open(&disk, config()).unwrap();
            disk.fail_after(operation, failure, kind);
            while ledger.send(&store, sender.batch()) {}
            assert!(!ledger.send(&store, sender.batch()));
            let description = ("a".to_owned(), Metadata::default());
            assert!(store.describe(&[description]).is_err());
            let health = store.health();
            assert_eq!(health.state, HealthState::Unhealthy);
            let shown = contents(&store);
            for (labels, samples) in &ledger.acknowledged {
                for (timestamp, bits) in samples {
                    assert_eq!(shown[labels].get(timestamp), Some(bits));
                }
            }
            store.maintain(NOW);
            assert_eq!(store.health().state, HealthState::Healthy, "{failure}");
            let must = ledger.acknowledged.clone();
            ledger.check(&store, &must, "after it recovered");
            assert!(ledger.send(&store, sender.batch()));
            let must = ledger.acknowledged.clone();
            drop(store);
            disk.lose_power();
            let (store, _) = open(&disk, config()).unwrap();
            ledger.check(&store, &must, "after a loss of power");
        }
    }
}

#[test]
fn a_store_on_a_disk_that_cannot_be_written_opens_answers_and_recovers_by_itself() {
    for operation in [Operation::Sync, Operation::Open, Operation::Append] {
        let disk = SimulatedDisk::new(1);
        let before = one_log(&disk);
        disk.fail_some(operation, 1, io::ErrorKind::ReadOnlyFilesystem);
        // The directory itself and its lock are there.
        let (store, _) = open(&disk, config()).unwrap();
        assert_eq!(store.health().state, HealthState::Unhealthy);
        assert_eq!(contents(&store), before, "{operation:?}");
        let mut ledger = Ledger::default();
        let mut sender = Sender::new(5);
        assert!(!ledger.send(&store, sender.batch()));
        store.maintain(NOW);
        assert_eq!(store.health().state, HealthState::Unhealthy);
        assert_eq!(contents(&store), before, "{operation:?}");
        store.kill();

        // It stays unwritable for the start, and then no longer.
        let (store, _) = open(&disk, config()).unwrap();
        disk.clear_faults();
        store.maintain(NOW);
        assert_eq!(store.health().state, HealthState::Healthy);
        assert_eq!(contents(&store), before, "{operation:?}");
        let series = labels("later");
        let batch = SampleBatch::packed([(&series, NOW, 1.0)]);
        assert_eq!(store.append(&batch).unwrap().accepted, 1);
        drop(store);
        disk.lose_power();
        let (store, _) = open(&disk, config()).unwrap();
        assert_eq!(contents(&store).len(), before.len() + 1);
    }
}

#[test]
fn a_disk_that_refuses_is_tried_less_and_less_often_and_only_if_there_is_room() {
    let disk = SimulatedDisk::new(1);
    let clock = std::sync::Arc::new(testkit::SimulatedClock::new(NOW));
    let process = std::sync::Arc::new(disk.process());
    let path = Path::new(DIRECTORY);
    let (store, _) = Store::open(process, path, clock.clone(), config()).unwrap();
    let mut ledger = Ledger::default();
    assert!(ledger.send(&store, Sender::new(1).batch()));
    disk.fail_some(Operation::Sync, 1, io::ErrorKind::Other);
    assert!(!ledger.send(&store, Sender::new(2).batch()));
    let tries = |seconds: u32| {
        let before = disk.count(Operation::Sync);
        for _ in 0..seconds {
            store.shared.tick();
            clock.advance(std::time::Duration::from_secs(1));
        }
        disk.count(Operation::Sync) - before
    };
    assert!(tries(1) > 0);
    // After 1, 3, 7, 15, 31 and 61 seconds.
    let tried = tries(90);
    assert!((4..=14).contains(&tried), "{tried}");
    disk.set_capacity(Some(disk.used()));
    assert_eq!(tries(90), 0);
    disk.clear_faults();
    disk.set_capacity(None);
    tries(31);
    assert_eq!(store.health().state, HealthState::Healthy);
}

#[test]
fn a_full_disk_stops_writing_until_there_is_room() {
    let disk = SimulatedDisk::new(1);
    let mut sender = Sender::new(1);
    let mut ledger = Ledger::default();
    let (store, _) = open(&disk, config()).unwrap();
    assert!(ledger.send(&store, sender.batch()));
    disk.set_capacity(Some(disk.used()));
    store.maintain(NOW);
    let health = store.health();
    assert_eq!(health.state, HealthState::Unhealthy);
    assert!(health.reason.contains("almost full"), "{}", health.reason);
    assert!(!ledger.send(&store, sender.batch()));
    assert_eq!(contents(&store), ledger.acknowledged);
    disk.set_capacity(Some(64 << 20));
    store.maintain(NOW);
    assert_eq!(store.health().state, HealthState::Healthy);
    assert!(ledger.send(&store, sender.batch()));
}

/// A store of one log that was closed, and what it holds.
fn one_log(disk: &SimulatedDisk) -> Contents {
    let (store, _) = open(disk, config()).unwrap();
    let mut ledger = Ledger::default();
    let mut sender = Sender::new(5);
    for _ in 0..20 {
        assert!(ledger.send(&store, sender.batch()));
    }
    drop(store);
    ledger.acknowledged
}

#[test]
fn flipped_bits_of_a_log_never_give_a_wrong_value_in_silence() {
    let disk = SimulatedDisk::new(1);
    let before = one_log(&disk);
    let bits = disk.length(&log_path(1)).unwrap() as usize * 8;
    for bit in (0..bits).step_by(7) {
        let disk = SimulatedDisk::new(1);
        one_log(&disk);
        disk.flip_bit(&log_path(1), bit);
        let (store, recovery) = match open(&disk, config()) {
            Ok(opened) => opened,
            // The version may be what was flipped.
            Err(error) => {
                assert!(matches!(error, Error::Version { .. }), "{error}");
                continue;
            }
        };
        let said = recovery.broken_stretches() > 0 || recovery.torn_bytes() > 0;
        assert!(said, "the flip of bit {bit} was not noticed");
        for (labels, samples) in contents(&store) {
            for (timestamp, bits) in samples {
                let known = before[&labels].get(&timestamp);
                assert_eq!(known, Some(&bits), "after the flip of bit {bit}");
            }
        }
    }
}

#[test]
fn a_log_of_another_version_is_left_alone_and_the_store_does_not_open() {
    let disk = SimulatedDisk::new(1);
    one_log(&disk);
    let mut log = disk.read(&log_path(1)).unwrap();
    log[8] = 1;
    let checksum = crc32fast::hash(&log[..20]);
    log[20..24].copy_from_slice(&checksum.to_le_bytes());
    disk.remove(&log_path(1)).unwrap();
    disk.open_append(&log_path(1))
        .unwrap()
        .append(&log)
        .unwrap();
    let error = open(&disk, config()).err().unwrap();
    assert!(
        matches!(&error, Error::Version { version: 1, .. }),
        "{error}"
    );
    assert_eq!(disk.read(&log_path(1)).unwrap(), log);
}

#[test]
fn descriptions_outlive_crashes_and_the_logs_they_came_with() {
    let disk = SimulatedDisk::new(3);
    let (store, _) = open(&disk, small_memtables()).unwrap();
    let described = Metadata {
        help: "What it is.".to_owned(),
        ..Metadata::default()
    };
    store.describe(&[("up".to_owned(), described)]).unwrap();
    let metadata = store.metadata().unwrap();
    let mut sender = Sender::new(3);
    let mut ledger = Ledger::default();
    drop(store);
    for round in 0..4 {
        let (store, _) = open(&disk, small_memtables()).unwrap();
        assert_eq!(store.metadata().unwrap(), metadata, "round {round}");
        assert!(ledger.send(&store, sender.batch()));
        store.flush().unwrap();
        store.kill();
        match round % 2 {
            0 => disk.restart(),
            _ => disk.lose_power(),
        }
    }
    assert!(disk.length(&log_path(1)).is_err(), "its first log is gone");
}

#[test]
fn broken_files_are_set_aside_and_the_rest_is_there() {
    let disk = SimulatedDisk::new(4);
    let (store, _) = open(&disk, config()).unwrap();
    let mut sender = Sender::new(4);
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        assert!(ledger.send(&store, sender.batch()));
        store.flush().unwrap();
    }
    let matchers = vec![Matcher::equal("__name__", "absent")];
    StorageAdmin::delete(&store, &[matchers], NOW, NOW).unwrap();
    drop(store);
    let blocks = Path::new(DIRECTORY).join("blocks");
    let broken = blocks.join("00000002.block");
    let footer = disk.length(&broken).unwrap() as usize * 8 - 100;
    disk.flip_bit(&broken, footer);
    let (store, recovery) = open(&disk, config()).unwrap();
    assert_eq!((recovery.blocks, recovery.blocks_broken), (2, 1));
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert!(
        health.reason.contains("00000002.block"),
        "{}",
        health.reason
    );
    for (labels, samples) in contents(&store) {
        for (timestamp, bits) in samples {
            assert_eq!(ledger.acknowledged[&labels].get(&timestamp), Some(&bits));
        }
    }
    assert!(ledger.send(&store, sender.batch()));
    while store.compact().unwrap() {}
    drop(store);
    let (store, _) = open(&disk, config()).unwrap();
    assert_eq!(store.health().state, HealthState::Healthy);
    let names = disk.list(&blocks).unwrap();
    assert!(
        names.contains(&"00000002.block.broken".to_owned()),
        "{names:?}"
    );
}

#[test]
fn a_broken_list_of_deletions_is_set_aside() {
    let (disk, store, left) = before_merging(1);
    drop(store);
    disk.flip_bit(&Path::new(DIRECTORY).join("blocks/tombstones"), 200);
    let (store, _) = open(&disk, config()).unwrap();
    let health = store.health();
    assert!(
        health.reason.contains("delete them again"),
        "{}",
        health.reason
    );
    let shown = contents(&store);
    assert!(shown.len() > left.len(), "what was deleted is back");
    assert!(left.keys().all(|labels| shown.contains_key(labels)));
}

#[test]
fn new_samples_are_not_deleted_by_an_old_deletion_after_a_restart() {
    let disk = SimulatedDisk::new(1);
    let retention = std::time::Duration::from_secs(3600);
    let config = Config {
        retention,
        ..config()
    };
    let clock = std::sync::Arc::new(testkit::SimulatedClock::new(NOW));
    let open = || {
        let disk = std::sync::Arc::new(disk.process());
        let opened = Store::open(disk, Path::new(DIRECTORY), clock.clone(), config.clone());
        opened.unwrap().0
    };
    let store = open();
    let series = labels("up");
    let hour = |hours: u32| NOW + retention * hours;
    let append = |store: &Store, at| {
        let batch = SampleBatch::packed([(&series, at, 1.0)]);
        assert_eq!(store.append(&batch).unwrap().rejected, []);
        store.flush().unwrap();
    };
    // One block stays, those with the highest numbers go by age.
    append(&store, hour(1));
    append(&store, NOW);
    append(&store, NOW + std::time::Duration::from_millis(1));
    let matchers = vec![Matcher::equal("job", "a")];
    StorageAdmin::delete(&store, &[matchers], Timestamp::MIN, Timestamp::MAX).unwrap();
    clock.set(hour(1) + std::time::Duration::from_secs(1));
    store.maintain(hour(1) + std::time::Duration::from_secs(1));
    drop(store);
    let store = open();
    append(&store, hour(1) + std::time::Duration::from_secs(1));
    assert_eq!(contents(&store)[&series].len(), 1);
}
