//! When collections happen, and what they leave in the store. Time is simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use model::{
    AppendError, Appended, Clock, Labels, Metadata, MetricKind, RejectReason, Rejected, RowKind,
    SampleBatch, SampleSink, is_stale,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::host::collector::single;
use crate::host::run;
use crate::host::schedule::Schedule;
use crate::host::tracker::Tracker;

const INTERVAL: Duration = Duration::from_secs(5);

#[test]
fn ticks_are_at_multiples_of_the_interval_without_drift() {
    let clock = simulated_clock();
    let mut schedule = Schedule::new(INTERVAL);
    for number in 1..1000 {
        let tick = schedule.next(&*clock);
        assert_eq!(tick.at.as_millis(), 1_735_689_600_000 + number * 5000);
        assert_eq!(tick.missed, 0);
        clock.advance(tick.wait);
        // Waking up and working take their time.
        clock.advance(Duration::from_millis(1234));
    }
}

#[test]
fn ticks_during_a_long_collection_are_skipped_and_counted() {
    let clock = simulated_clock();
    let mut schedule = Schedule::new(INTERVAL);
    let first = schedule.next(&*clock);
    clock.advance(first.wait + Duration::from_secs(12));
    let next = schedule.next(&*clock);
    assert_eq!(
        (next.at, next.missed),
        (first.at + Duration::from_secs(15), 2)
    );
    clock.advance(next.wait);
    assert_eq!(schedule.next(&*clock).missed, 0);
}

#[test]
fn a_clock_that_is_set_is_followed_at_once() {
    let clock = simulated_clock();
    let mut schedule = Schedule::new(INTERVAL);
    let hour = Duration::from_secs(3600);
    for (set, expected) in [(START + hour, 3605), (START - hour, -3595)] {
        clock.advance(schedule.next(&*clock).wait);
        clock.set(set);
        let tick = schedule.next(&*clock);
        assert_eq!(tick.at.as_millis(), 1_735_689_600_000 + expected * 1000);
        assert_eq!(tick.missed, 0, "a clock that was set is no missed tick");
        assert!(tick.wait <= INTERVAL);
    }
}

#[test]
fn a_sleep_that_ends_early_does_not_use_a_tick_twice() {
    let clock = simulated_clock();
    let mut schedule = Schedule::new(INTERVAL);
    let tick = schedule.next(&*clock);
    clock.advance(tick.wait - Duration::from_millis(3));
    assert_eq!(schedule.next(&*clock).at, tick.at + INTERVAL);
}

#[test]
fn stored_series_bear_job_and_instance_unless_they_have_their_own() {
    let mut tracker = Tracker::new("tower".to_owned());
    let mut family = MetricFamily::new("node_load1", MetricKind::Gauge, "help");
    family.push(&[], 1.0).unwrap();
    family
        .push(&[("job", "own"), ("device", "a")], 2.0)
        .unwrap();
    let samples = tracker.samples(&[family], START);
    let labels: Vec<String> = samples
        .iter()
        .map(|(labels, ..)| labels.to_string())
        .collect();
    let expected = [
        r#"node_load1{instance="tower",job="node"}"#,
        r#"node_load1{device="a",instance="tower",job="own"}"#,
    ];
    assert_eq!(labels, expected);
}

#[test]
fn a_series_that_is_gone_is_marked_once() {
    let mut tracker = Tracker::new("tower".to_owned());
    let family = |devices: &[&str]| {
        let mut family = MetricFamily::new("node_disk_io_now", MetricKind::Gauge, "help");
        for device in devices {
            family.push(&[("device", device)], 1.0).unwrap();
        }
        [family]
    };
    assert_eq!(tracker.samples(&family(&["sda", "usb"]), START).len(), 2);
    let samples = tracker.samples(&family(&["sda"]), START + INTERVAL);
    let (labels, at, value) = &samples[1];
    assert_eq!(
        (samples.len(), labels.get("device"), *at),
        (2, Some("usb"), START + INTERVAL)
    );
    assert!(is_stale(*value));
    assert_eq!(
        tracker
            .samples(&family(&["sda"]), START + INTERVAL * 2)
            .len(),
        1
    );
}

#[test]
fn the_loop_collects_twice_at_once_and_then_at_every_tick() {
    let (store, host) = run_for(Duration::from_secs(17), Arc::new(Store::default()));
    let times: BTreeSet<i64> = store.times();
    let base = 1_735_689_600_000;
    let expected = [
        base + 1234,
        base + 1484,
        base + 5000,
        base + 10_000,
        base + 15_000,
    ];
    assert!(times.iter().eq(&expected), "{times:?}");
    let missed = "campanile_collection_ticks_missed_total";
    assert_eq!(value_of(&host.metrics(), missed, ("", "")), 0.0);
    let accepted = ("result", "accepted");
    // Three points: the collector's own, its success and its duration.
    assert_eq!(
        value_of(
            &host.metrics(),
            "campanile_collection_samples_total",
            accepted
        ),
        15.0
    );
}

#[test]
fn each_metric_is_described_once() {
    let (store, _) = run_for(Duration::from_secs(17), Arc::new(Store::default()));
    let described = store.described.lock().unwrap();
    assert_eq!(described["node_ticks"].kind, MetricKind::Gauge);
    assert_eq!(described.len(), 3);
    assert_eq!(*store.descriptions.lock().unwrap(), 3);
}

#[test]
fn a_store_that_refuses_does_not_end_the_loop() {
    let store = Store {
        refuses_until: START + Duration::from_secs(7),
        ..Store::default()
    };
    let (store, host) = run_for(Duration::from_secs(17), Arc::new(store));
    let base = 1_735_689_600_000;
    assert!(store.times().iter().eq(&[base + 10_000, base + 15_000]));
    let failures = "campanile_collection_append_failures_total";
    assert_eq!(value_of(&host.metrics(), failures, ("", "")), 3.0);
    // The description that was lost with the first collections has been made up for.
    assert_eq!(store.described.lock().unwrap().len(), 3);
}

#[test]
fn rows_that_are_rejected_are_counted() {
    let store = Store {
        rejects: true,
        ..Store::default()
    };
    let (_, host) = run_for(Duration::from_millis(1), Arc::new(store));
    let rejected = ("result", "rejected");
    assert_eq!(
        value_of(
            &host.metrics(),
            "campanile_collection_samples_total",
            rejected
        ),
        1.0
    );
}

#[test]
fn a_collection_just_beside_its_tick_bears_the_ticks_time() {
    let schedule = Schedule::new(INTERVAL);
    let fast = Schedule::new(Duration::from_millis(100));
    for (late, taken) in [(0, 0), (9, 0), (10, 0), (11, 11)] {
        let late = Duration::from_millis(late);
        let taken = Duration::from_millis(taken);
        assert_eq!(schedule.timestamp(START, START + late), START + taken);
        assert_eq!(schedule.timestamp(START, START - late), START - taken);
    }
    let late = START + Duration::from_millis(2);
    assert_eq!(fast.timestamp(START, late), late);
}

/// Runs the loop with one collector for some simulated time.
fn run_for(time: Duration, store: Arc<Store>) -> (Arc<Store>, Arc<Host>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let host = runtime.block_on(async {
        let clock = Arc::new(PausedClock(tokio::time::Instant::now()));
        let mut ticks = 0.0;
        let read = move |families: &mut Vec<MetricFamily>| {
            ticks += 1.0;
            families.push(single("node_ticks", MetricKind::Gauge, "help", ticks)?);
            Ok(())
        };
        let collector = Scripted {
            name: "ticks",
            read,
        };
        // The paused clock belongs to the thread of the runtime.
        let host = Host::with_collectors(
            Config::default(),
            clock,
            PATIENCE,
            vec![Box::new(collector)],
        );
        let host = Arc::new(host);
        let shutdown = CancellationToken::new();
        let stop = async {
            tokio::time::sleep(time).await;
            shutdown.cancel();
        };
        tokio::join!(
            run(Arc::clone(&host), store.clone(), shutdown.clone()),
            stop
        );
        host
    });
    (store, host)
}

/// Shows the simulated time of the runtime.
struct PausedClock(tokio::time::Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        START + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Keeps what it is given.
struct Store {
    rows: Mutex<Vec<(Labels, Timestamp, f64)>>,
    described: Mutex<BTreeMap<String, Metadata>>,
    descriptions: Mutex<usize>,
    refuses_until: Timestamp,
    rejects: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            described: Mutex::default(),
            descriptions: Mutex::default(),
            refuses_until: Timestamp::MIN,
            rejects: false,
        }
    }
}

impl Store {
    fn times(&self) -> BTreeSet<i64> {
        let rows = self.rows.lock().unwrap();
        rows.iter().map(|(_, at, _)| at.as_millis()).collect()
    }
}

impl SampleSink for Store {
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError> {
        if batch.rows[0].timestamp < self.refuses_until {
            return Err(AppendError::Storage("no space".to_owned()));
        }
        let mut appended = Appended::default();
        let mut rows = self.rows.lock().unwrap();
        for (number, row) in batch.rows.iter().enumerate() {
            if self.rejects && number == 0 {
                let timestamp = row.timestamp;
                let reason = RejectReason::Duplicate { timestamp };
                appended.rejected.push(Rejected {
                    kind: RowKind::Sample,
                    row: 0,
                    reason,
                });
                continue;
            }
            let labels = (batch.encoding.decode)(row.key).unwrap();
            assert_eq!(labels.get("job"), Some("node"));
            rows.push((labels, row.timestamp, row.value));
            appended.accepted += 1;
        }
        Ok(appended)
    }

    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError> {
        *self.descriptions.lock().unwrap() += descriptions.len();
        self.described
            .lock()
            .unwrap()
            .extend(descriptions.iter().cloned());
        Ok(())
    }
}
