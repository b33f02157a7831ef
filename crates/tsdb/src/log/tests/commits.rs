//! Group commit: one sync for many, failures for all, and room that is given back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use model::{Disk, Timestamp};
use testkit::{Moment, Operation, SimulatedClock, SimulatedDisk, WatchedDisk};

use crate::OsDisk;
use crate::log::failure::FailureKind;
use crate::log::record::FILE_HEADER;
use crate::log::{Acknowledge, Commits, file_name};

const DIRECTORY: &str = "/wal";

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    disk.create_directory(Path::new(DIRECTORY)).unwrap();
    disk
}

fn path(number: u64) -> PathBuf {
    Path::new(DIRECTORY).join(file_name(number))
}

pub(crate) fn commits(disk: impl Disk + 'static, acknowledge: Acknowledge) -> Commits {
    let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(0)));
    Commits::new(Arc::new(disk), PathBuf::from(DIRECTORY), clock, acknowledge)
}

/// Who holds up the syncs of files: each says that it begins, and waits until it may go on.
struct Keeper {
    begun: Receiver<()>,
    go_on: Sender<()>,
}

fn gate(disk: &SimulatedDisk) -> (WatchedDisk, Keeper) {
    let ((begin, begun), (go_on, may_go_on)) = (channel(), channel());
    let ends = Mutex::new((begin, may_go_on));
    let gate = WatchedDisk::new(disk.clone(), move |moment| {
        if moment == Moment::Sync {
            let ends = ends.lock().unwrap();
            ends.0.send(()).unwrap();
            ends.1.recv().unwrap();
        }
    });
    (gate, Keeper { begun, go_on })
}

/// A log whose first file is ready, on a gated disk.
fn gated() -> (SimulatedDisk, Commits, Keeper) {
    let disk = disk();
    let (gate, keeper) = gate(&disk);
    let commits = commits(gate, Acknowledge::Synced);
    keeper.go_on.send(()).unwrap();
    commits.prepare(1).unwrap();
    keeper.begun.recv().unwrap();
    (disk, commits, keeper)
}

#[test]
fn who_waits_while_a_sync_runs_shares_the_next_one() {
    let (disk, commits, keeper) = gated();
    let first = commits.publish(1, &mut b"first ".to_vec());
    thread::scope(|scope| {
        let leader = scope.spawn(|| commits.wait(first));
        keeper.begun.recv().unwrap();
        let tickets: Vec<_> = (0..20u8)
            .map(|index| commits.publish(1, &mut vec![b'a' + index]))
            .collect();
        let commits = &commits;
        let waiters: Vec<_> = tickets
            .into_iter()
            .map(|ticket| scope.spawn(move || commits.wait(ticket)))
            .collect();
        keeper.go_on.send(()).unwrap();
        keeper.go_on.send(()).unwrap();
        assert_eq!(leader.join().unwrap(), Ok(()));
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(()));
        }
    });
    let statistics = commits.statistics();
    assert_eq!((statistics.commits, statistics.syncs), (2, 2));
    assert_eq!((statistics.publications, statistics.bytes), (21, 26));
    assert_eq!((statistics.waiting, statistics.pending_bytes), (0, 0));
    let file = disk.read(&path(1)).unwrap();
    assert_eq!(&file[FILE_HEADER..], b"first abcdefghijklmnopqrst");
}

#[test]
fn of_many_who_want_one_file_the_first_creates_it_and_the_others_wait_for_that() {
    let disk = disk();
    let (gate, keeper) = gate(&disk);
    let commits = commits(gate, Acknowledge::Synced);
    thread::scope(|scope| {
        let commits = &commits;
        let first = scope.spawn(|| commits.prepare(1));
        keeper.begun.recv().unwrap();
        let (ready, are_ready) = channel();
        let others: Vec<_> = (0..4)
            .map(|_| {
                let ready = ready.clone();
                scope.spawn(move || {
                    ready.send(()).unwrap();
                    (commits.first_free(1), commits.prepare(1))
                })
            })
            .collect();
        for _ in &others {
            are_ready.recv().unwrap();
        }
        for _ in 0..1_000 {
            thread::yield_now();
        }
        keeper.go_on.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(()));
        for other in others {
            assert_eq!(other.join().unwrap(), (1, Ok(())));
        }
    });
    assert_eq!(disk.length(&path(1)).unwrap(), FILE_HEADER as u64);
}

#[test]
fn a_failure_reaches_everyone_and_sticks_until_a_new_file() {
    let (disk, commits, keeper) = gated();
    let first = commits.publish(1, &mut b"first".to_vec());
    disk.fail_after(Operation::Sync, 0, io::ErrorKind::StorageFull);
    let failure = thread::scope(|scope| {
        let leader = scope.spawn(|| commits.wait(first));
        keeper.begun.recv().unwrap();
        let tickets: Vec<_> = (0..20)
            .map(|_| commits.publish(1, &mut b"more".to_vec()))
            .collect();
        let commits = &commits;
        let waiters: Vec<_> = tickets
            .into_iter()
            .map(|ticket| scope.spawn(move || commits.wait(ticket)))
            .collect();
        keeper.go_on.send(()).unwrap();
        let failure = leader.join().unwrap().unwrap_err();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(failure.clone()));
        }
        failure
    });
    let text = "cannot sync /wal/00000001.wal: simulated fault";
    assert_eq!(failure.to_string(), text);
    assert_eq!(failure.kind, FailureKind::Full);
    let later = commits.publish(1, &mut b"later".to_vec());
    assert_eq!(commits.wait(later), Err(failure.clone()));
    assert_eq!(commits.sync(), Err(failure.clone()));
    assert_eq!(commits.wait_for_room(), Err(failure.clone()));

    let before = disk.read(&path(1)).unwrap();
    commits.reset(2);
    assert_eq!(commits.wait(first), Err(failure.clone()));
    keeper.go_on.send(()).unwrap();
    keeper.go_on.send(()).unwrap();
    let again = commits.publish(2, &mut b"again".to_vec());
    assert_eq!(commits.wait(again), Ok(()));
    assert_eq!(commits.wait(later), Err(failure));
    let outdated = commits.publish(1, &mut b"outdated".to_vec());
    let refused = commits.wait(outdated).unwrap_err().to_string();
    assert!(
        refused.ends_with("the log goes on in a later file"),
        "{refused}"
    );
    assert_eq!(commits.wait(again), Ok(()));
    assert_eq!(disk.read(&path(1)).unwrap(), before);
    assert_eq!(&disk.read(&path(2)).unwrap()[FILE_HEADER..], b"again");
    assert_eq!(commits.statistics().failures, 1);
}

#[test]
fn a_panic_of_the_disk_is_a_failure_for_all_who_wait_and_the_log_goes_on_in_a_new_file() {
    let (_, commits, keeper) = gated();
    let first = commits.publish(1, &mut b"first".to_vec());
    thread::scope(|scope| {
        let commits = &commits;
        let leader = scope.spawn(move || commits.wait(first));
        keeper.begun.recv().unwrap();
        let more = commits.publish(1, &mut b"more".to_vec());
        let waiter = scope.spawn(move || commits.wait(more));
        // A gate without a keeper panics.
        drop(keeper);
        assert!(leader.join().is_err());
        let failure = waiter.join().unwrap().unwrap_err();
        assert!(failure.to_string().contains("panic"), "{failure}");
        commits.reset(2);
        assert_eq!(commits.wait(first), Err(failure));
    });
    assert_eq!(commits.wait_for_room(), Ok(()));
    assert_eq!(commits.statistics().failures, 1);
}

#[test]
fn a_device_that_fails_is_told_apart() {
    let error = io::Error::from_raw_os_error(5);
    let failure = super::super::failure::LogFailure::new("sync", Path::new("/x"), &error);
    assert_eq!(failure.kind, FailureKind::Device);
    let error = io::Error::from_raw_os_error(28);
    let failure = super::super::failure::LogFailure::new("sync", Path::new("/x"), &error);
    assert_eq!(failure.kind, FailureKind::Full);
}

#[test]
fn a_written_policy_acknowledges_before_the_sync() {
    let disk = disk();
    let commits = commits(disk.clone(), Acknowledge::Written);
    let ticket = commits.publish(1, &mut b"x".to_vec());
    assert!(commits.sync_due());
    assert_eq!(commits.wait(ticket), Ok(()));
    assert_eq!(commits.statistics().syncs, 0);
    assert!(commits.sync_due());
    commits.publish(1, &mut b"y".to_vec());
    assert_eq!(commits.sync(), Ok(()));
    assert!(!commits.sync_due());
    assert_eq!(commits.statistics().syncs, 1);
    assert_eq!(&disk.read(&path(1)).unwrap()[FILE_HEADER..], b"xy");
    // An earlier file is synced before a later one counts.
    commits.publish(1, &mut b"z".to_vec());
    let ticket = commits.publish(2, &mut b"a".to_vec());
    assert_eq!(commits.wait(ticket), Ok(()));
    assert_eq!(commits.statistics().syncs, 2);
}

#[test]
fn who_publishes_too_much_waits_for_room_first() {
    let commits = commits(disk(), Acknowledge::Synced);
    assert_eq!(commits.wait_for_room(), Ok(()));
    assert_eq!(commits.statistics().commits, 0);
    let mut last = None;
    for _ in 0..9 {
        let mut bytes = vec![1; 1 << 20];
        last = Some(commits.publish(1, &mut bytes));
        assert!(bytes.is_empty());
    }
    assert_eq!(commits.statistics().pending_bytes, 9 << 20);
    assert_eq!(commits.wait_for_room(), Ok(()));
    assert_eq!(commits.statistics().pending_bytes, 0);
    assert_eq!(commits.wait(last.unwrap()), Ok(()));
    assert_eq!(commits.statistics().commits, 1);
}

#[test]
fn a_file_that_exists_is_not_gone_on_with() {
    let disk = disk();
    disk.open_append(&path(4)).unwrap().append(b"old").unwrap();
    let commits = commits(disk.clone(), Acknowledge::Synced);
    let failure = commits.prepare(4).unwrap_err();
    assert_eq!(failure.action, "create");
    assert_eq!(disk.read(&path(4)).unwrap(), b"old");
    commits.prepare(5).unwrap();
    assert_eq!(disk.length(&path(5)).unwrap(), FILE_HEADER as u64);
    commits.remove(5).unwrap();
    commits.remove(5).unwrap();
    assert!(disk.length(&path(5)).is_err());
}

#[test]
fn closing_gives_back_the_room_that_was_taken_ahead() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(0)));
    let policy = Acknowledge::Synced;
    let commits = Commits::new(Arc::new(OsDisk), directory.path().to_owned(), clock, policy);
    commits.publish(1, &mut vec![7; 5 << 20]);
    commits.sync().unwrap();
    commits.publish(1, &mut vec![7; 100]);
    commits.close().unwrap();
    let file = std::fs::metadata(directory.path().join(file_name(1))).unwrap();
    assert_eq!(file.len(), (5 << 20) + 100 + FILE_HEADER as u64);
    assert!(
        file.blocks() * 512 < file.len() + (1 << 20),
        "{}",
        file.blocks()
    );
}

#[test]
fn one_sync_does_for_a_batch_that_was_announced() {
    let mut commits = commits(disk(), Acknowledge::Synced);
    commits.gather_max = Duration::from_secs(600);
    let commits = &commits;
    let coming = commits.announcements().announce();
    thread::scope(|scope| {
        let first = commits.publish(1, &mut vec![1]);
        let leader = scope.spawn(move || commits.wait(first));
        while !commits.is_gathering() && !leader.is_finished() {
            thread::yield_now();
        }
        let second = commits.publish(1, &mut vec![2]);
        coming.arrive();
        commits.wait(second).unwrap();
        leader.join().unwrap().unwrap();
    });
    assert_eq!(commits.statistics().commits, 1);
}

#[test]
fn a_batch_that_was_announced_and_does_not_come_holds_up_no_one() {
    let commits = commits(disk(), Acknowledge::Synced);
    let coming = commits.announcements().announce();
    let ticket = commits.publish(1, &mut vec![1]);
    assert!(commits.wait(ticket).is_ok());
    drop(coming);
}

#[test]
fn many_writers_with_real_threads_lose_nothing() {
    let disk = disk();
    let commits = commits(disk.clone(), Acknowledge::Synced);
    let writer = Mutex::new(());
    thread::scope(|scope| {
        for thread in 0..8u8 {
            let (commits, writer) = (&commits, &writer);
            scope.spawn(move || {
                for round in 0..200u8 {
                    let lock = writer.lock().unwrap();
                    let ticket = commits.publish(1, &mut vec![thread, round]);
                    drop(lock);
                    commits.wait(ticket).unwrap();
                }
            });
        }
    });
    let file = disk.read(&path(1)).unwrap();
    let pairs: Vec<_> = file[FILE_HEADER..].chunks(2).collect();
    assert_eq!(pairs.len(), 1600);
    for thread in 0..8 {
        let rounds: Vec<_> = pairs
            .iter()
            .filter(|pair| pair[0] == thread)
            .map(|pair| pair[1])
            .collect();
        assert_eq!(rounds, (0..200).collect::<Vec<u8>>());
    }
}
