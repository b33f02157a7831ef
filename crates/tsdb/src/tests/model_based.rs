//! Random work on a store whose disk fails in every way it knows, beside a model that is too simple to be wrong.
//!
//! What is acknowledged is read with exactly its bits until it is deleted or too old; what is not acknowledged is read
//! with the bits that were sent or not at all; what is deleted never comes back.
//!
//! `CAMPANILE_TEST_SEEDS=1000 cargo test --release -p tsdb model_based` is a campaign; `CAMPANILE_TEST_SEED` repeats one run.

pub(super) mod seam;
mod toy;
mod truth;
mod work;
mod world;

use std::ops::Range;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use model::Disk as _;
use testkit::{Operation, ReadFault, SimulatedDisk};

use super::random::{Random, seeds};
use super::{DIRECTORY, contents};
use crate::Store;
use seam::Subject;
use toy::Toy;
use world::{Totals, World};

/// As many as a debug build does in a few seconds.
const SEEDS_DEFAULT: u64 = 40;

/// Steps of a run. Enough for a dozen restarts.
const STEPS: u64 = 300;

/// Steps of a run that is repeated for each fault.
const STEPS_FEW: u64 = 25;

#[test]
fn nothing_is_lost_invented_or_wrong_whatever_happens() {
    let totals = run_all::<Store>(seeds(SEEDS_DEFAULT));
    eprintln!("{totals:?}");
    assert!(totals.acknowledged > 0 && totals.crashes > 0 && totals.checks > 0);
}

fn run_all<S: Subject>(seeds: Range<u64>) -> Totals {
    let mut totals = Totals::default();
    for seed in seeds {
        let mut world = World::<S>::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.end();
        totals.add(&world.totals);
    }
    totals
}

#[test]
fn a_death_or_a_loss_of_power_at_any_operation_loses_nothing() {
    let mut tried = 0;
    for seed in seeds(SEEDS_DEFAULT / 10) {
        let operations = run_few(seed, |_| {});
        let stride = stride(operations, 40);
        for death in (seed % stride..operations).step_by(stride as usize) {
            tried += 1;
            run_few(seed, |disk| disk.die_after(death));
        }
    }
    assert!(tried > 10, "{tried} deaths");
}

#[test]
fn a_failure_of_any_operation_loses_nothing() {
    let mut tried = 0;
    for seed in seeds(SEEDS_DEFAULT / 10) {
        for operation in [
            Operation::Open,
            Operation::Append,
            Operation::Reserve,
            Operation::Sync,
            Operation::Change,
        ] {
            let mut count = 0;
            run_few(seed, |disk| count = disk.count(operation));
            let world = World::<Store>::quiet(seed, STEPS_FEW);
            let count = world.disk.count(operation) - count;
            drop(world);
            let stride = stride(count, 12);
            for failure in (seed % stride..count).step_by(stride as usize) {
                tried += 1;
                run_few(seed, |disk| {
                    disk.fail_after(operation, failure, std::io::ErrorKind::Other);
                });
            }
        }
    }
    assert!(tried > 10, "{tried} failures");
}

/// So that about `most` of `count` are tried.
fn stride(count: u64, most: u64) -> u64 {
    match super::random::setting::<u64>("CAMPANILE_TEST_SEEDS") {
        Some(_) => 1,
        None => count.div_ceil(most).max(1),
    }
}

/// Works for a while without faults but the one that is prepared; how many operations there were.
fn run_few(seed: u64, prepare: impl FnOnce(&SimulatedDisk)) -> u64 {
    let mut world = World::<Store>::calm(seed);
    let before = world.disk.operations();
    prepare(&world.disk);
    for _ in 0..STEPS_FEW {
        world.step();
    }
    let operations = world.disk.operations() - before;
    world.end();
    operations
}

#[test]
fn a_flipped_bit_never_gives_a_wrong_value() {
    let mut flips = 0;
    for seed in seeds(SEEDS_DEFAULT / 4) {
        let mut world = World::<Store>::quiet(seed, 60);
        world.close();
        let mut random = Random::new(seed);
        for _ in 0..8 {
            let files = files(&world.disk, Path::new(DIRECTORY));
            if files.is_empty() {
                break;
            }
            let path = random.choose(&files);
            let bits = world.disk.length(path).unwrap() * 8;
            if random.one_in(2) && bits > 0 {
                world.disk.flip_bit(path, random.below(bits) as usize);
                world.note(|| format!("a bit of {} flips", path.display()));
            } else {
                world.disk.break_reads(path, Some(ReadFault::FlipBit));
                world.note(|| format!("{} is read with flips", path.display()));
            }
            flips += 1;
            // A store that does not open says why, which is no wrong value.
            let Ok(store) = world.try_open() else {
                continue;
            };
            if let Some(shown) = world.read_if_possible(&store) {
                world.must(world.truth.check_made_up(&shown));
            }
            drop(store);
        }
    }
    assert!(flips > 0);
}

/// All files below a directory.
fn files(disk: &SimulatedDisk, directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in disk.list(directory).unwrap() {
        let path = directory.join(name);
        match disk.list(&path) {
            Ok(_) => files.extend(self::files(disk, &path)),
            Err(_) => files.push(path),
        }
    }
    files
}

#[test]
fn what_the_model_knows_is_what_an_undisturbed_store_holds() {
    let world = World::<Store>::quiet(7, 60);
    let shown = contents(world.store());
    assert!(!shown.is_empty());
    for (labels, timestamp) in world.truth.must(&truth::Question::ALL) {
        assert!(shown[labels].contains_key(&timestamp));
    }
}

#[test]
fn nothing_is_found_wrong_with_a_toy_that_can_do_everything() {
    let totals = run_all::<Toy<{ toy::RIGHT }>>(seeds(SEEDS_DEFAULT / 4));
    eprintln!("{totals:?}");
    assert!(totals.deletions > 0 && totals.snapshots > 0 && totals.acknowledged > 0);
}

#[test]
fn each_way_to_be_wrong_is_noticed() {
    let noticed = [
        is_noticed::<{ toy::UNSYNCED }>(),
        is_noticed::<{ toy::FORGETS_DELETIONS }>(),
        is_noticed::<{ toy::LAST_WINS }>(),
        is_noticed::<{ toy::BASE_UNSYNCED }>(),
        is_noticed::<{ toy::NAME_UNSYNCED }>(),
        is_noticed::<{ toy::SNAPSHOT_SHORT }>(),
        is_noticed::<{ toy::END_EXCLUSIVE }>(),
        is_noticed::<{ toy::LOSES_SIGN }>(),
        is_noticed::<{ toy::IGNORES_ERRORS }>(),
        is_noticed::<{ toy::DROPS_EARLY }>(),
        is_noticed::<{ toy::HIDES_NEW }>(),
        is_noticed::<{ toy::BELIEVES_ALL }>(),
        is_noticed::<{ toy::TRUSTS_SYNC }>(),
        is_noticed::<{ toy::REFUSES_REPETITION }>(),
    ];
    eprintln!("after so many runs: {noticed:?}");
    assert_eq!(noticed.len(), usize::from(toy::WAYS));
    for (way, runs) in (1..).zip(noticed) {
        assert!(runs.is_some(), "way {way} to be wrong is not noticed");
    }
}

/// After how many runs at most it is noticed what is wrong with a toy.
fn is_noticed<const WAY: u8>() -> Option<u64> {
    (1..=SEEDS_DEFAULT).find(|seed| {
        let run = || run_all::<Toy<WAY>>(*seed..*seed + 1);
        catch_unwind(run).is_err()
    })
}
