//! Readers, writers, flushes, merges and the retention at the same time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use model::{Clock, SampleBatch, SampleSink};
use testkit::{SimulatedClock, SimulatedDisk};

use super::{DIRECTORY, NOW, config, contents, labels};
use crate::{Config, Store};

#[test]
fn readers_see_whole_samples_while_others_write_and_drop() {
    let clock = Arc::new(SimulatedClock::new(NOW));
    let config = Config {
        retention: Duration::from_secs(400),
        memtable_bytes: 30_000,
        ..config()
    };
    let disk = Arc::new(SimulatedDisk::new(1));
    let (store, _) = Store::open(disk, Path::new(DIRECTORY), clock.clone(), config).unwrap();
    let series: Vec<_> = (0..40).map(|i| labels(&format!("series_{i}"))).collect();
    let done = AtomicBool::new(false);
    let write = || {
        for step in 0..1_000 {
            let now = clock.now();
            // Some series rest for a while, vanish, and come again.
            let awake = series
                .iter()
                .enumerate()
                .filter(|(i, _)| i % 4 != step / 250);
            let value = now.as_millis() as f64;
            let rows = awake.map(|(_, labels)| (labels, now, value));
            assert_eq!(
                store.append(&SampleBatch::packed(rows)).unwrap().rejected,
                []
            );
            clock.advance(Duration::from_secs(2));
        }
        done.store(true, Ordering::Release);
    };
    let read = || {
        while !done.load(Ordering::Acquire) {
            for (labels, samples) in contents(&store) {
                for (timestamp, bits) in samples {
                    assert_eq!(bits, (timestamp as f64).to_bits(), "of {labels}");
                }
            }
        }
    };
    let keep = || {
        while !done.load(Ordering::Acquire) {
            store.maintain(clock.now());
            store.sync().unwrap();
            store.flush().unwrap();
            store.compact().unwrap();
        }
    };
    thread::scope(|scope| {
        scope.spawn(write);
        scope.spawn(read);
        scope.spawn(keep);
    });
    store.maintain(clock.now());
    let mut kept = contents(&store);
    // One that rests may still be found by way of a block in which others are young.
    kept.retain(|_, samples| !samples.is_empty());
    assert_eq!(kept.len(), 30, "those that rested last are gone");
    assert!(
        kept.values().all(|samples| samples.len() == 200),
        "{kept:?}"
    );
}
