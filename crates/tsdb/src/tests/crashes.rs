//! The store on a disk that dies, loses power, fails and flips bits: nothing acknowledged is lost, nothing invented.

use std::io;

use model::{Disk as _, HealthState, Labels, Metadata, SampleBatch, SampleSink, SeriesSource};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use testkit::{Operation, SimulatedDisk};

use super::{Contents, NOW, config, contents, labels, open, segment_path};
use crate::wal::record::{RECORD_HEADER, Stretch, Stretches};
use crate::{Config, Store};

type Sample = (Labels, i64, u64);

/// Small segments, so that a few batches fill several.
fn small_segments() -> Config {
    Config {
        segment_bytes: 512,
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
            // Refused because an earlier batch had another value there.
            if appended
                .rejected
                .iter()
                .all(|rejected| rejected.row != index)
            {
                self.acknowledged
                    .entry(labels)
                    .or_default()
                    .insert(timestamp, bits);
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
        let mut opened = open(&disk, small_segments());
        if opened.is_err() {
            disk.restart();
            opened = open(&disk, small_segments());
        }
        let (store, recovery) = opened.unwrap();
        assert_eq!(recovery.broken_records, 0, "{note}: {recovery:?}");
        let must = ledger.acknowledged.clone();
        ledger.check(&store, &must, &note);
        for _ in 0..10 {
            if !ledger.send(&store, sender.batch()) {
                assert_eq!(store.health().state, HealthState::Unhealthy);
                break;
            }
            if sender.step % 40 == 0 && store.sync().is_err() {
                break;
            }
        }
        drop(store);
        disk.restart();
    }
    let (store, _) = open(&disk, small_segments()).unwrap();
    let must = ledger.acknowledged.clone();
    ledger.check(&store, &must, &note);
    disk.operations()
}

#[test]
fn a_death_at_any_operation_loses_nothing_acknowledged() {
    for seed in 0..12 {
        let operations = run_with_death(seed, None);
        assert!(operations > 40, "{operations}");
        for death in 0..operations {
            run_with_death(seed, Some(death));
        }
    }
}

#[test]
fn a_loss_of_power_loses_nothing_that_was_synced() {
    for seed in 0..150 {
        let disk = SimulatedDisk::new(seed);
        let mut sender = Sender::new(seed);
        let mut ledger = Ledger::default();
        let mut durable = Contents::new();
        for round in 0..4 {
            let (store, _) = open(&disk, small_segments()).unwrap();
            ledger.check(&store, &durable, &format!("seed {seed}, round {round}"));
            durable = ledger.acknowledged.clone();
            for _ in 0..8 {
                assert!(ledger.send(&store, sender.batch()));
                if sender.random.next_u32().is_multiple_of(4) {
                    store.sync().unwrap();
                    durable = ledger.acknowledged.clone();
                }
            }
            disk.lose_power();
        }
    }
}

#[test]
fn after_a_failed_write_nothing_is_taken_and_everything_is_answered() {
    for failure in 0..20 {
        let disk = SimulatedDisk::new(failure);
        disk.fail_after(Operation::Append, failure, io::ErrorKind::StorageFull);
        let mut sender = Sender::new(failure);
        let mut ledger = Ledger::default();
        let (store, _) = open(&disk, small_segments()).unwrap();
        while ledger.send(&store, sender.batch()) {}
        assert_eq!(
            contents(&store),
            ledger.acknowledged,
            "what failed is not shown"
        );
        assert!(
            !ledger.send(&store, sender.batch()),
            "the disk works again, the store does not"
        );
        assert!(
            store
                .describe(&[("a".to_owned(), Metadata::default())])
                .is_err()
        );
        let health = store.health();
        assert_eq!(health.state, HealthState::Unhealthy);
        assert!(
            health.reason.contains("cannot write /data/wal"),
            "{}",
            health.reason
        );
        assert!(store.close().is_err());
        drop(store);
        let (store, _) = open(&disk, small_segments()).unwrap();
        let must = ledger.acknowledged.clone();
        ledger.check(&store, &must, "after a failed write");
        assert!(ledger.send(&store, sender.batch()));
    }
}

#[test]
fn after_a_failed_sync_nothing_is_taken() {
    let disk = SimulatedDisk::new(1);
    let mut ledger = Ledger::default();
    let mut sender = Sender::new(1);
    let (store, _) = open(&disk, config()).unwrap();
    assert!(ledger.send(&store, sender.batch()));
    store.sync().unwrap();
    disk.fail_after(Operation::Sync, 0, io::ErrorKind::Other);
    store.sync().unwrap();
    assert!(
        ledger.send(&store, sender.batch()),
        "with nothing to sync nothing was asked of the disk"
    );
    let error = store.sync().unwrap_err();
    assert!(
        error.to_string().contains("cannot sync /data/wal"),
        "{error}"
    );
    assert!(!ledger.send(&store, sender.batch()));
    assert_eq!(store.health().state, HealthState::Unhealthy);
}

/// A store of one segment that was closed, what it holds, and the segment's records: offset, length, payload's kind.
fn one_segment(disk: &SimulatedDisk) -> (Contents, Vec<(usize, usize, u8)>) {
    let (store, _) = open(disk, config()).unwrap();
    let mut ledger = Ledger::default();
    let mut sender = Sender::new(5);
    for _ in 0..20 {
        assert!(ledger.send(&store, sender.batch()));
    }
    drop(store);
    let segment = model::Disk::read(disk, &segment_path(1)).unwrap();
    let stretches = Stretches::new(1, &segment).map(|stretch| match stretch {
        Stretch::Record {
            offset,
            kind,
            payload,
        } => (offset, RECORD_HEADER + payload.len(), kind),
        Stretch::Broken { .. } => panic!("nothing is broken yet"),
    });
    (ledger.acknowledged, stretches.collect())
}

#[test]
fn a_broken_record_in_the_middle_is_reported_and_the_rest_is_kept() {
    let disk = SimulatedDisk::new(1);
    let (before, records) = one_segment(&disk);
    let samples = records.iter().filter(|(_, _, kind)| *kind == 2);
    let (offset, length, _) = *samples.clone().nth(8).unwrap();
    for (at, reason) in [(offset + 17, "checksum"), (offset + 5, "header")] {
        let disk = SimulatedDisk::new(1);
        one_segment(&disk);
        disk.flip_bit(&segment_path(1), at * 8 + 3);
        let (store, recovery) = open(&disk, config()).unwrap();
        assert_eq!((recovery.broken_records, recovery.torn_bytes), (1, 0));
        let broken = &recovery.broken[0];
        assert_eq!((broken.segment, broken.offset), (1, offset as u64));
        assert_eq!(broken.length, length as u64);
        assert!(broken.reason.contains(reason), "{}", broken.reason);
        let after = contents(&store);
        let count = |contents: &Contents| {
            contents
                .values()
                .map(|samples| samples.len())
                .sum::<usize>()
        };
        let lost = count(&before) - count(&after);
        assert!(
            (1..=12).contains(&lost),
            "one batch is gone, not {lost} samples"
        );
        for (labels, samples) in &after {
            assert!(
                samples
                    .iter()
                    .all(|(at, bits)| before[labels].get(at) == Some(bits))
            );
        }
        drop(store);
        let (_, again) = open(&disk, config()).unwrap();
        assert_eq!(
            again.broken, recovery.broken,
            "it is reported each time, and nothing else is"
        );
    }
}

#[test]
fn a_torn_tail_is_cut_once() {
    let disk = SimulatedDisk::new(1);
    let (before, records) = one_segment(&disk);
    let (last, length, _) = *records.last().unwrap();
    let cut = (last + length - 3) as u64;
    model::Disk::truncate(&disk, &segment_path(1), cut).unwrap();
    let (store, recovery) = open(&disk, config()).unwrap();
    assert_eq!(
        (recovery.torn_bytes, recovery.broken_records),
        (length as u64 - 3, 0)
    );
    assert_eq!(
        model::Disk::length(&disk, &segment_path(1)).unwrap(),
        last as u64
    );
    assert_eq!(
        (recovery.torn_segment, recovery.torn_offset),
        (1, last as u64)
    );
    assert_eq!(recovery.records, records.len() as u64 - 1);
    assert!(contents(&store).len() >= before.len() - 12);
    drop(store);
    assert_eq!(open(&disk, config()).unwrap().1.torn_bytes, 0);
}

#[test]
fn flipped_bits_never_give_a_wrong_value_in_silence() {
    let disk = SimulatedDisk::new(1);
    let (before, records) = one_segment(&disk);
    let (last, length, _) = *records.last().unwrap();
    let bits = (last + length) * 8;
    for bit in (0..bits).step_by(5) {
        let disk = SimulatedDisk::new(1);
        one_segment(&disk);
        disk.flip_bit(&segment_path(1), bit);
        let (store, recovery) = open(&disk, config()).unwrap();
        let said = recovery.broken_records > 0 || recovery.torn_bytes > 0;
        assert!(said, "the flip of bit {bit} was not noticed");
        for (labels, samples) in contents(&store) {
            for (timestamp, bits) in samples {
                assert_eq!(
                    before[&labels].get(&timestamp),
                    Some(&bits),
                    "after the flip of bit {bit}"
                );
            }
        }
    }
}

#[test]
fn metadata_outlive_a_crash_and_the_segments_they_came_with() {
    let disk = SimulatedDisk::new(3);
    let (store, _) = open(&disk, small_segments()).unwrap();
    let described = Metadata {
        help: "What it is.".to_owned(),
        ..Metadata::default()
    };
    store.describe(&[("up".to_owned(), described)]).unwrap();
    let mut sender = Sender::new(3);
    let mut ledger = Ledger::default();
    while model::Disk::length(&disk, &segment_path(3)).is_err() {
        assert!(ledger.send(&store, sender.batch()));
    }
    let metadata = store.metadata().unwrap();
    assert_eq!(metadata.len(), 1);
    drop(store);
    disk.restart();
    for number in [1, 2] {
        model::Disk::remove(&disk, &segment_path(number)).unwrap();
    }
    let (store, recovery) = open(&disk, small_segments()).unwrap();
    assert_eq!(store.metadata().unwrap(), metadata);
    assert_eq!(
        (recovery.samples_undefined, recovery.broken_records),
        (0, 0)
    );
    assert!(recovery.samples > 0);
}

#[test]
fn a_file_that_is_no_segment_of_its_number_is_set_aside() {
    let disk = SimulatedDisk::new(11);
    let (written, _) = one_segment(&disk);
    disk.rename(&segment_path(1), &segment_path(5)).unwrap();
    let (store, recovery) = open(&disk, config()).unwrap();
    assert!(!written.is_empty());
    assert_eq!(contents(&store), Contents::new());
    assert_eq!((recovery.torn_bytes, recovery.broken_records), (0, 1));
    let names = disk.list(segment_path(5).parent().unwrap()).unwrap();
    assert!(
        names.contains(&"00000005.wal.broken".to_owned()),
        "{names:?}"
    );
    drop(store);

    // Under its own name it is read again.
    disk.rename(
        &segment_path(5).with_extension("wal.broken"),
        &segment_path(1),
    )
    .unwrap();
    let (store, _) = open(&disk, config()).unwrap();
    assert_eq!(contents(&store), written);
}
