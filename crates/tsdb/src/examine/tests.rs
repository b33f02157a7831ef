//! What a broken store looks like, and what is left of it after a repair.

use model::{SampleBatch, SampleSink as _};
use testkit::{Operation, SimulatedDisk};

use super::*;
use crate::shared::block_name;
use crate::tests::fixture::written;
use crate::tests::{Contents, DIRECTORY, NOW, config, contents, labels, log_path, open};
use crate::{Error, Recovery};

/// The merged block and the log of [`written`].
const MERGED: u64 = 5;
const LOG: u64 = 6;

fn shared(disk: &SimulatedDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn block_path(number: u64) -> PathBuf {
    Path::new(DIRECTORY).join("blocks").join(block_name(number))
}

fn tombstones_path() -> PathBuf {
    Path::new(DIRECTORY).join("blocks").join(tombstones::FILE)
}

fn reports(disk: &SimulatedDisk) -> Vec<FileReport> {
    examine(
        &shared(disk),
        Path::new(DIRECTORY),
        Depth::Full,
        &mut |_| {},
    )
    .unwrap()
}

fn report(disk: &SimulatedDisk, path: &Path) -> FileReport {
    examine_file(&shared(disk), path, Depth::Full).unwrap()
}

/// Repairs, and says what was done with which file.
fn mend(disk: &SimulatedDisk) -> Vec<String> {
    let steps = repair(&shared(disk), Path::new(DIRECTORY), &[], &mut |_| {}).unwrap();
    let shown = |step: RepairStep| {
        let name = name(&step.path);
        let mended = if step.is_mended { "mended" } else { "left" };
        format!("{name} {mended}: {}", step.action)
    };
    steps.into_iter().map(shown).collect()
}

fn replace(disk: &SimulatedDisk, path: &Path, bytes: &[u8]) {
    // It need not exist.
    let _ = disk.remove(path);
    disk.open_append(path).unwrap().append(bytes).unwrap();
}

fn quarantine(disk: &SimulatedDisk) -> Vec<String> {
    let directory = Path::new(DIRECTORY).join("quarantine");
    disk.list(&directory).unwrap_or_default()
}

fn all(disk: &SimulatedDisk) -> (Contents, Recovery) {
    let (store, recovery) = open(disk, config()).unwrap();
    let all = contents(&store);
    store.kill();
    (all, recovery)
}

fn count(contents: &Contents) -> usize {
    contents.values().map(|samples| samples.len()).sum()
}

/// Whether each sample of `part` is one of `whole`.
fn is_part(part: &Contents, whole: &Contents) -> bool {
    let mut series = part.iter();
    series.all(|(labels, samples)| {
        let known = whole.get(labels);
        known.is_some_and(|known| samples.iter().all(|(at, bits)| known.get(at) == Some(bits)))
    })
}

fn detail<'a>(report: &'a FileReport, name: &str) -> &'a str {
    let mut details = report.details.iter();
    let found = details.find(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("no {name}: {report:?}")).1
}

#[test]
fn a_sound_store_has_nothing_to_mend_and_every_file_is_told() {
    let disk = written();
    let mut seen = Vec::new();
    let told = examine(
        &shared(&disk),
        Path::new(DIRECTORY),
        Depth::Overview,
        &mut |at| {
            seen.push((at.done, at.path.to_owned()));
        },
    );
    let overview = told.unwrap();
    for (index, report) in overview.iter().enumerate() {
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!(seen[index], (index, report.path.clone()));
        assert_eq!(report.bytes, disk.length(&report.path).unwrap());
    }
    let kinds: Vec<_> = overview.iter().map(|report| report.kind).collect();
    for kind in [FileKind::Log, FileKind::Block, FileKind::Tombstones] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert_eq!(overview, reports(&disk));
    let merged = report(&disk, &block_path(MERGED));
    assert_eq!(detail(&merged, "generations"), "1 to 4");
    assert_eq!(detail(&merged, "level"), "1");
    assert_eq!(detail(&merged, "series"), "6");
    assert_eq!(detail(&merged, "samples"), "480");
    assert_eq!(detail(&merged, "made of"), "1, 2, 3, 4");
    assert_eq!(detail(&merged, "first sample"), "2023-11-14T21:13:20Z");
    assert_eq!(detail(&merged, "last sample"), "2023-11-14T21:48:05Z");
    assert_ne!(detail(&merged, "bytes of data"), "0");
    let deletions = report(&disk, &tombstones_path());
    assert_eq!(detail(&deletions, "deletions"), "1");
    assert!(detail(&deletions, "deletion 1").contains("temperature_celsius"));
    let log = report(&disk, &log_path(LOG));
    assert_eq!(detail(&log, "series"), "7");
    assert_eq!(detail(&log, "descriptions of metrics"), "1");
    let before = all(&disk).0;
    let steps = mend(&disk);
    assert!(
        steps
            .iter()
            .all(|step| step.contains(".wal mended: cut") || step.contains("removed")),
        "{steps:?}"
    );
    assert_eq!(all(&disk).0, before);
    assert_eq!(mend(&disk), Vec::<String>::new());
}

#[test]
fn any_flipped_bit_of_any_file_is_found() {
    let disk = written();
    for path in [
        log_path(LOG),
        block_path(MERGED),
        block_path(6),
        tombstones_path(),
    ] {
        // A file behind the log makes its end no end where a server may be writing.
        disk.open_append(&log_path(99)).unwrap();
        let length = usize::try_from(disk.length(&path).unwrap()).unwrap();
        for bit in 0..length * 8 {
            disk.flip_bit(&path, bit);
            assert!(
                !report(&disk, &path).is_sound(),
                "{} bit {bit}",
                path.display()
            );
            disk.flip_bit(&path, bit);
        }
        assert!(report(&disk, &path).is_sound());
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_found() {
    let disk = written();
    disk.open_append(&log_path(99)).unwrap();
    for path in [log_path(LOG), block_path(MERGED), tombstones_path()] {
        let whole = disk.read(&path).unwrap();
        for length in (0..whole.len()).step_by(7) {
            replace(&disk, &path, &whole[..length]);
            let found = report(&disk, &path);
            // A log is a list of records: cut between two of them it is only shorter.
            let is_shorter_log = found.kind == FileKind::Log && found.is_sound();
            assert!(
                !found.is_sound() || is_shorter_log,
                "{} at {length}",
                path.display()
            );
            if is_shorter_log {
                assert_eq!(
                    found.details.iter().find(|(name, _)| name == "torn end"),
                    None
                );
            }
        }
    }
}

#[test]
fn what_is_left_of_a_block_takes_its_place() {
    let disk = written();
    let (before, _) = all(&disk);
    let length = disk.length(&block_path(MERGED)).unwrap() as usize;
    let mut outcomes = [0; 3];
    for bit in (0..length * 8).step_by(61) {
        let disk = written();
        disk.flip_bit(&block_path(MERGED), bit);
        let steps = mend(&disk);
        let of_block: Vec<_> = steps
            .iter()
            .filter(|step| step.starts_with("00000005.block mended"))
            .collect();
        assert_eq!(of_block.len(), 1, "bit {bit}: {steps:?}");
        assert!(
            quarantine(&disk).contains(&"00000005.block".to_owned()),
            "bit {bit}"
        );
        assert!(reports(&disk).iter().all(FileReport::is_sound), "bit {bit}");
        assert_eq!(mend(&disk), Vec::<String>::new(), "bit {bit}");
        let (after, recovery) = all(&disk);
        assert_eq!(recovery.blocks_broken, 0);
        assert!(is_part(&after, &before), "bit {bit}");
        let lost = count(&before) - count(&after);
        // What is not in that block is there in any case.
        assert!(lost <= 480, "bit {bit}");
        outcomes[match lost {
            0 => 0,
            469.. => 2,
            _ => 1,
        }] += 1;
        if of_block[0].contains("written anew") {
            assert!(
                of_block[0].contains(&format!("{} samples", 480 - lost_in_block(of_block[0]))),
                "{}",
                of_block[0]
            );
        }
    }
    // Without its header or a part of its index it loses nothing, without its footer all.
    assert!(outcomes[0] > 10 && outcomes[2] > 3, "{outcomes:?}");
}

fn lost_in_block(step: &str) -> usize {
    let (before, _) = step.split_once(" samples are lost").unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_block_that_the_store_set_aside_is_put_back() {
    let disk = written();
    let (before, _) = all(&disk);
    // Only the header at the beginning is broken, which the footer repeats.
    disk.flip_bit(&block_path(MERGED), 20 * 8);
    let (without, recovery) = all(&disk);
    assert_eq!(recovery.blocks_broken, 1);
    assert!(count(&without) < count(&before));
    let told = reports(&disk);
    assert!(told.iter().any(|report| report.kind == FileKind::SetAside));
    let steps = mend(&disk);
    assert!(steps.iter().any(|step| step.starts_with("00000005.block.broken mended: written anew as 00000005.block with 480 samples, 0 samples are lost")), "{steps:?}");
    assert_eq!(all(&disk).0, before);
    assert!(quarantine(&disk).contains(&"00000005.block.broken".to_owned()));
}

#[test]
fn what_is_left_of_a_log_takes_its_place() {
    let disk = written();
    let (before, _) = all(&disk);
    let length = disk.length(&log_path(LOG)).unwrap() as usize;
    for bit in (0..length * 8).step_by(331) {
        let disk = written();
        disk.flip_bit(&log_path(LOG), bit);
        let (as_opened, _) = all(&{
            let disk = written();
            disk.flip_bit(&log_path(LOG), bit);
            disk
        });
        let steps = mend(&disk);
        assert!(
            steps
                .iter()
                .any(|step| step.starts_with("00000006.wal mended")),
            "bit {bit}: {steps:?}"
        );
        assert!(reports(&disk).iter().all(FileReport::is_sound), "bit {bit}");
        assert_eq!(mend(&disk), Vec::<String>::new(), "bit {bit}");
        let (after, recovery) = all(&disk);
        assert_eq!(
            (recovery.broken_stretches(), recovery.torn_bytes()),
            (0, 0),
            "bit {bit}"
        );
        assert!(is_part(&after, &before), "bit {bit}");
        // A repair saves what opening the store does.
        assert_eq!(after, as_opened, "bit {bit}");
    }
}

#[test]
fn a_broken_list_of_deletions_is_set_aside_and_it_is_said_what_that_means() {
    for by_store in [false, true] {
        let disk = written();
        disk.flip_bit(&tombstones_path(), 100);
        let mut name = "tombstones";
        if by_store {
            all(&disk);
            name = "tombstones.broken";
        }
        let steps = mend(&disk);
        let step = steps
            .iter()
            .find(|step| step.starts_with(&format!("{name} mended: moved to")));
        assert!(
            step.unwrap().ends_with("are back: delete them again"),
            "{steps:?}"
        );
        assert_eq!(quarantine(&disk).last().unwrap(), name);
        assert_eq!(mend(&disk), Vec::<String>::new());
        let back = all(&disk).0;
        assert!(back.iter().any(|(labels, samples)| {
            labels.get("__name__") == Some("temperature_celsius") && samples.len() == 120
        }));
    }
}

#[test]
fn a_torn_end_is_no_damage_and_its_bytes_are_kept() {
    let disk = written();
    mend(&disk);
    let newest = reports(&disk)
        .into_iter()
        .rfind(|report| report.kind == FileKind::Log);
    let before = newest.unwrap();
    disk.open_append(&before.path)
        .unwrap()
        .append(b"half a record")
        .unwrap();
    let torn = report(&disk, &before.path);
    assert!(torn.is_sound());
    assert_eq!(
        detail(&torn, "torn end"),
        format!("13 bytes from byte {} on", before.bytes)
    );
    let steps = mend(&disk);
    assert!(
        steps[0].contains("mended: cut behind its last whole record"),
        "{steps:?}"
    );
    assert_eq!(report(&disk, &before.path), before);
    let tail = format!("quarantine/{}.tail", before.name());
    let kept = disk.read(&Path::new(DIRECTORY).join(tail)).unwrap();
    assert_eq!(kept, b"half a record");
}

#[test]
fn what_is_none_of_ours_goes_into_quarantine_under_a_name_of_its_own() {
    let disk = written();
    mend(&disk);
    let (before, _) = all(&disk);
    for round in 1..=2 {
        for path in [log_path(99), block_path(99)] {
            replace(&disk, &path, &[round; 100]);
            assert!(!report(&disk, &path).is_sound());
        }
        let steps = mend(&disk);
        assert!(
            steps[0].starts_with("00000099.wal mended: moved to "),
            "{steps:?}"
        );
        assert!(
            steps[1].starts_with("00000099.block mended: moved to "),
            "{steps:?}"
        );
        assert!(steps[1].ends_with("the file is no block"), "{steps:?}");
    }
    let quarantine = Path::new(DIRECTORY).join("quarantine");
    for name in ["00000099.wal.2", "00000099.block.2"] {
        assert_eq!(disk.read(&quarantine.join(name)).unwrap(), [2; 100]);
    }
    assert_eq!(all(&disk).0, before);
}

#[test]
fn a_block_under_the_name_of_another_gets_its_own_if_that_is_free() {
    let disk = written();
    let (before, _) = all(&disk);
    let bytes = disk.read(&block_path(MERGED)).unwrap();
    replace(&disk, &block_path(42), &bytes);
    assert_eq!(
        report(&disk, &block_path(42)).problems,
        ["it says that it is block 5"]
    );
    let steps = mend(&disk);
    let step = steps
        .iter()
        .find(|step| step.starts_with("00000042"))
        .unwrap();
    assert!(step.ends_with("since there is another block 5"), "{step}");
    replace(&disk, &block_path(42), &bytes);
    disk.remove(&block_path(MERGED)).unwrap();
    let steps = mend(&disk);
    assert!(
        steps[0].contains("written anew as 00000005.block with 480 samples"),
        "{steps:?}"
    );
    assert_eq!(all(&disk).0, before);
}

#[test]
fn files_of_a_newer_program_are_left_alone() {
    let disk = written();
    // Where the version stands, and the checksum of how many bytes in front of it.
    for (path, checksum_at) in [(log_path(LOG), 20), (block_path(MERGED), 48)] {
        let mut bytes = disk.read(&path).unwrap();
        bytes[8] = 7;
        let checksum = crc32fast::hash(&bytes[..checksum_at]);
        bytes[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_le_bytes());
        replace(&disk, &path, &bytes);
    }
    let mut bytes = disk.read(&tombstones_path()).unwrap();
    bytes[8] = 7;
    let end = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    replace(&disk, &tombstones_path(), &bytes);
    for path in [log_path(LOG), block_path(MERGED), tombstones_path()] {
        let found = report(&disk, &path);
        assert_eq!(found.version, Some(7));
        assert!(
            found.problems[0].contains("has format version 7, this program reads version "),
            "{found:?}"
        );
    }
    let steps = mend(&disk);
    let left = steps
        .iter()
        .filter(|step| step.contains(" left: left as it is"));
    assert_eq!(left.count(), 3, "{steps:?}");
    assert!(open(&disk, config()).is_err());
}

#[test]
fn what_was_never_finished_is_removed_and_what_is_not_ours_stays() {
    let disk = written();
    for directory in ["wal", "blocks"] {
        let directory = Path::new(DIRECTORY).join(directory);
        for name in [
            "00000008.wal.tmp",
            "00000008.block.tmp",
            "notes.txt",
            "+5.block",
        ] {
            replace(&disk, &directory.join(name), b"?");
        }
    }
    let told = reports(&disk);
    let unknown = told
        .iter()
        .filter(|report| report.kind == FileKind::Unknown);
    assert_eq!(unknown.count(), 4);
    mend(&disk);
    for directory in ["wal", "blocks"] {
        let left = disk.list(&Path::new(DIRECTORY).join(directory)).unwrap();
        assert!(left.contains(&"notes.txt".to_owned()) && left.contains(&"+5.block".to_owned()));
        assert!(left.iter().all(|name| !name.ends_with(".tmp")), "{left:?}");
    }
}

#[test]
fn a_repair_that_dies_loses_nothing_and_the_next_one_ends_it() {
    let broken = || {
        let disk = written();
        disk.flip_bit(&block_path(MERGED), 20 * 8);
        disk.flip_bit(&log_path(LOG), 40 * 8);
        disk
    };
    let reference = broken();
    mend(&reference);
    let (expected, _) = all(&reference);
    let mut finished = false;
    for death in 0.. {
        let disk = broken();
        let process: Arc<dyn Disk> = Arc::new(disk.process());
        disk.die_after(death);
        finished = repair(&process, Path::new(DIRECTORY), &[], &mut |_| {}).is_ok();
        match death % 2 {
            0 => disk.restart(),
            _ => disk.lose_power(),
        }
        if finished {
            break;
        }
        mend(&disk);
        assert!(
            reports(&disk).iter().all(FileReport::is_sound),
            "death {death}"
        );
        assert_eq!(all(&disk).0, expected, "death {death}");
    }
    assert!(finished);
}

#[test]
fn a_disk_that_refuses_leaves_the_broken_file_where_it_is() {
    let disk = written();
    disk.flip_bit(&block_path(MERGED), 20 * 8);
    let before = disk.read(&block_path(MERGED)).unwrap();
    disk.fail_after(Operation::Append, 0, io::ErrorKind::StorageFull);
    let refused = repair(
        &shared(&disk),
        Path::new(DIRECTORY),
        &[block_path(MERGED)],
        &mut |_| {},
    );
    assert!(refused.is_err());
    assert_eq!(disk.read(&block_path(MERGED)).unwrap(), before);
}

#[test]
fn an_open_store_is_examined_but_not_repaired() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk, config()).unwrap();
    let series = labels("a");
    let batch = SampleBatch::packed([(&series, NOW, 1.0)]);
    store.append(&batch).unwrap();
    assert!(reports(&disk).iter().all(FileReport::is_sound));
    let refused = repair(&shared(&disk), Path::new(DIRECTORY), &[], &mut |_| {});
    assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
}

#[test]
fn a_directory_without_a_store_is_an_error_and_stays_as_it_is() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
    let nowhere = Path::new("/nowhere");
    let refused = examine(&disk, nowhere, Depth::Full, &mut |_| {}).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::NotFound);
    assert!(repair(&disk, nowhere, &[], &mut |_| {}).is_err());
    assert!(disk.length(&nowhere.join("lock")).is_err());
}

#[test]
fn only_the_named_files_are_mended() {
    let disk = written();
    let (one, other) = (block_path(MERGED), block_path(6));
    for path in [&one, &other] {
        disk.flip_bit(path, 20 * 8);
    }
    let only = std::slice::from_ref(&other);
    let steps = repair(&shared(&disk), Path::new(DIRECTORY), only, &mut |_| {});
    assert_eq!(steps.unwrap().len(), 1);
    assert!(!report(&disk, &one).is_sound() && report(&disk, &other).is_sound());
}
