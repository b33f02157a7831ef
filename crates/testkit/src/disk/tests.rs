//! What a simulated disk does when something is wrong.

use std::collections::BTreeSet;

use super::*;

const DIRECTORY: &str = "/a";

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

fn disk(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    disk.create_directory(Path::new(DIRECTORY)).unwrap();
    disk
}

/// A file with synced content and a synced name.
fn synced(disk: &SimulatedDisk, name: &str, content: &[u8]) -> Box<dyn DiskFile> {
    let mut file = disk.open_append(&path(name)).unwrap();
    file.append(content).unwrap();
    file.sync().unwrap();
    disk.sync_directory(Path::new(DIRECTORY)).unwrap();
    file
}

/// What many disks with different seeds are like after the same.
fn outcomes<T: Ord>(after: impl Fn(SimulatedDisk) -> T) -> BTreeSet<T> {
    (0..300).map(|seed| after(disk(seed))).collect()
}

#[test]
fn it_does_what_every_disk_does() {
    let disk = disk(1);
    crate::disk_contract::check_disk(&disk, Path::new(DIRECTORY));
    crate::disk_contract::check_disk(&disk.process(), Path::new("/b"));
}

#[test]
fn what_was_synced_outlives_power_and_what_was_written_outlives_the_process() {
    for seed in 0..50 {
        let disk = disk(seed);
        let mut file = synced(&disk, "b", b"synced");
        file.append(b"written").unwrap();
        disk.restart();
        assert_eq!(disk.read(&path("b")).unwrap(), b"syncedwritten");
        assert!(
            file.append(b"late").is_err(),
            "the handle died with its process"
        );
        disk.lose_power();
        let content = disk.read(&path("b")).unwrap();
        assert!(content.starts_with(b"synced") && content.len() <= 13);
    }
}

#[test]
fn a_loss_of_power_leaves_any_pages_torn_and_in_any_order() {
    let contents = outcomes(|disk| {
        let mut file = synced(&disk, "b", &[1; 2048]);
        file.append(&[2; 2048 + 2 * 4096]).unwrap();
        disk.lose_power();
        let content = disk.read(&path("b")).unwrap();
        assert_eq!(content[..2048], [1; 2048], "what was synced is whole");
        // What each page begins and ends with.
        let ends = |page: &[u8]| (page[0], page[page.len() - 1]);
        content[2048..].chunks(2048).map(ends).collect::<Vec<_>>()
    });
    let (new, zero, torn) = ((2, 2), (0, 0), (2, 0));
    for expected in [
        vec![],
        vec![new; 5],
        vec![zero; 5],
        vec![zero, new, new, new, new],
        vec![new, zero, zero, new, new],
        vec![torn],
        vec![new, torn],
    ] {
        let is_there = contents.iter().any(|ends| ends.starts_with(&expected));
        assert!(is_there, "{expected:?} is not among {contents:?}");
    }
}

#[test]
fn of_names_that_were_not_synced_any_may_be_there() {
    let outcomes = outcomes(|disk| {
        drop(synced(&disk, "removed", b"1"));
        drop(synced(&disk, "replaced", b"2"));
        drop(synced(&disk, "moved", b"3"));
        for name in ["new", "temporary"] {
            disk.open_append(&path(name)).unwrap().sync().unwrap();
        }
        disk.remove(&path("removed")).unwrap();
        disk.rename(&path("temporary"), &path("replaced")).unwrap();
        disk.rename(&path("moved"), &path("other")).unwrap();
        disk.lose_power();
        let names = disk.list(Path::new(DIRECTORY)).unwrap();
        let has = |name: &str| names.contains(&name.to_owned());
        assert!(has("replaced"), "a rename never leaves nothing");
        assert_ne!(has("moved"), has("other"), "a rename is one step");
        let replaced = disk.length(&path("replaced")).unwrap() == 0;
        (has("removed"), has("new"), replaced, has("other"))
    });
    assert_eq!(outcomes.len(), 16, "{outcomes:?}");
}

#[test]
fn names_that_were_synced_are_there_and_unsynced_directories_may_not_be() {
    let outcomes = outcomes(|disk| {
        drop(synced(&disk, "b", b"1"));
        disk.remove(&path("b")).unwrap();
        disk.sync_directory(Path::new(DIRECTORY)).unwrap();
        let inner = path("inner");
        disk.create_directory(&inner).unwrap();
        drop(disk.open_append(&inner.join("c")).unwrap());
        disk.sync_directory(&inner).unwrap();
        disk.lose_power();
        assert!(disk.read(&path("b")).is_err(), "it was removed for good");
        (
            disk.list(&inner).is_ok(),
            disk.read(&inner.join("c")).is_ok(),
        )
    });
    assert_eq!(outcomes, BTreeSet::from([(false, false), (true, true)]));
}

#[test]
fn a_dying_process_tears_its_write_and_can_do_nothing_more() {
    let lengths = outcomes(|disk| {
        disk.die_after(2);
        let process = disk.process();
        let mut file = process.open_append(&path("b")).unwrap();
        let open = process.open_read(&path("b")).unwrap();
        file.append(b"first").unwrap();
        assert!(file.append(b"second").is_err() && disk.is_dead());
        assert!(file.sync().is_err() && disk.read(&path("b")).is_err());
        assert!(open.read_at(0, &mut [0]).is_err());
        assert!(process.list(Path::new(DIRECTORY)).is_err());
        disk.restart();
        assert!(open.read_at(0, &mut [0]).is_err());
        assert!(process.remove(&path("b")).is_err(), "it stays dead");
        disk.length(&path("b")).unwrap()
    });
    let torn: BTreeSet<_> = (5..=11).collect();
    assert_eq!(lengths, torn, "torn at all places");
}

#[test]
fn a_dying_process_has_changed_a_name_or_not() {
    let outcomes = outcomes(|disk| {
        drop(synced(&disk, "b", b"1"));
        disk.die_after(0);
        assert!(disk.rename(&path("b"), &path("c")).is_err());
        disk.restart();
        disk.list(Path::new(DIRECTORY)).unwrap()
    });
    let expected = [vec!["b".to_owned()], vec!["c".to_owned()]];
    assert_eq!(outcomes, BTreeSet::from(expected));
}

#[test]
fn a_fault_hits_the_operation_that_was_named() {
    let disk = disk(1);
    disk.fail_after(Operation::Sync, 1, io::ErrorKind::StorageFull);
    let mut file = disk.open_append(&path("b")).unwrap();
    file.append(b"x").unwrap();
    file.sync().unwrap();
    assert_eq!(file.sync().unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.sync().unwrap();
    assert_eq!((disk.faults(), disk.failures(Operation::Sync)), (1, 1));
    assert_eq!(disk.count(Operation::Sync), 3);
    assert_eq!((disk.operations(), disk.count(Operation::Append)), (5, 1));
    for operation in [Operation::Open, Operation::Change, Operation::Reserve] {
        disk.fail_after(operation, 0, io::ErrorKind::Other);
    }
    assert!(file.reserve(1).is_err());
    assert!(disk.open_append(&path("c")).is_err());
    assert!(disk.remove(&path("b")).is_err());
    assert_eq!(disk.list(Path::new(DIRECTORY)).unwrap(), ["b"]);
}

#[test]
fn some_operations_fail_until_the_faults_are_cleared() {
    let disk = disk(1);
    let mut file = disk.open_append(&path("b")).unwrap();
    disk.fail_some(Operation::Append, 4, io::ErrorKind::Other);
    let failed = (0..400).filter(|_| file.append(b"x").is_err()).count();
    assert!((50..150).contains(&failed), "{failed}");
    disk.clear_faults();
    assert!((0..400).all(|_| file.append(b"x").is_ok()));
}

#[test]
fn what_a_failed_sync_forgot_is_not_made_good_by_the_next() {
    let outcomes = outcomes(|disk| {
        let mut file = synced(&disk, "b", &[1; 4096]);
        file.append(&[2; 3 * 4096]).unwrap();
        disk.fail_after(Operation::Sync, 0, io::ErrorKind::Other);
        assert!(file.sync().is_err());
        assert_eq!(disk.read(&path("b")).unwrap()[4096..], [2; 3 * 4096]);
        file.append(b"3").unwrap();
        file.sync().unwrap();
        disk.lose_power();
        let content = disk.read(&path("b")).unwrap();
        assert_eq!((content.len(), content[16384]), (4 * 4096 + 1, b'3'));
        assert_eq!(content[..4096], [1; 4096]);
        (content[4096], content[8192], content[12288])
    });
    assert_eq!(outcomes.len(), 8, "each page for itself: {outcomes:?}");
}

#[test]
fn a_full_disk_takes_what_fits_and_frees_what_nobody_needs() {
    let disk = disk(1);
    disk.set_capacity(Some(5 * 4096));
    let mut file = disk.open_append(&path("b")).unwrap();
    file.append(&[1; 10_000]).unwrap();
    let free = |disk: &SimulatedDisk| disk.space(Path::new("/")).unwrap().free;
    assert_eq!((disk.used(), free(&disk)), (3 * 4096, 2 * 4096));
    let refused = file.append(&[2; 20_000]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.length(&path("b")).unwrap(), 5 * 4096);

    disk.link(&path("b"), &path("c")).unwrap();
    disk.remove(&path("b")).unwrap();
    disk.remove(&path("c")).unwrap();
    assert_eq!(free(&disk), 0, "it is still open");
    drop(file);
    assert_eq!(free(&disk), 5 * 4096);

    let mut reserved = disk.open_append(&path("d")).unwrap();
    reserved.reserve(4 * 4096).unwrap();
    assert_eq!(free(&disk), 4096);
    let refused = reserved.reserve(6 * 4096).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    let mut other = disk.open_append(&path("e")).unwrap();
    assert!(other.append(&[1; 4097]).is_err());
    reserved.append(&[1; 4 * 4096]).unwrap();
    assert!(reserved.append(&[1]).is_err());
    disk.truncate(&path("d"), 1).unwrap();
    assert_eq!(free(&disk), 3 * 4096);
    disk.set_capacity(None);
    reserved.append(&[1; 100_000]).unwrap();
}

#[test]
fn chosen_files_are_read_wrongly_or_not_at_all() {
    let disk = disk(1);
    drop(synced(&disk, "b", &[0; 100]));
    drop(synced(&disk, "c", &[0; 100]));
    let open = disk.open_read(&path("b")).unwrap();
    disk.break_reads(&path("b"), Some(ReadFault::FlipBit));
    let mut buffer = [0; 50];
    open.read_at(10, &mut buffer).unwrap();
    let ones: u32 = buffer.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(ones, 1);
    let fault = ReadFault::Fail(io::ErrorKind::Other);
    disk.break_reads(&path("b"), Some(fault));
    assert!(disk.read(&path("b")).is_err() && open.read_at(0, &mut buffer).is_err());
    assert_eq!(disk.read(&path("c")).unwrap(), [0; 100]);
    disk.break_reads(&path("b"), None);
    assert_eq!(disk.read(&path("b")).unwrap(), [0; 100]);
    disk.fail_after(Operation::Read, 1, io::ErrorKind::Other);
    assert!(disk.read(&path("c")).is_ok() && disk.read(&path("c")).is_err());
}

#[test]
fn a_lock_has_one_holder_until_it_is_dropped_or_its_process_dies() {
    let disk = disk(1);
    let path = Path::new("/lock");
    let first = disk.lock(path).unwrap();
    let refused = disk.lock(path).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    disk.restart();
    let second = disk.lock(path).unwrap();
    drop(first);
    assert!(disk.lock(path).is_err(), "a dead process frees nothing");
    drop(second);
    assert!(disk.lock(path).is_ok());
}
