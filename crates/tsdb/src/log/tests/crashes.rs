//! The process dies or power fails at every operation: what was acknowledged is there.

use std::io;
use std::path::{Path, PathBuf};

use model::Disk as _;
use testkit::{Operation, SimulatedDisk};

use super::commits::commits;
use super::fixture::{Contents, Entry, Writer};
use crate::log::{Acknowledge, file_name, parse_file_name, replay};

const DIRECTORY: &str = "/wal";
const FILES: u64 = 3;

/// What was acknowledged in each file, and all that was encoded for it.
#[derive(Default)]
struct Ledger {
    files: Vec<(u64, Contents, Contents)>,
}

/// Writes three files of a few batches, and removes the first when the third begins. Stops at the first failure.
fn write(disk: &SimulatedDisk, acknowledge: Acknowledge) -> Ledger {
    let commits = commits(disk.clone(), acknowledge);
    let mut ledger = Ledger::default();
    disk.create_directory(Path::new(DIRECTORY)).unwrap_or(());
    for number in 1..=FILES {
        let mut writer = Writer::new(number);
        ledger
            .files
            .push((number, Contents::default(), Contents::default()));
        if number < FILES && commits.prepare(number + 1).is_err() {
            return ledger;
        }
        if number == FILES {
            // From the moment on at which it is asked for, the file may be gone.
            ledger.files.remove(0);
            if commits.remove(1).is_err() {
                return ledger;
            }
        }
        for batch in 0..5u32 {
            let label = ("job".to_owned(), format!("{}", batch % 2));
            writer.define(&[label]);
            for reference in 0..=batch {
                let bits = (number * 1000 + u64::from(batch * 10 + reference)) << 20;
                writer.sample(reference, i64::from(batch), bits);
            }
            let mut bytes = std::mem::take(writer.encoder.finish());
            let ticket = commits.publish(number, &mut bytes);
            let acknowledged = match batch {
                // Two batches in one commit, over the border of files too.
                0 | 4 if number < FILES => None,
                _ => Some(commits.wait(ticket)),
            };
            let last = ledger.files.last_mut().unwrap();
            last.2 = writer.contents.clone();
            match acknowledged {
                Some(Ok(())) => {
                    for file in &mut ledger.files {
                        file.1 = file.2.clone();
                    }
                }
                Some(Err(_)) => return ledger,
                None => {}
            }
        }
    }
    if commits.close().is_ok() {
        for file in &mut ledger.files {
            file.1 = file.2.clone();
        }
    }
    ledger
}

fn check(disk: &SimulatedDisk, ledger: &Ledger, note: &str) {
    for (number, acknowledged, encoded) in &ledger.files {
        let path = PathBuf::from(DIRECTORY).join(file_name(*number));
        if acknowledged.series.is_empty() && disk.length(&path).is_err() {
            continue;
        }
        let mut found = Contents::default();
        let report = replay(disk, &path, *number, &mut found).expect(note);
        assert!(acknowledged.is_part_of(&found), "lost: {note}: {report:?}");
        assert!(found.is_part_of(encoded), "invented: {note}: {report:?}");
    }
    let names = disk.list(Path::new(DIRECTORY)).unwrap();
    assert!(
        names.iter().all(|name| parse_file_name(name).is_some()),
        "{names:?}"
    );
}

#[test]
fn what_was_acknowledged_survives_power_loss_at_any_operation() {
    let disk = SimulatedDisk::new(0);
    let ledger = write(&disk, Acknowledge::Synced);
    let operations = disk.operations();
    assert!(operations > 30, "{operations}");
    let last = ledger.files.last().unwrap();
    assert_eq!(last.1, last.2);
    assert_eq!(last.1.entries[&4], [Entry::Sample(4, 3044 << 20)]);
    for seed in 0..20 {
        for death in 0..=operations {
            let disk = SimulatedDisk::new(seed);
            disk.die_after(death);
            let ledger = write(&disk, Acknowledge::Synced);
            disk.lose_power();
            disk.create_directory(Path::new(DIRECTORY)).unwrap();
            check(&disk, &ledger, &format!("seed {seed}, death {death}"));
        }
    }
}

#[test]
fn what_was_written_survives_the_death_of_the_process_at_any_operation() {
    let disk = SimulatedDisk::new(0);
    write(&disk, Acknowledge::Written);
    let operations = disk.operations();
    for death in 0..=operations {
        let disk = SimulatedDisk::new(death);
        disk.die_after(death);
        let ledger = write(&disk, Acknowledge::Written);
        disk.restart();
        disk.create_directory(Path::new(DIRECTORY)).unwrap();
        check(&disk, &ledger, &format!("death {death}"));
    }
}

#[test]
fn what_was_acknowledged_before_a_failure_is_there_after_it() {
    for operation in [Operation::Open, Operation::Append, Operation::Sync] {
        for others in 0..20 {
            let disk = SimulatedDisk::new(others);
            disk.fail_after(operation, others, io::ErrorKind::StorageFull);
            let ledger = write(&disk, Acknowledge::Synced);
            disk.lose_power();
            disk.create_directory(Path::new(DIRECTORY)).unwrap();
            check(&disk, &ledger, &format!("{operation:?} {others}"));
        }
    }
}
