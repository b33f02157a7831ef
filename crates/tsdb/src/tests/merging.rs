//! What merges do when something fails, comes in between, or is not worth it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Clock, Disk, HealthState, Matcher, StorageAdmin, Timestamp};
use testkit::{Moment, Operation, ReadFault, SimulatedClock, SimulatedDisk, WatchedDisk};

use super::dropping::{DAY, append, blocks, open, write_days};
use super::{DIRECTORY, NOW, config, contents, labels};
use crate::attachment::HISTOGRAM;
use crate::block::{Attachment, BlockHeader, SeriesData};
use crate::codec::Effort;
use crate::{Config, Error, Store};

fn setting() -> (SimulatedDisk, Arc<SimulatedClock>) {
    (SimulatedDisk::new(1), Arc::new(SimulatedClock::new(NOW)))
}

/// Four blocks of each of so many days, which are past and settled.
fn write_quarters(store: &Store, clock: &SimulatedClock, days: u32) {
    for _ in 0..days {
        for _ in 0..4 {
            append(store, clock);
            store.flush().unwrap();
            clock.advance(Duration::from_secs(60));
        }
        clock.advance(DAY);
    }
    clock.advance(DAY);
}

fn files(disk: &SimulatedDisk) -> Vec<PathBuf> {
    let directory = Path::new(DIRECTORY).join("blocks");
    let names = disk.list(&directory).unwrap();
    names.iter().map(|name| directory.join(name)).collect()
}

fn selector(name: &str) -> Vec<Vec<Matcher>> {
    vec![vec![Matcher::equal("__name__", name)]]
}

#[test]
fn a_merge_that_fails_is_told_and_keeps_no_other_from_being_done() {
    let (disk, clock) = setting();
    let store = open(&disk, &clock, config());
    write_quarters(&store, &clock, 3);
    assert_eq!(blocks(&store), 12);
    let first = files(&disk).remove(0);
    disk.break_reads(&first, Some(ReadFault::Fail(io::ErrorKind::Other)));
    assert!(store.compact().unwrap());
    store.shared.compact_all();
    assert_eq!(blocks(&store), 4 + 1 + 1);
    // That the retention can be kept changes nothing about it.
    store.maintain(clock.now());
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    let name = first.file_name().unwrap().to_str().unwrap();
    assert!(health.reason.contains(name), "{}", health.reason);
    assert!(store.compact().is_err());
    disk.break_reads(&first, None);
    store.shared.compact_all();
    assert_eq!(blocks(&store), 3);
    assert_eq!(store.health().state, HealthState::Healthy);
}

#[test]
fn what_is_expired_as_a_whole_goes_though_it_cannot_be_understood() {
    let (disk, clock) = setting();
    let config = Config {
        selector_retention: vec![(selector("brief").remove(0), DAY)],
        ..config()
    };
    let store = open(&disk, &clock, config);
    let at = NOW.as_millis();
    let number = store.shared.next_block_number();
    let header = BlockHeader {
        number,
        ..BlockHeader::default()
    };
    let mut writer = store.shared.begin_block(header, Effort::Fast).unwrap();
    let data = SeriesData {
        timestamps: &[at],
        values: &[1.0],
        attachments: &[Attachment {
            kind: HISTOGRAM,
            first: at,
            last: at,
            count: 1,
            payload: b"?",
        }],
    };
    let series = labels("brief");
    writer.series(series.as_packed(), &data).unwrap();
    writer.finish().unwrap();
    let block = store.shared.open_block(number).unwrap();
    store.shared.replace_view(|view| view.blocks.push(block));
    write_days(&store, &clock, 3);
    assert_eq!(blocks(&store), 4);
    assert!(store.compact().unwrap());
    assert!(!store.compact().unwrap());
    assert_eq!(blocks(&store), 3);
}

#[test]
fn an_import_does_not_have_the_whole_written_anew_with_each_flush() {
    let (disk, clock) = setting();
    let store = open(&disk, &clock, config());
    let old = NOW - 5 * DAY;
    for round in 0..3 {
        let series = labels(&format!("series_{round}"));
        let batch = model::SampleBatch::packed([(&series, old, 1.0)]);
        model::SampleSink::append(&store, &batch).unwrap();
        store.flush().unwrap();
        assert!(!store.compact().unwrap(), "in round {round}");
        clock.advance(Duration::from_secs(60));
    }
    clock.advance(config().memtable_age);
    assert!(store.compact().unwrap());
    assert_eq!(blocks(&store), 1);
}

#[test]
fn deletions_of_little_are_carried_out_once_there_are_many() {
    let (disk, clock) = setting();
    let store = open(&disk, &clock, config());
    write_days(&store, &clock, 2);
    let delete = |at: Timestamp| store.delete(&selector("series_7"), at, at).unwrap();
    let tombstones = || store.shared.view().tombstones.len();
    delete(NOW + DAY);
    while store.compact().unwrap() {}
    assert_eq!(tombstones(), 1);
    for _ in 0..100 {
        delete(NOW + 2 * DAY);
    }
    while store.compact().unwrap() {}
    assert_eq!(tombstones(), 0);
    assert!(!contents(&store).contains_key(&labels("series_7")));
}

#[test]
fn the_retention_is_kept_while_there_is_much_to_merge() {
    let (disk, clock) = setting();
    let config = Config {
        retention: 10 * DAY,
        ..config()
    };
    let store = open(&disk, &clock, config);
    write_days(&store, &clock, 1);
    clock.advance(10 * DAY);
    write_quarters(&store, &clock, 2);
    store.shared.compact_all();
    assert_eq!(blocks(&store), 2);
}

#[test]
fn what_is_deleted_while_blocks_are_merged_stays_deleted() {
    let (disk, clock) = setting();
    let (store, during) = open_with_hook(&disk, &clock);
    write_quarters(&store, &clock, 1);
    let deleting = Arc::clone(&store);
    *during.lock().unwrap() = Some(Box::new(move || {
        let all = (Timestamp::MIN, Timestamp::MAX);
        deleting
            .delete(&selector("series_7"), all.0, all.1)
            .unwrap();
        deleting.snapshot(false).unwrap();
    }));
    assert!(store.compact().unwrap());
    assert!(during.lock().unwrap().is_none(), "there was a merge");
    assert_eq!(blocks(&store), 1);
    let left = contents(&store);
    assert_eq!(left.len(), 49);
    assert!(!left.contains_key(&labels("series_7")));
    store.clean_tombstones().unwrap();
    assert_eq!(store.shared.view().tombstones, []);
    assert_eq!(contents(&store), left);
    disk.lose_power();
    let name = disk.list(&Path::new(DIRECTORY).join("snapshots")).unwrap();
    let copy = Path::new(DIRECTORY).join("snapshots").join(&name[0]);
    let disk: Arc<dyn Disk> = Arc::new(disk.process());
    for path in [Path::new(DIRECTORY), &copy] {
        let opened = Store::open(Arc::clone(&disk), path, clock.clone(), config());
        assert_eq!(contents(&opened.unwrap().0), left);
    }
}

#[test]
fn a_merge_ends_when_the_store_is_closed_and_leaves_nothing() {
    let (disk, clock) = setting();
    let (store, during) = open_with_hook(&disk, &clock);
    write_quarters(&store, &clock, 1);
    let (before, files_before) = (contents(&store), files(&disk));
    let stopping = Arc::clone(&store);
    *during.lock().unwrap() = Some(Box::new(move || stopping.shared.signal.stop()));
    assert!(matches!(store.compact(), Err(Error::Closed)));
    assert_eq!(files(&disk), files_before);
    assert_eq!(contents(&store), before);
    store.shared.compact_all();
    assert_eq!(store.health().state, HealthState::Healthy);
}

#[test]
fn files_that_cannot_be_removed_are_told_until_they_are() {
    let (disk, clock) = setting();
    let store = open(&disk, &clock, config());
    write_quarters(&store, &clock, 1);
    // Once the new block is cut to its length and renamed.
    disk.fail_after(Operation::Change, 2, io::ErrorKind::Other);
    assert!(store.compact().unwrap());
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    let name = "00000001.block";
    assert!(health.reason.contains(name), "{}", health.reason);
    clock.advance(Duration::from_secs(30));
    disk.fail_after(Operation::Change, 0, io::ErrorKind::Other);
    store.maintain(clock.now());
    assert_eq!(store.health(), health, "since the same moment");
    store.maintain(clock.now());
    assert_eq!(store.health().state, HealthState::Healthy);
    assert_eq!(files(&disk).len(), 1);
}

#[test]
fn damage_ends_with_the_block_that_has_it() {
    let (disk, clock) = setting();
    let store = open(&disk, &clock, config());
    write_days(&store, &clock, 1);
    disk.flip_bit(&files(&disk)[0], 70 * 8);
    let everything = model::Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let read = |store: &Store| {
        let selected = model::SeriesSource::select(store, &everything).unwrap();
        let read = |index| selected.read(index, &mut model::SampleColumns::default());
        (0..selected.len())
            .filter(|index| read(*index).is_err())
            .count()
    };
    assert!(read(&store) > 0);
    assert_eq!(store.health().state, HealthState::Degraded);
    clock.advance(config().retention);
    write_days(&store, &clock, 1);
    store.maintain(clock.now());
    assert_eq!(blocks(&store), 1);
    assert_eq!(store.health().state, HealthState::Healthy);
}

/// What happens when the next file of a block is begun.
type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

fn open_with_hook(disk: &SimulatedDisk, clock: &Arc<SimulatedClock>) -> (Arc<Store>, Hook) {
    let during = Hook::default();
    let taken = Arc::clone(&during);
    let hooked = WatchedDisk::new(disk.process(), move |moment| {
        if matches!(moment, Moment::Open(path) if path.to_string_lossy().contains(".block")) {
            let hook = taken.lock().unwrap().take();
            hook.into_iter().for_each(|hook| hook());
        }
    });
    let hooked = Arc::new(hooked);
    let opened = Store::open(hooked, Path::new(DIRECTORY), clock.clone(), config());
    (Arc::new(opened.unwrap().0), during)
}
