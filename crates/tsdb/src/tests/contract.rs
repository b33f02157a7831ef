//! The suites that every store and every disk must pass: while everything fits into memory, and while each batch, or
//! each few, become a block of their own.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use model::Disk;
use testkit::contract::{check_admin, check_attachments, check_store};
use testkit::{SimulatedClock, SimulatedDisk};

use super::{DIRECTORY, config};
use crate::{Config, OsDisk, Store};

/// A memtable that is never full, one that holds a few batches, and one that is full at once.
const MEMTABLES: [usize; 3] = [16 << 20, 40_000, 1];

fn check_all(memtables: &[usize], make: impl Fn(Arc<SimulatedClock>, Config) -> Store) {
    for memtable_bytes in memtables.iter().copied() {
        let config = Config {
            memtable_bytes,
            ..config()
        };
        check_store(|clock| make(clock, config.clone()));
        check_attachments(|clock| make(clock, config.clone()));
    }
    // It asks what is in memory.
    check_admin(|clock| make(clock, config()));
}

fn open(disk: Arc<dyn Disk>, path: &Path, clock: Arc<SimulatedClock>, config: Config) -> Store {
    Store::open(disk, path, clock, config).unwrap().0
}

#[test]
fn the_store_keeps_the_contract_of_its_ports_on_a_simulated_disk() {
    check_all(&MEMTABLES, |clock, config| {
        let disk = Arc::new(SimulatedDisk::new(1));
        open(disk, Path::new(DIRECTORY), clock, config)
    });
}

#[test]
fn the_store_keeps_the_contract_of_its_ports_on_the_systems_disk() {
    let directory = tempfile::tempdir().unwrap();
    let count = Cell::new(0);
    // A block for each batch would only measure how fast it syncs.
    check_all(&MEMTABLES[1..2], |clock, config| {
        count.set(count.get() + 1);
        let path = directory.path().join(count.get().to_string());
        open(Arc::new(OsDisk), &path, clock, config)
    });
}

#[test]
fn the_store_keeps_the_contract_of_its_ports_while_its_threads_work() {
    let config = Config {
        memtable_bytes: 1,
        threads: true,
        ..config()
    };
    check_store(|clock| {
        let disk = Arc::new(SimulatedDisk::new(1));
        open(disk, Path::new(DIRECTORY), clock, config.clone())
    });
}

#[test]
fn the_systems_disk_keeps_the_contract_of_disks() {
    let directory = tempfile::tempdir().unwrap();
    testkit::disk_contract::check_disk(&OsDisk, directory.path());
}
