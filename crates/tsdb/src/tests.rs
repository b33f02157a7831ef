//! What the tests of the store share; the store as a whole is tested in the modules below.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Labels, SampleColumns, Selection, SeriesSource, Timestamp};
use proptest::prelude::*;
use testkit::{SimulatedClock, SimulatedDisk};

use crate::log::file_name;
use crate::{Config, Error, Recovery, Store};

/// The time at which tests begin.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Where the store is on simulated disks.
pub(crate) const DIRECTORY: &str = "/data";

/// Value bits by series and timestamp.
pub(crate) type Contents = BTreeMap<Labels, BTreeMap<i64, u64>>;

pub(crate) fn config() -> Config {
    Config {
        threads: false,
        ..Config::default()
    }
}

pub(crate) fn open(disk: &SimulatedDisk, config: Config) -> Result<(Store, Recovery), Error> {
    let clock = Arc::new(SimulatedClock::new(NOW));
    Store::open(
        Arc::new(disk.process()),
        Path::new(DIRECTORY),
        clock,
        config,
    )
}

pub(crate) fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name), ("job", "a")]).unwrap()
}

pub(crate) fn log_path(number: u64) -> PathBuf {
    Path::new(DIRECTORY).join("wal").join(file_name(number))
}

pub(crate) fn contents(store: &Store) -> Contents {
    let selection = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = store.select(&selection).unwrap();
    let read = |index| {
        let mut columns = SampleColumns::default();
        selected.read(index, &mut columns).unwrap();
        let bits = columns.values.into_iter().map(f64::to_bits);
        (
            selected.labels(index).clone(),
            columns.timestamps.into_iter().zip(bits).collect(),
        )
    };
    (0..selected.len()).map(read).collect()
}

/// The bits of any float, with those that codecs get wrong more often than chance would have it.
pub(crate) fn bits() -> impl Strategy<Value = u64> {
    let special = [
        0.0,
        -0.0,
        1.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE / 2.0,
        f64::MAX,
        (1u64 << 53) as f64 + 2.0,
        i64::MAX as f64,
        i64::MIN as f64,
    ];
    let nans = [
        model::stale_marker().to_bits(),
        f64::NAN.to_bits(),
        0x7ff8_0000_dead_beef,
        u64::MAX,
    ];
    prop_oneof![
        any::<u64>(),
        (-1_000_000i64..1_000_000).prop_map(|integer| (integer as f64).to_bits()),
        (-100_000i64..100_000).prop_map(|hundredths| (hundredths as f64 / 100.0).to_bits()),
        prop::sample::select(special.map(f64::to_bits).to_vec()),
        prop::sample::select(nans.to_vec()),
    ]
}

/// Timestamps, mostly near each other, some at the ends of time.
pub(crate) fn timestamps() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => (0i64..10_000).prop_map(|step| 1_700_000_000_000 + step * 1_000),
        1 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, i64::MAX]),
    ]
}

mod appending;
mod concurrency;
mod contract;
mod crashes;
mod damage;
mod decisions;
mod dropping;
mod extras;
pub(crate) mod fixture;
mod merging;
mod model_based;
mod month;
mod random;
mod retention;
mod room;
